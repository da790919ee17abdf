"""What a caller may rely on, whichever way in was taken."""

import json
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure


def refused(way: Any, operation: str, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        way.call(operation, **fields)
    return caught.value


def test_a_memory_is_stored_found_changed_and_deleted(way: Any, place: str) -> None:
    stored = way.call(
        "Store", title="Release day", content="We release on Tuesdays.", namespace=place,
        tags=["release", "rules"], priority=8, metadata={"n": 1, "nested": {"ok": True}},
        agent_id="ai:tester", session="s-1", happened_at="2026-01-02T03:04:05Z", source="user",
    )  # fmt: skip
    record_id = stored["id"]
    assert stored["write"]["outcome"] == "committed"
    memory = way.call("Get", id=record_id)["memory"]
    assert (memory["title"], memory["namespace"], memory["tags"]) == (
        "Release day", place, ["release", "rules"],
    )  # fmt: skip
    assert memory["metadata"] == {"n": 1, "nested": {"ok": True}}
    assert (memory["agent_id"], memory["session"], memory["source"]) == ("ai:tester", "s-1", "user")
    assert memory["happened_at"] == "2026-01-02T03:04:05Z"
    assert memory["author"].startswith("user:")
    found = way.call("Recall", context="when do we release?", namespace=place)
    assert [hit["id"] for hit in found["memories"]] == [record_id]
    assert found["memories"][0]["content"] == "We release on Tuesdays."
    changed = way.call("Update", id=record_id, content="We release on Mondays.", priority=3)
    assert changed["memory"]["content"] == "We release on Mondays."
    assert changed["memory"]["priority"] == 3
    found = way.call("Search", query="mondays", namespace=place)
    assert [hit["id"] for hit in found["results"]] == [record_id]
    assert way.call("Delete", id=record_id)["deleted"] is True
    assert refused(way, "Get", id=record_id).code == Code.NOT_FOUND
    assert way.call("History", id=record_id)["count"] == 3


def test_a_request_key_makes_a_retry_safe(way: Any, place: str) -> None:
    fields = {"title": "t", "content": "c", "namespace": place, "options": {"request_key": place}}
    first, again = way.call("Store", **fields), way.call("Store", **fields)
    assert again["id"] == first["id"]
    assert (first["write"]["replayed"], again["write"]["replayed"]) == (False, True)
    other = refused(way, "Store", **{**fields, "content": "other"})
    assert (other.code, other.path) == (Code.CONFLICT, "$.options.request_key")
    assert way.call("List", namespace=place)["count"] == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"title": "", "content": "c"}, "$.title"),
        ({"title": "x" * 513, "content": "c"}, "$.title"),
        ({"title": "a\x07b", "content": "c"}, "$.title"),
        ({"title": "t", "content": "  \n "}, "$.content"),
        ({"title": "t", "content": "c" * 65_537}, "$.content"),
        ({"title": "t", "content": "c", "priority": 11}, "$.priority"),
        ({"title": "t", "content": "c", "priority": 0}, "$.priority"),
        ({"title": "t", "content": "c", "confidence": 1.5}, "$.confidence"),
        ({"title": "t", "content": "c", "namespace": "a//b"}, "$.namespace"),
        ({"title": "t", "content": "c", "namespace": "a/../b"}, "$.namespace"),
        ({"title": "t", "content": "c", "namespace": "a b"}, "$.namespace"),
        ({"title": "t", "content": "c", "tags": ["ok", "a\x07b"]}, "$.tags[1]"),
        ({"title": "t", "content": "c", "ttl_secs": 0}, "$.ttl_secs"),
        ({"title": "t", "content": "c", "expires_at": "2001-01-01T00:00:00Z"}, "$.expires_at"),
        ({"title": "t", "content": "c", "agent_id": "node:1"}, "$.agent_id"),
        ({"title": "t", "content": "c", "agent_id": "a b"}, "$.agent_id"),
        ({"title": "t", "content": "c", "source": "martian"}, "$.source"),
    ],
)
def test_every_bound_is_refused_with_the_path_of_its_field(
    way: Any, place: str, fields: dict[str, Any], path: str
) -> None:
    failure = refused(way, "Store", **{"namespace": place, **fields})
    assert failure.code in (Code.INVALID_ARGUMENT, Code.PERMISSION_DENIED)
    assert failure.path == path
    assert failure.next
    assert way.call("List", namespace=place)["count"] == 0


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"title": "t", "content": "c", "priority": "high"}, "$.priority"),
        ({"title": "t", "content": "c", "tier": "eternal"}, "$.tier"),
        ({"title": "t", "content": "c", "happened_at": "yesterday"}, "$.happened_at"),
        ({"content": "c"}, "$.title"),
    ],
)
def test_values_of_the_wrong_kind_are_refused_with_their_path(
    way: Any, place: str, fields: dict[str, Any], path: str
) -> None:
    failure = refused(way, "Store", **{"namespace": place, **fields})
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, path)


