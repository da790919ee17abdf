"""Tools that were made for ai-memory's sync get what was changed, and give what they have."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from tests.aimem_node.operations.test_agents import token
from tests.harness import Harness


def changed(node: Harness, **fields: Any) -> list[str]:
    titles: list[str] = []
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = node.call("SyncSince", limit=2, **fields, **more)
        titles += [memory["title"] for memory in page["memories"]]
        cursor = page["next_cursor"]
        if not cursor:
            return titles


def test_what_was_changed_since_is_given_in_the_order_of_change(node: Harness) -> None:
    ids = [node.store(f"m{n}") for n in range(5)]
    assert changed(node) == [f"m{n}" for n in sorted(range(5), key=lambda n: ids[n])]
    node.clock.move(seconds=5)
    since = "2026-05-28T20:26:40Z"
    node.call("Update", id=ids[1], content="new")
    node.clock.move(seconds=5)
    node.call("Update", id=ids[0], content="new")
    assert changed(node, since=since) == ["m1", "m0"]
    assert changed(node, since=since)[-1:] == changed(node)[-1:]
    assert len(changed(node)) == 5


def test_a_cursor_of_another_operation_or_none_is_refused(node: Harness) -> None:
    for cursor in ("x", node.call("List")["next_cursor"] or "WyJsaXN0Il0"):
        with pytest.raises(Failure) as caught:
            node.call("SyncSince", cursor=cursor)
        assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.cursor")


def test_a_push_is_an_import_with_deletions(node: Harness) -> None:
    gone = node.store("gone")
    memories = [{"id": f"m-{n}", "title": f"t{n}", "content": "c"} for n in range(2)]
    links = [{"source_id": "m-0", "target_id": "m-1"}]
    fields = {"memories": memories, "links": links, "deletions": [gone, gone, "never-was"]}
    counts = {"applied": 2, "noop": 0, "deleted": 1, "links_applied": 1}
    tried = node.call("SyncPush", **fields, dry_run=True)
    assert {name: tried[name] for name in counts} == counts
    assert (tried["dry_run"], tried["write"]["write_ids"]) == (True, [])
    assert node.call("Stats")["total"] == 1
    done = node.call("SyncPush", **fields)
    assert {name: done[name] for name in counts} == counts
    again = node.call("SyncPush", **fields)
    assert (again["applied"], again["noop"], again["deleted"], again["links_applied"]) == (
        0,
        2,
        0,
        0,
    )
    assert {m["title"] for m in node.call("List")["memories"]} == {"t0", "t1"}


def test_a_push_speaks_for_nobody_but_who_pushes(node: Harness) -> None:
    other = token(node, "other")
    memory = {
        "id": "m-1",
        "title": "t",
        "content": "c",
        "agent_id": "ai:someone",
        "author": "user:root",
    }
    node.call("SyncPush", other, memories=[memory])
    kept = node.memory("m-1")
    assert (kept["agent_id"], kept["author"]) == ("token:other", "token:other")
    assert kept["metadata"] == {"imported_from_agent_id": "ai:someone"}


def test_a_push_over_someone_else_s_memory_leaves_it_theirs(node: Harness) -> None:
    other = token(node, "other")
    record_id = node.store("t", agent_id="ann")
    before = node.memory(record_id)
    said = {**before, "content": "new", "created_at": "2020-01-01T00:00:00Z"}
    node.call("SyncPush", other, memories=[said])
    after = node.memory(record_id)
    assert (after["content"], after["author"], after["agent_id"]) == (
        "new",
        before["author"],
        "ann",
    )
