"""The gate stands where ops are appended: nothing that writes can go around it."""

from typing import Any

import apsw
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.store.session import WriteSession
from tests.aimem_node.operations.secret_fakes import FAKES
from tests.every_write import somebody_else, writes
from tests.harness import Harness

DENY_ALL = [{"action": "*", "level": "deny"}]
OUTSIDE = {
    "PolicySet": "a rule that denies everything could never be taken away again",
    "PolicyClear": "the same",
    "PendingReject": "who may is said by what waits, and nothing is done by it",
    "PendingCancel": "the same",
}


def state_of(node: Harness) -> tuple[Any, ...]:
    status = node.call("NodeStatus")
    return status["digest"], status["origins"]


def test_every_writing_operation_is_refused_by_the_rule_and_writes_nothing(node: Harness) -> None:
    requests = writes(node)
    node.call("PolicySet", namespace="*", rules=DENY_ALL)
    node.call("PolicyClear", namespace="*", actions=["purge"])
    for name, fields in requests.items():
        if name in OUTSIDE:
            continue
        before = state_of(node)
        with pytest.raises(Failure) as caught:
            node.call(name, **fields)
        failure = caught.value
        assert failure.code is Code.PERMISSION_DENIED, (name, failure)
        assert failure.details["rule"] == "*: deny", name
        assert failure.details["set_at"] == "*", name
        assert "'*: deny' set at *" in failure.message, name
        assert state_of(node) == before, name


def test_what_the_node_does_by_itself_is_not_asked_about(node: Harness) -> None:
    record_id = node.store("t", ttl_secs=2 * 86_400)
    node.call("PolicySet", namespace="*", rules=DENY_ALL)
    node.call("Get", id=record_id)
    node.call("Recall", context="t")
    assert node.flush() == 1
    node.clock.move(days=9)
    assert node.run(node.core._collect()) == 1
    assert node.memory(record_id)["life"] == "archived"


