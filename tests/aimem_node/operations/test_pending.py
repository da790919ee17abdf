"""What waits for approval: who may decide it, what it then does, and that it does it once."""

from typing import Any

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Effect, Role
from aimem_node.operations.copies import holders_of
from aimem_node.rpc.access_edit import create_token
from tests.aimem_node.operations.secret_fakes import FAKES
from tests.every_write import somebody_else
from tests.harness import Harness

OUTCOME = "awaiting_approval"


def rule(action: str, approver: str = "", **more: Any) -> dict[str, Any]:
    return {"action": action, "level": "approve", "approver": approver, **more}


def asked(node: Harness, operation: str, who: Any = None, **fields: Any) -> str:
    write = node.call(operation, who, **fields)["write"]
    assert write["outcome"] == OUTCOME, write
    return str(write["awaiting"]["pending_id"])


def shown(node: Harness, pending_id: str) -> dict[str, Any]:
    [one] = [p for p in node.call("PendingList")["pending"] if p["id"] == pending_id]
    return one


def refused(node: Harness, who: Any, operation: str, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, who, **fields)
    return caught.value


@pytest.fixture
def ann(node: Harness) -> Credentials:
    return somebody_else(node, "ann", Role.WRITER)


@pytest.fixture
def bob(node: Harness) -> Credentials:
    return somebody_else(node, "bob", Role.WRITER)


