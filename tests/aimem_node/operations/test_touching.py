"""What being recalled does to a memory, when it is told to the log."""

from typing import Any

import pytest

from aimem_node.operations import touching
from tests.harness import DAY_US, Harness


def told(node: Harness, record_id: str) -> dict[str, Any]:
    """What the last op of a memory says."""
    return node.call("History", id=record_id, limit=1)["versions"][0]["change"]


def test_only_what_changed_is_told(node: Harness) -> None:
    record_id = node.store("t", "apples", tier="long")
    node.call("Recall", context="apples")
    node.flush()
    assert told(node, record_id) == {
        "set": {"accessed_at": node.clock.us}, "count": {"access": 1},
    }  # fmt: skip


def test_a_mid_memory_that_is_kept_for_ever_loses_its_end(node: Harness) -> None:
    record_id = node.store("t", "apples", tier="mid")
    for _ in range(5):
        node.call("Recall", context="apples")
    node.flush()
    change = told(node, record_id)
    assert change["set"]["tier"] == "long"
    assert change["set"]["expires_at"] is None
    assert change["count"] == {"access": 5}


def test_counts_of_several_flushes_add_up(node: Harness) -> None:
    record_id = node.store("t", "apples", tier="short")
    for times in (1, 2, 3):
        for _ in range(times):
            node.call("Recall", context="apples")
        node.clock.move(seconds=60)
        assert node.flush() == 1
    assert node.memory(record_id)["access_count"] == 6


def test_a_count_stops_at_its_bound_and_the_time_still_moves(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touching, "ACCESS_COUNT_MAX", 3)
    record_id = node.store("t", "apples", tier="long")
    for expected in (2, 3, 3):
        for _ in range(2):
            node.call("Recall", context="apples")
        node.clock.move(seconds=1)
        node.flush()
        assert node.memory(record_id)["access_count"] == expected
    assert "count" not in told(node, record_id)
    assert node.memory(record_id)["last_accessed_at"]


def test_neither_an_archived_nor_an_unknown_memory_is_touched(node: Harness) -> None:
    record_id = node.store("t", "apples")
    node.call("Recall", context="apples")
    node.core.tally.add({"nobody": None}, node.clock.us)
    node.call("Archive", ids=[record_id])
    ops = node.call("Stats")["ops"]
    assert node.flush() == 0
    assert node.call("Stats")["ops"] == ops
    assert node.memory(record_id)["access_count"] == 0


def test_a_clock_that_was_set_back_takes_no_time_back(node: Harness) -> None:
    record_id = node.store("t", "apples", tier="long")
    node.call("Recall", context="apples")
    node.flush()
    before = node.memory(record_id)["last_accessed_at"]
    node.clock.move(us=-DAY_US)
    node.call("Recall", context="apples")
    node.flush()
    assert node.memory(record_id)["last_accessed_at"] == before