@pytest.mark.parametrize("fault", [RuntimeError("x"), ValueError("x"), apsw.BusyError("x")])
def test_an_error_while_a_rule_is_looked_up_allows_nothing(
    node: Harness, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    node.call("PolicySet", namespace="elsewhere", rules=DENY_ALL)
    before, state = state_of(node), WriteSession.state

    def broken(self: WriteSession, record_id: str) -> Any:
        if record_id.startswith("policy:"):
            raise fault
        return state(self, record_id)

    monkeypatch.setattr(WriteSession, "state", broken)
    with pytest.raises(Failure) as caught:
        node.store("t", namespace="a")
    if not isinstance(fault, apsw.Error):  # which is the disk's, and told as such
        assert caught.value.code is Code.CORRUPT
        assert "nothing is allowed" in caught.value.message
    monkeypatch.undo()
    assert state_of(node) == before
    node.store("t", namespace="a")


def denied(node: Harness, operation: str, **fields: Any) -> dict[str, Any]:
    with pytest.raises(Failure) as caught:
        node.call(operation, **fields)
    assert caught.value.code is Code.PERMISSION_DENIED, caught.value
    return dict(caught.value.details)


def test_a_tier_raised_by_whatever_operation_is_a_promotion(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    node.call("PolicySet", namespace="a", rules=[{"action": "promote", "level": "deny"}])
    assert denied(node, "Promote", id=record_id)["effect"] == "promote"
    assert denied(node, "Update", id=record_id, tier="long")["effect"] == "promote"
    again = denied(node, "Store", title="t", content="c", namespace="a", tier="long")
    assert again["effect"] == "promote"
    node.call("Update", id=record_id, content="d")


def test_a_copy_upward_is_asked_about_where_it_comes_from_and_where_it_goes(node: Harness) -> None:
    record_id = node.store("t", namespace="a/b")
    rule = {"action": "promote", "level": "deny"}
    for place in ("a/b", "a"):
        node.call("PolicySet", namespace=place, rules=[{**rule, "delegated": True}])
        told = denied(node, "Promote", id=record_id, to_namespace="a")
        assert told["set_at"] == place
        node.call("PolicyClear", namespace=place)
    assert node.call("Promote", id=record_id, to_namespace="a")["promoted"] is True


def test_a_move_counts_in_both_places_and_a_wider_scope_as_sharing(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    for place, rule in (("a", "share"), ("b", "share"), ("b", "write"), ("a", "update")):
        node.call("PolicySet", namespace=place, rules=[{"action": rule, "level": "deny"}])
        told = denied(node, "Update", id=record_id, namespace="b", content="new")
        assert (told["set_at"], told["namespace"]) == (place, place)
        node.call("PolicyClear", namespace=place)
    node.call("PolicySet", namespace="a", rules=[{"action": "share", "level": "deny"}])
    assert denied(node, "Update", id=record_id, scope="team")["effect"] == "share"
    assert denied(node, "Store", title="u", content="c", namespace="a", scope="org")
    node.store("private", namespace="a")


def test_an_end_that_is_moved_nearer_is_a_deletion(node: Harness) -> None:
    record_id = node.store("t", namespace="a", tier="long")
    node.call("PolicySet", namespace="a", rules=[{"action": "delete", "level": "deny"}])
    for fields in ({"expires_at": "2027-01-01T00:00:00Z"}, {"tier": "short"}):
        assert denied(node, "Update", id=record_id, **fields)["effect"] == "delete"
    for operation, fields in (("Delete", {"id": record_id}), ("Archive", {"ids": [record_id]})):
        assert denied(node, operation, **fields)["effect"] == "delete"
    assert denied(node, "Forget", namespace="a")["effect"] == "delete"


def test_a_link_counts_where_either_end_lies(node: Harness) -> None:
    here, there = node.store("h", namespace="a"), node.store("t", namespace="b")
    for place in ("a", "b"):
        node.call("PolicySet", namespace=place, rules=[{"action": "link", "level": "deny"}])
        assert denied(node, "Link", source_id=here, target_id=there)["set_at"] == place
        node.call("PolicyClear", namespace=place)
    node.call("Link", source_id=here, target_id=there)
    node.call("PolicySet", namespace="b", rules=[{"action": "unlink", "level": "deny"}])
    assert denied(node, "Unlink", source_id=here, target_id=there)["set_at"] == "b"


def test_an_owner_is_who_wrote_it_first_whatever_name_they_speak_under(node: Harness) -> None:
    other = somebody_else(node, "ann", Role.WRITER)
    record_id = node.call("Store", other, title="t", content="c", namespace="a")["id"]
    node.call("PolicySet", namespace="a", rules=[{"action": "update", "level": "owner"}])
    assert denied(node, "Update", id=record_id, content="d")
    node.call("Update", other, id=record_id, content="d")
    node.call("PolicySet", namespace="a", rules=[{"action": "store", "level": "owner"}])
    told = denied(node, "Store", title="new", content="c", namespace="a")
    assert told["rule"] == "store: owner"


def test_only_registered_agents_may_where_that_is_the_rule(node: Harness) -> None:
    node.call("PolicySet", namespace="a", rules=[{"action": "*", "level": "registered"}])
    assert denied(node, "Store", title="t", content="c", namespace="a", agent_id="ai:x")
    node.call("PolicySet", namespace="b", rules=[{"action": "*", "level": "admin"}])
    node.store("t", namespace="b")
    with pytest.raises(Failure):
        node.call("Store", somebody_else(node, "w", Role.WRITER), title="u", content="c",
                  namespace="b")  # fmt: skip


def test_one_denied_change_takes_the_whole_write_back(node: Harness) -> None:
    node.call("PolicySet", namespace="closed", rules=DENY_ALL)
    before = state_of(node)
    with pytest.raises(Failure) as caught:
        node.call("BulkStore", memories=[
            {"title": "one", "content": "c", "namespace": "open"},
            {"title": "two", "content": "c", "namespace": "closed"},
        ])  # fmt: skip
    assert caught.value.path.startswith("$.memories[1]")
    assert state_of(node) == before


SECRET = FAKES["aws_access_key"][0]


def screened(node: Harness, operation: str, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, **fields)
    failure = caught.value
    assert failure.code is Code.INVALID_ARGUMENT, failure
    assert SECRET not in f"{failure} {failure.details}"
    assert "--secrets redact" in failure.next
    return failure


def test_a_secret_is_refused_wherever_it_stands_and_the_place_is_named(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    before = state_of(node)
    good = {"title": "x", "content": "c"}
    for operation, fields, path in (
        ("Store", {**good, "content": f"it is {SECRET}."}, "$.content"),
        ("Store", {**good, "title": SECRET}, "$.title"),
        ("Store", {**good, "metadata": {"keys": [SECRET]}}, "$.metadata.keys[0]"),
        ("Store", {**good, "tags": ["x", SECRET]}, "$.tags[1]"),
        ("Update", {"id": record_id, "content": SECRET}, "$.content"),
        ("BulkStore", {"memories": [good, {**good, "content": SECRET}]}, "$.memories[1].content"),
        ("Import", {"memories": [{"id": "m", **good, "content": SECRET}]}, "$.memories[0].content"),
    ):
        failure = screened(node, operation, **fields)
        assert (failure.path, failure.details["kind"]) == (path, "aws_access_key")
    assert state_of(node) == before


def test_the_nearest_word_says_what_becomes_of_secrets(node: Harness) -> None:
    node.call("PolicySet", namespace="a", secrets="allow")
    node.call("PolicySet", namespace="a/b", secrets="redact")
    node.call("PolicySet", namespace="a/b/c", secrets="refuse")
    fields = {"title": "t", "content": f"it is {SECRET}."}
    kept = node.call("Store", **fields, namespace="a/x")["id"]
    assert SECRET in node.memory(kept)["content"]
    redacted = node.call("Store", **fields, namespace="a/b", tags=[SECRET])["id"]
    memory = node.memory(redacted)
    assert memory["content"] == "it is [redacted: aws_access_key]."
    assert memory["tags"] == ["[redacted: aws_access_key]"]
    assert screened(node, "Store", **fields, namespace="a/b/c/d").details["set_at"] == "a/b/c"
    assert screened(node, "Store", **fields, namespace="b").details["set_at"] == ""


def test_what_was_taken_out_is_in_no_file_and_in_no_answer_that_is_kept(node: Harness) -> None:
    node.call("PolicySet", namespace="a", secrets="redact")
    fields = {"title": f"key {SECRET}", "content": f"it is {SECRET}.", "namespace": "a"}
    options = {"request_key": "k"}
    answers = [node.call("Store", **fields, options=options) for _ in range(2)]
    assert answers[1]["write"]["replayed"] is True
    assert {one["title"] for one in answers} == {"key [redacted: aws_access_key]"}
    updated = node.call("Update", id=answers[0]["id"], content=SECRET)
    assert SECRET not in str(updated)
    for path in node.data_dir.glob("aimem.db*"):
        assert SECRET.encode() not in path.read_bytes()


def test_ids_and_names_are_no_secrets(node: Harness) -> None:
    node.call("Import", memories=[
        {"id": f"m{at}-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8Lz", "title": f"t{at}", "content": "c"}
        for at in range(2)
    ])  # fmt: skip
    ids = [f"m{at}-Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8Lz" for at in range(2)]
    node.call("Link", source_id=ids[0], target_id=ids[1])
    node.store("u", session="Zx8Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8Lz")


def refused(node: Harness, who: Any, operation: str, **fields: Any) -> None:
    with pytest.raises(Failure) as caught:
        node.call(operation, who, **fields)
    assert caught.value.code is Code.PERMISSION_DENIED, caught.value


@pytest.mark.parametrize("beside", [{}, {"scope": "team"}, {"tier": "long"}])
def test_what_may_not_be_stored_somewhere_is_not_moved_there_either(
    node: Harness, beside: dict[str, str]
) -> None:
    node.call("PolicySet", namespace="b", rules=[{"action": "write", "level": "deny"}])
    record_id = node.store("t", namespace="a", tier="mid")
    refused(node, None, "Update", id=record_id, namespace="b", **beside)


def test_what_may_not_be_deleted_is_not_moved_to_where_it_may(node: Harness) -> None:
    node.call("PolicySet", namespace="a", rules=[{"action": "delete", "level": "deny"}])
    record_id = node.store("t", namespace="a")
    refused(node, None, "Update", id=record_id, namespace="b")
    moved = node.memory(record_id) | {"namespace": "b"}
    refused(node, None, "Import", memories=[moved])
    assert node.call("Update", id=record_id, namespace="a/b")["updated"] is True
    refused(node, None, "Delete", id=record_id)


@pytest.mark.parametrize("way", ["set", "clear", "move"])
def test_nobody_makes_themselves_the_owner_of_a_namespace(node: Harness, way: str) -> None:
    ann, bob = (somebody_else(node, name, Role.WRITER) for name in ("ann", "bob"))
    node.call("NamespaceSetStandard", ann, namespace="a", content="be good")
    node.call("PolicySet", namespace="a", rules=[{"action": "write", "level": "owner"}])
    mine = node.call("Store", bob, title="t", content="c", namespace="b")["id"]
    match way:
        case "set":
            refused(node, bob, "NamespaceSetStandard", namespace="a", id=mine)
        case "clear":
            refused(node, bob, "NamespaceClearStandard", namespace="a")
        case "move":
            refused(node, bob, "Update", id=mine, namespace="a")
    refused(node, bob, "Store", title="t", content="c", namespace="a")
    assert node.call("Store", ann, title="t", content="c", namespace="a")["id"]


def test_whoever_clears_a_standard_has_not_set_it(node: Harness) -> None:
    ann, bob = (somebody_else(node, name, Role.WRITER) for name in ("ann", "bob"))
    node.call("NamespaceSetStandard", ann, namespace="a", content="be good")
    node.call("NamespaceClearStandard", bob, namespace="a")
    node.call("PolicySet", namespace="a", rules=[{"action": "write", "level": "owner"}])
    refused(node, bob, "Store", title="t", content="c", namespace="a")


def test_the_owner_of_an_entity_gives_it_other_names(node: Harness) -> None:
    ann = somebody_else(node, "ann", Role.WRITER)
    node.call("NamespaceSetStandard", ann, namespace="a", content="be good")
    node.call("PolicySet", namespace="a", rules=[{"action": "write", "level": "owner"}])
    made = node.call(
        "EntityRegister", ann, canonical_name="Ada", namespace="a", aliases=["Lovelace"]
    )
    assert made["aliases"] == ["Lovelace"]
