"""From what the store keeps to what a caller is shown."""

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.shapes import archived, body, deleted, edit, place_filter
from tests.harness import Harness


def test_recalls_not_yet_in_the_log_are_shown_wherever_a_memory_is(node: Harness) -> None:
    record_id = node.store("t", "apples", tier="mid", priority=5)
    for _ in range(10):
        recalled = node.call("Recall", context="apples")["memories"]
    [listed] = node.call("List")["memories"]
    [searched] = node.call("Search", query="apples")["results"]
    got = node.memory(record_id)
    for shown in (listed, searched, got, *recalled):
        assert (shown["access_count"], shown["tier"], shown["priority"]) == (10, "long", 6)
        assert "expires_at" not in shown
    node.flush()
    assert node.memory(record_id) == got


def test_an_archived_memory_is_found_only_where_the_archive_is_meant(node: Harness) -> None:
    record_id = node.store("t")
    node.call("Archive", ids=[record_id])
    assert node.memory(record_id)["life"] == "archived"
    with pytest.raises(Failure) as caught:
        node.call("Update", id=record_id, content="x")
    assert caught.value.code == Code.NOT_FOUND
    assert record_id in caught.value.next


def test_links_to_what_was_deleted_are_not_shown(node: Harness) -> None:
    a, b, c = (node.store(name) for name in "abc")
    node.call("Link", source_id=a, target_id=b)
    node.call("Link", source_id=c, target_id=a)
    node.call("Archive", ids=[c])
    assert len(node.call("Get", id=a)["links"]) == 2
    node.call("Delete", id=b)
    [left] = node.call("Get", id=a)["links"]
    assert left["source_id"] == c


def test_a_place_is_one_namespace_or_all_below_one_or_everywhere() -> None:
    assert place_filter("a/b").namespaces == ("a/b",)
    assert place_filter("a/b/*").below == "a/b"
    assert place_filter("") == place_filter(None)
    with pytest.raises(Failure) as caught:
        place_filter("a//b", "$.where")
    assert caught.value.path == "$.where"


def test_an_edit_moves_the_time_of_change_and_states_keep_their_words() -> None:
    change = edit("r", 7, tags=("x",), tier="long")
    assert (dict(change.set), change.tag) == ({"tier": "long", "updated_at": 7}, ("x",))
    assert archived("why", 1, None)["is"] == "archived"
    assert deleted(1)["is"] == "deleted"
    metadata = {"k": 1}
    kept = body("t", "c", metadata)
    metadata["k"] = 2
    assert kept["metadata"] == {"k": 1}


def test_a_memory_says_when_its_last_change_is_not_yet_on_enough_nodes(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = node.call("Store", title="a", content="x")
    second = node.call("Store", title="b", content="x")
    assert node.memory(first["id"])["pending"] is False
    [changed] = node.call("Update", id=first["id"], content="y")["write"]["write_ids"]
    monkeypatch.setattr(node.core.dispatcher, "_pending", lambda write_id: write_id == changed)
    assert node.memory(first["id"])["pending"] is True
    assert node.memory(second["id"])["pending"] is False