@pytest.mark.parametrize(
    ("operation", "fields", "code", "path"),
    [
        ("Get", {"id": "no-such-memory"}, Code.NOT_FOUND, "$.id"),
        ("Delete", {"id": "no-such-memory"}, Code.NOT_FOUND, "$.id"),
        ("Update", {"id": "no-such-memory", "title": "t"}, Code.NOT_FOUND, "$.id"),
        ("Link", {"source_id": "no", "target_id": "nope"}, Code.NOT_FOUND, "$.source_id"),
        ("List", {"cursor": "nonsense"}, Code.INVALID_ARGUMENT, "$.cursor"),
        ("Recall", {"context": "x", "budget_tokens": 0}, Code.INVALID_ARGUMENT, "$.budget_tokens"),
    ],
)
def test_the_same_mistake_is_the_same_failure_everywhere(
    way: Any, operation: str, fields: dict[str, Any], code: Code, path: str
) -> None:
    failure = refused(way, operation, **fields)
    assert (failure.code, failure.path) == (code, path)
    assert failure.next


def test_pages_follow_each_other(way: Any, place: str) -> None:
    wanted = {
        way.call("Store", title=f"t{n}", content="c", namespace=place)["id"] for n in range(5)
    }
    first = way.call("List", namespace=place, limit=3)
    rest = way.call("List", namespace=place, limit=3, cursor=first["next_cursor"])
    assert rest["next_cursor"] == ""
    assert {m["id"] for m in first["memories"] + rest["memories"]} == wanted


def test_links_promotion_archive_and_counts(way: Any, place: str) -> None:
    a, b = (
        way.call("Store", title=name, content="c", namespace=f"{place}/x")["id"] for name in "ab"
    )
    assert way.call("Link", source_id=a, target_id=b, relation="supersedes")["linked"] is True
    assert way.call("GetLinks", id=b)["links"][0]["relation"] == "supersedes"
    assert way.call("Unlink", source_id=a, target_id=b, relation="supersedes")["deleted"] is True
    assert way.call("Promote", id=a)["tier"] == "long"
    copied = way.call("Promote", id=b, to_namespace=place)
    assert (copied["mode"], copied["to_namespace"]) == ("vertical", place)
    assert way.call("Archive", ids=[a], reason="tidy")["count"] == 1
    assert way.call("ArchiveList", namespace=f"{place}/x")["archived"][0]["id"] == a
    assert way.call("ArchiveRestore", id=a)["restored"] is True
    assert way.call("Forget", namespace=f"{place}/x", dry_run=True)["would_delete"] == 2
    assert way.call("Forget", namespace=f"{place}/x")["deleted"] == 2
    assert way.call("ArchivePurge", dry_run=True)["dry_run"] is True
    assert way.call("GetTaxonomy", namespace_prefix=place)["total_count"] == 1
    assert way.call("Stats")["total"] >= 1
    assert way.call("ArchiveStats")["archived_total"] >= 2
    assert {"namespace": place, "count": 1} in way.call("Namespaces")["namespaces"]
    assert way.call("Gc", dry_run=True)["dry_run"] is True


def test_what_the_node_says_of_itself_is_the_same_everywhere(way: Any) -> None:
    health = way.call("Health")
    assert (health["status"], health["service"]) == ("ok", "aimem")
    assert way.call("Capabilities")["node_id"] == health["node_id"]
    assert way.call("SessionStart", limit=3)["mode"] == "session_start"
    status = way.call("NodeStatus")
    assert status["node_id"] == health["node_id"]
    assert status["state"] == "serving"
    assert way.call("Verify")["problems"] == []


def test_where_copies_are_kept_is_set_and_shown(way: Any, place: str) -> None:
    me = way.call("Health")["node_id"]
    done = way.call("SetNamespaceCopies", namespace=place, w=1, holders=["none"])
    assert (done["copies"]["w"], done["copies"]["holders"]) == (1, [me])
    assert done["write"]["outcome"] == "committed"
    [below] = way.call("NamespaceCopies", namespace=f"{place}/deep/down")["copies"]
    assert (below["set_at"], below["w"], below["holders"]) == (place, 1, [me])
    assert place in {one["namespace"] for one in way.call("NamespaceCopies")["copies"]}
    failure = refused(way, "SetNamespaceCopies", namespace=place, w=2)
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.w")
    undone = way.call("SetNamespaceCopies", namespace=place, w=0, holders=["all"])
    assert undone["copies"]["set_at"] == ""


def test_a_write_can_be_waited_for(way: Any, place: str) -> None:
    stored = way.call("Store", title="t", content="c", namespace=place)
    [write_id] = stored["write"]["write_ids"]
    waited = way.call("WaitDurable", write_id=write_id)
    assert waited["write"]["outcome"] == "committed"
    unknown = refused(way, "WaitDurable", write_id=write_id.rpartition(":")[0] + ":999999")
    assert (unknown.code, unknown.path) == (Code.NOT_FOUND, "$.write_id")
    assert way.call("Get", id=stored["id"])["memory"]["pending"] is False


def test_a_lone_node_is_a_cluster_of_one_everywhere(way: Any) -> None:
    status = way.call("ClusterStatus")
    assert [member["node_id"] for member in status["members"]] == [way.call("Health")["node_id"]]


def test_any_text_comes_back_as_it_was_given(way: Any, place: str) -> None:
    content = 'Ünïcode — 漢字 🙂 "quotes" \\ back\tslash\nnew line {json: [1,2]} | pipes : colons'
    record_id = way.call("Store", title="odd 漢 | : \\", content=content, namespace=place)["id"]
    memory = way.call("Get", id=record_id)["memory"]
    assert (memory["title"], memory["content"]) == ("odd 漢 | : \\", content)
    assert json.dumps(memory)