def test_what_needs_an_approval_waits_and_says_what_for(node: Harness, ann: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")], pending_secs=3600)
    answer = node.call("Store", ann, title="t", content="c", namespace="a/b")
    awaiting = answer["write"]["awaiting"]
    assert (answer["id"], answer["title"]) == ("", "")
    assert awaiting | {"pending_id": ""} == {
        "pending_id": "", "action": "store", "namespace": "a/b", "rule": "store: approve (human)",
        "reason": "it needs the approval of somebody else who may write", "set_at": "a",
    }  # fmt: skip
    assert node.call("List")["count"] == 0
    one = shown(node, awaiting["pending_id"])
    assert (one["status"], one["action_type"], one["approver"]) == ("pending", "store", "human")
    assert one["payload"]["title"] == "t"
    assert "options" not in one["payload"]
    assert one["expires_at"] > one["requested_at"]


def test_the_last_vote_does_it_as_whoever_asked_and_once(node: Harness, ann: Any, bob: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a", agent_id="ai:x")
    done = node.call("PendingApprove", bob, id=pending_id[:8])
    assert (done["approved"], done["status"], done["executed"]) == (True, "approved", True)
    memory = node.memory(done["memory_id"])
    assert (memory["title"], memory["agent_id"]) == ("t", "ai:x")
    assert memory["author"] == f"token:ann@{node.core.facts.node_id}"
    again = node.call("PendingApprove", bob, id=pending_id)
    assert (again["status"], again["write"]["write_ids"]) == ("approved", [])
    assert node.call("List")["count"] == 1
    one = shown(node, pending_id)
    assert one["decided_by"].startswith("token:bob@")
    assert [vote["voter"] for vote in one["approvals"]] == [one["decided_by"]]
    late = refused(node, None, "PendingApprove", id=pending_id)
    assert (late.code, late.details["status"]) == (Code.CONFLICT, "approved")


def test_nobody_approves_or_rejects_what_they_asked_for(node: Harness, ann: Any, bob: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    for operation in ("PendingApprove", "PendingReject"):
        failure = refused(node, ann, operation, id=pending_id)
        assert failure.code is Code.PERMISSION_DENIED
        assert "does not approve it" in failure.message
    assert refused(node, bob, "PendingCancel", id=pending_id).code is Code.PERMISSION_DENIED
    assert node.call("PendingCancel", ann, id=pending_id)["cancelled"] is True
    assert node.call("PendingCancel", ann, id=pending_id)["write"]["write_ids"] == []
    failure = refused(node, bob, "PendingApprove", id=pending_id)
    assert (failure.code, failure.details["status"]) == (Code.CONFLICT, "cancelled")


def test_a_person_with_two_principals_is_still_one(node: Harness, ann: Any, bob: Any) -> None:
    node.call("AgentRegister", ann, agent_id="human:ann", agent_type="human")
    node.call(
        "AgentRegister", agent_id="human:ann", agent_type="human",
        principals=[f"token:bob@{node.core.facts.node_id}"],
    )  # fmt: skip
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    assert refused(node, bob, "PendingApprove", id=pending_id).code is Code.PERMISSION_DENIED
    assert node.call("PendingApprove", id=pending_id)["approved"] is True


def test_one_principal_under_many_agents_has_one_vote(node: Harness, ann: Any, bob: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store", "consensus:2")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    for agent_id in ("b", "a", "c"):  # each is first in the alphabet, or is not, when it votes
        node.call("AgentRegister", bob, agent_id=agent_id, agent_type="human")
        voted = node.call("PendingApprove", bob, id=pending_id, agent_id=agent_id)
        assert voted["approved"] is False
    node.call("AgentRegister", agent_id="root", agent_type="human")
    assert node.call("PendingApprove", id=pending_id, agent_id="root")["approved"] is True


def test_who_may_speak_as_the_agent_that_asked_does_not_approve_it(
    node: Harness, ann: Any, bob: Any
) -> None:
    bobs = f"token:bob@{node.core.facts.node_id}"
    node.call(
        "AgentRegister", ann, agent_id="ai:x", agent_type="ai:x", principals=[bobs]
    )  # bob has not agreed to be one person with ann
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    assert refused(node, bob, "PendingApprove", id=pending_id).code is Code.PERMISSION_DENIED
    assert refused(node, bob, "PendingCancel", id=pending_id).code is Code.PERMISSION_DENIED


MATRIX = [
    ("human", "bob", True),
    ("admin", "bob", False),
    ("admin", "root", True),
    ("agent:ai:judge", "bob", False),
    ("agent:ai:judge", "judge", True),
    ("consensus:1", "bob", False),
    ("consensus:1", "judge", True),
    ("consensus:2", "judge", None),
]


@pytest.mark.parametrize(("approver", "voter", "may"), MATRIX)
@pytest.mark.parametrize("operation", ["PendingApprove", "PendingReject"])
def test_only_whom_the_rule_names_decides(
    node: Harness, ann: Any, bob: Any, approver: str, voter: str, may: bool | None, operation: str
) -> None:
    judge = somebody_else(node, "judge", Role.WRITER)
    node.call("AgentRegister", judge, agent_id="ai:judge", agent_type="ai:judge")
    node.call("PolicySet", namespace="a", rules=[rule("store", approver)])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    who, claim = {"bob": (bob, {}), "root": (None, {}), "judge": (judge, {"agent_id": "ai:judge"})}[
        voter
    ]
    if may is False:
        failure = refused(node, who, operation, id=pending_id, **claim)
        assert failure.code is Code.PERMISSION_DENIED
        assert "set at a" in failure.message
        assert shown(node, pending_id)["status"] == "pending"
        return
    node.call(operation, who, id=pending_id, **claim)
    done = "approved" if operation == "PendingApprove" else "rejected"
    missing = may is None and operation == "PendingApprove"
    assert shown(node, pending_id)["status"] == ("pending" if missing else done)
    assert node.call("List", namespace="a")["count"] == (done == "approved" and not missing)


def test_a_consensus_counts_people_and_not_how_often_they_vote(node: Harness, ann: Any) -> None:
    judges = [somebody_else(node, f"j{at}", Role.WRITER) for at in range(3)]
    for at, judge in enumerate(judges):
        node.call("AgentRegister", judge, agent_id=f"ai:j{at}", agent_type="ai:judge")
    node.call("PolicySet", namespace="a", rules=[rule("store", "consensus:3")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    for at in (0, 0, 1, 1, 0):
        answer = node.call("PendingApprove", judges[at], id=pending_id, agent_id=f"ai:j{at}")
        assert (answer["approved"], answer["quorum"]) == (False, 3)
    assert answer["votes"] == 2
    answer = node.call("PendingApprove", judges[2], id=pending_id, agent_id="ai:j2")
    assert (answer["approved"], answer["votes"]) == (True, 3)


def test_every_rule_that_asks_must_be_met(node: Harness, ann: Any, bob: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store", "admin")])
    node.call("PolicySet", namespace="a/b", rules=[rule("write", "human")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a/b")
    assert shown(node, pending_id)["set_at"] == "a, a/b"
    assert node.call("PendingApprove", bob, id=pending_id)["approved"] is False
    assert node.call("PendingApprove", id=pending_id)["approved"] is True


def test_a_write_in_many_places_asks_all_of_them_at_once(node: Harness, ann: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("write", "admin")])
    node.call("PolicySet", namespace="b", rules=[rule("write", "human")])
    pending_id = asked(node, "BulkStore", ann, memories=[
        {"title": "one", "content": "c", "namespace": "a"},
        {"title": "two", "content": "c", "namespace": "b"},
    ])  # fmt: skip
    assert shown(node, pending_id)["set_at"] == "a, b"
    assert node.call("PendingApprove", id=pending_id)["approved"] is True
    assert node.call("List")["count"] == 2


def test_what_is_denied_anywhere_is_not_put_before_anyone(node: Harness, ann: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("write")])
    node.call("PolicySet", namespace="b", rules=[{"action": "write", "level": "deny"}])
    refused(node, ann, "BulkStore", memories=[
        {"title": "one", "content": "c", "namespace": "a"},
        {"title": "two", "content": "c", "namespace": "b"},
    ])  # fmt: skip
    assert node.call("PendingList")["count"] == 0


def test_what_forbids_it_by_then_forbids_it_and_the_vote_is_not_taken(
    node: Harness, ann: Any, bob: Any
) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    for forbids in (
        {"rules": [{"action": "store", "level": "deny"}]},
        {"quota": {"memories": 0}},
        {"rules": [rule("store", "admin")]},
    ):
        node.call("PolicySet", namespace="*", **forbids)
        before = node.call("NodeStatus")["digest"]
        failure = refused(node, bob, "PendingApprove", id=pending_id)
        assert failure.code is Code.PERMISSION_DENIED
        assert node.call("NodeStatus")["digest"] == before
        assert shown(node, pending_id)["approvals"] == []
        node.call("PolicyClear", namespace="*")
    assert node.call("PendingApprove", bob, id=pending_id)["approved"] is True


def test_what_cannot_be_done_any_more_goes_on_waiting(node: Harness, ann: Any, bob: Any) -> None:
    record_id = node.store("t", namespace="a")
    node.call("PolicySet", namespace="a", rules=[rule("delete")])
    pending_id = asked(node, "Delete", ann, id=record_id)
    assert shown(node, pending_id)["memory_id"] == record_id
    node.call("PolicyClear", namespace="a")
    node.call("Delete", id=record_id)
    assert refused(node, bob, "PendingApprove", id=pending_id).code is Code.NOT_FOUND
    assert shown(node, pending_id)["status"] == "pending"


def test_time_ends_it_and_so_does_a_rejection(node: Harness, ann: Any, bob: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")], pending_secs=3600)
    late = asked(node, "Store", ann, title="t", content="c", namespace="a")
    node.clock.move(seconds=3600)
    assert shown(node, late)["status"] == "expired"
    assert refused(node, bob, "PendingApprove", id=late).details["status"] == "expired"
    no = asked(node, "Store", ann, title="t", content="c", namespace="a")
    assert node.call("PendingReject", bob, id=no)["rejected"] is True
    assert node.call("PendingReject", bob, id=no)["write"]["write_ids"] == []
    assert refused(node, None, "PendingReject", id=no).code is Code.CONFLICT
    assert [one["id"] for one in node.call("PendingList", status="rejected")["pending"]] == [no]
    assert node.call("PendingList", status="pending")["count"] == 0
    assert refused(node, bob, "PendingApprove", id="nothing").code is Code.NOT_FOUND


def test_the_same_request_key_waits_under_the_same_id_and_learns_what_became_of_it(
    node: Harness, ann: Any, bob: Any
) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    fields: dict[str, Any] = {"title": "t", "content": "c", "namespace": "a"}
    fields["options"] = {"request_key": "k"}
    pending_id = asked(node, "Store", ann, **fields)
    assert asked(node, "Store", ann, **fields) == pending_id
    assert node.call("PendingList")["count"] == 1
    other = refused(node, ann, "Store", **{**fields, "title": "u"})
    assert other.code is Code.CONFLICT
    done = node.call("PendingApprove", bob, id=pending_id)
    again = node.call("Store", ann, **fields)
    assert (again["id"], again["write"]["outcome"]) == (done["memory_id"], "committed")
    assert again["write"]["replayed"] is True
    assert node.call("List")["count"] == 1
    fields["options"] = {"request_key": "l"}
    rejected = asked(node, "Store", ann, **{**fields, "title": "v"})
    node.call("PendingReject", bob, id=rejected)
    assert refused(node, ann, "Store", **{**fields, "title": "v"}).code is Code.CONFLICT


def test_the_audit_names_the_rule_under_which_it_was_done(node: Harness, ann: Any) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store", "admin")])
    pending_id = asked(node, "Store", ann, title="t", content="c", namespace="a")
    made = node.call("PendingApprove", id=pending_id)["write"]["write_ids"]
    lines = {one["entry"]["write_id"]: one["entry"] for one in node.stream("Audit")[:-1]}
    entries = [lines[write_id] for write_id in made]
    assert [one["rule"] for one in entries] == ["store: approve (admin) at a", ""]
    assert [one["record_type"] for one in entries] == ["memory", "pending"]
    here = [one["entry"]["event"] for one in node.stream("Audit", namespace="a")[:-1]]
    assert {"pending_requested", "pending_decided"} <= set(here)


def test_a_lone_operator_may_purge_and_a_rule_can_change_that(node: Harness, ann: Any) -> None:
    node.call("Archive", ids=[node.store("t")])
    assert node.call("PolicyExplain", action="archive-purge", namespace="a")["set_at"] == (
        "(built in)"
    )
    node.call("PolicySet", namespace="*", rules=[rule("purge", "admin")])
    pending_id = asked(node, "ArchivePurge")
    assert node.call("ArchiveStats")["archived_total"] == 1
    assert refused(node, ann, "PendingApprove", id=pending_id).code is Code.PERMISSION_DENIED
    admin = somebody_else(node, "admin", Role.ADMIN)
    done = node.call("PendingApprove", admin, id=pending_id)
    assert done["executed"] is True
    assert node.call("ArchiveStats")["archived_total"] == 0
    # An erasure is what an auditor asks about first: its rule must not go with what it erased.
    lines = {one["entry"]["write_id"]: one["entry"] for one in node.stream("Audit")[:-1]}
    rules = {
        lines[write_id]["event"]: lines[write_id]["rule"] for write_id in done["write"]["write_ids"]
    }
    assert rules["record_purged"].startswith("purge: approve")


def test_a_change_of_policy_can_be_made_to_take_two(node: Harness) -> None:
    node.call("PolicySet", namespace="*", rules=[rule("govern", "admin")])
    pending_id = asked(node, "PolicyClear", namespace="*")
    assert refused(node, None, "PendingApprove", id=pending_id).code is Code.PERMISSION_DENIED
    admin = somebody_else(node, "admin", Role.ADMIN)
    assert node.call("PendingApprove", admin, id=pending_id)["executed"] is True
    assert node.call("PolicyGet")["policies"] == []


def test_every_writing_operation_can_answer_that_it_waits() -> None:
    for name, one in OPERATIONS.items():
        if one.effect == Effect.WRITE:
            assert one.response() is not None, name


def test_a_secret_in_what_waits_is_taken_out_where_it_would_be(node: Harness, ann: Any) -> None:
    secret = FAKES["aws_access_key"][0]
    node.call("PolicySet", namespace="a", rules=[rule("store")], secrets="redact")
    pending_id = asked(node, "Store", ann, title="t", content=f"it is {secret}", namespace="a")
    assert secret not in str(shown(node, pending_id))


def test_a_caller_with_a_place_sees_what_waits_there_and_nothing_else(
    node: Harness, ann: Any
) -> None:
    bearer = create_token(str(node.data_dir), "placed", Role.WRITER, place="a/b")
    node.clock.move(seconds=1)
    placed = Credentials(channel=Channel.LOOPBACK, bearer=bearer, surface="http")
    node.call("PolicySet", namespace="*", rules=[rule("store")])
    here = asked(node, "Store", ann, title="t", content="c", namespace="a/b")
    there = asked(node, "Store", ann, title="u", content="c", namespace="a/x")
    seen = [one["id"] for one in node.call("PendingList", placed)["pending"]]
    assert seen == [here]
    assert refused(node, placed, "PendingApprove", id=there).code is Code.NOT_FOUND
    assert node.call("PendingApprove", placed, id=here)["approved"] is True


def test_a_memory_is_erased_together_with_the_request_that_made_it(
    node: Harness, ann: Any, bob: Any
) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store"), rule("update")])
    pending_id = asked(node, "Store", ann, title="t", content="the quetzal", namespace="a")
    record_id = node.call("PendingApprove", bob, id=pending_id)["memory_id"]
    changed = asked(node, "Update", ann, id=record_id, content="the other quetzal")
    kept = asked(node, "Store", ann, title="u", content="a robin", namespace="a")
    node.call("Forget", pattern="quetzal", erase=True)
    assert [one["id"] for one in node.call("PendingList")["pending"]] == [kept]
    assert changed != kept
    entries = [one["entry"] for one in node.stream("Audit")[:-1]]
    bare = {one["record_id"] for one in entries if one["body_absent"]}
    assert {f"pending:{pending_id}", f"pending:{changed}"} <= bare


def test_what_waits_is_kept_where_what_it_speaks_of_may_be_kept(node: Harness, ann: Any) -> None:
    node.call("PolicySet", namespace="*", rules=[rule("store")])
    node.call("SetNamespaceCopies", namespace="a", holders=["none"])
    here = asked(node, "Store", ann, title="t", content="c", namespace="a/b")
    anywhere = asked(node, "Store", ann, title="t", content="c", namespace="b")

    async def holders(pending_id: str) -> Any:
        read = node.core.dispatcher._read
        return await read(lambda view: holders_of(view, f"pending:{pending_id}"))

    assert node.run(holders(here)) == {node.core.facts.node_id}
    assert node.run(holders(anywhere)) is None


def test_what_was_asked_for_is_not_done_again_once_the_rules_allow_it(
    node: Harness, ann: Any, bob: Any
) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    fields: dict[str, Any] = {"title": "t", "content": "c", "namespace": "a", "on_conflict": "new"}
    fields["options"] = {"request_key": "k"}
    pending_id = asked(node, "Store", ann, **fields)
    node.call("PolicyClear", namespace="a")
    assert asked(node, "Store", ann, **fields) == pending_id
    done = node.call("PendingApprove", bob, id=pending_id)
    again = node.call("Store", ann, **fields)
    assert (again["id"], again["write"]["replayed"]) == (done["memory_id"], True)
    assert node.call("List")["count"] == 1
    other = refused(node, ann, "Store", **(fields | {"content": "d"}))
    assert other.code is Code.CONFLICT


def test_an_ambiguous_id_names_nothing_that_the_caller_does_not_see(
    node: Harness, ann: Any
) -> None:
    bearer = create_token(str(node.data_dir), "far", Role.WRITER, place="zeta")
    node.clock.move(seconds=1)
    far = Credentials(channel=Channel.LOOPBACK, bearer=bearer)
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    ids = [asked(node, "Store", ann, title=str(at), content="c", namespace="a") for at in range(40)]
    prefix = next(one[0] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
    assert refused(node, None, "PendingCancel", id=prefix).code is Code.AMBIGUOUS
    for operation in ("PendingApprove", "PendingReject", "PendingCancel"):
        failure = refused(node, far, operation, id=prefix)
        assert (failure.code, failure.details) == (Code.NOT_FOUND, {})


def test_an_erasure_takes_no_request_along_that_only_holds_such_a_word(
    node: Harness, ann: Any
) -> None:
    node.call("PolicySet", namespace="a", rules=[rule("store")])
    short = {"id": "e", "title": "short", "content": "c", "namespace": "b", "tier": "long"}
    node.call("Import", memories=[short])
    pending_id = asked(node, "Store", ann, title="the others", content="c", namespace="a")
    node.call("Archive", ids=["e"])
    assert node.call("ArchivePurge")["purged"] == 1
    assert shown(node, pending_id)["status"] == "pending"


@pytest.mark.parametrize("given", [{}, {"secret": "correct horse"}])
def test_what_has_a_secret_does_not_wait_and_says_why(
    node: Harness, ann: Any, given: dict[str, str]
) -> None:
    node.call("PolicySet", namespace="*", rules=[rule("subscribe")])
    failure = refused(node, ann, "Subscribe", url="https://hooks.example.com/", **given)
    assert failure.code is Code.PERMISSION_DENIED
    assert "its secret" in failure.message
    assert node.call("PendingList")["count"] == 0
