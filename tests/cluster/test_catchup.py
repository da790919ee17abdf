"""Catching up: by push, by pull, from anyone, after anything, and to the same state everywhere."""

from pathlib import Path
from typing import Any

import pytest

from chaos.team import Team
from tests.every_write import writes


class At:
    """One node of a team, as the requests of test_one_door want it."""

    def __init__(self, team: Team, name: str) -> None:
        self._team = team
        self._name = name
        self.clock = team.clocks[name]
        self.data_dir = team.dir(name)

    def call(self, operation: str, as_: Any = None, /, **fields: Any) -> dict[str, Any]:
        return self._team.call_as(as_, self._name, operation, **fields)

    def store(self, title: str, **fields: Any) -> str:
        return str(self._team.store(self._name, title, **fields)["id"])


def alike(team: Team) -> None:
    """Every node holds the same logs and, from them, the same state and nothing else."""
    team.until_level()
    assert len({team.digest(name) for name in team.nodes}) == 1
    for name in team.nodes:
        found = team.call(name, "Verify", deep=True)
        assert found["ok"], found["problems"]


def never_pull(team: Team, name: str) -> None:
    core: Any = team.nodes[name].core
    core.plane.core._ask = lambda _now_us: []


def test_every_writing_operation_reaches_a_follower_by_push(three: Team) -> None:
    for name in three.names:
        never_pull(three, name)
    for operation, fields in writes(At(three, "a")).items():
        assert three.call("a", operation, **fields)["write"]["outcome"] == "committed", operation
        three.until_level()
    alike(three)


def test_every_writing_operation_reaches_a_follower_by_pull_alone(three: Team) -> None:
    three.stop("c")
    requests = writes(At(three, "a"))
    for operation, fields in requests.items():
        three.call("a", operation, **fields)
    three.until_level()
    # The origin is gone when c comes back: what it has can only come from b, on asking.
    three.stop("a")
    three.start("c")
    three.until_level("b", "c")
    assert three.digest("b") == three.digest("c")
    three.start("a")
    alike(three)


def test_both_sides_of_a_partition_converge_to_one_state(three: Team) -> None:
    shared = three.store("a", "shared", content="as it was")["id"]
    three.until_level()
    three.part("a")
    options = {"allow_pending": True, "deadline_ms": 50}
    for at in range(20):
        three.store("a", f"a{at}", options=options)
        three.store("b", f"b{at}", options=options)
    three.call("a", "Update", id=shared, content="as a says", options=options)
    three.call("b", "Update", id=shared, content="as b says", options=options)
    three.heal()
    alike(three)
    assert len(three.titles("c")) == 41
    said = [three.call(name, "Get", id=shared)["memory"] for name in three.names]
    assert len({one["content"] for one in said}) == 1
    assert [one["conflicts"] for one in said] == [1, 1, 1]


def test_a_deleted_memory_is_not_brought_back_by_a_late_push(three: Team) -> None:
    gone = three.store("a", "gone")["id"]
    three.until_level()
    three.part("c")
    options = {"allow_pending": True, "deadline_ms": 50}
    three.call("a", "Delete", id=gone)
    three.call("c", "Store", title="meanwhile", content="x", options=options)
    three.heal()
    alike(three)
    assert [three.titles(name) for name in three.names] == [["meanwhile"]] * 3


def test_a_peer_that_was_away_while_deletes_were_collected_brings_no_ghosts(three: Team) -> None:
    ids = [three.store("a", f"n{at}")["id"] for at in range(5)]
    three.until_level()
    three.stop("c")
    for record_id in ids:
        three.call("a", "Delete", id=record_id)
    for at in range(5):
        three.store("b", f"kept{at}")
    three.until_level("a", "b")
    settled = [three.nodes[name].core.plane.settled for name in "ab"]  # type: ignore[union-attr]
    own = three.nodes["a"].core.plane  # type: ignore[union-attr]
    # c has not confirmed the deletes, so nobody may forget what they overwrote.
    assert all(s is None or s.get(own.origin) < own.core.own_seq for s in settled)
    three.start("c")
    alike(three)
    assert three.titles("c") == [f"kept{at}" for at in range(5)]


def test_a_black_holed_peer_delays_nobody(three: Team) -> None:
    three.part("c")
    for at in range(10):
        assert three.store("a", f"n{at}")["write"]["outcome"] == "committed"
    three.until_level("a", "b")
    three.heal()
    alike(three)


def test_ops_of_a_dead_origin_spread_from_whoever_holds_them(three: Team) -> None:
    three.hold("a", "c")
    three.hold("c", "a")
    for at in range(10):
        three.store("a", f"n{at}")
    three.until_level("a", "b")
    three.stop("a")
    three.until_level("b", "c")
    assert len(three.titles("c")) == 10


@pytest.mark.parametrize("wrong_by_s", [3600, -3600, 315_360_000])
def test_clocks_that_are_wrong_lose_and_hide_nothing(three: Team, wrong_by_s: int) -> None:
    three.clocks["b"].move(seconds=wrong_by_s)
    kept = three.store("a", "n", content="first")["id"]
    three.until_level()
    three.call("b", "Update", id=kept, content="second")
    three.until_level()
    three.call("c", "Update", id=kept, content="third")
    alike(three)
    said = [three.call(name, "Get", id=kept)["memory"]["content"] for name in three.names]
    assert said == ["third"] * 3


def test_a_backlog_is_drained_until_level(tmp_path: Path) -> None:
    team = Team(tmp_path, 2)
    try:
        team.until_in_sync("a", 2)
        team.stop("b")
        options = {"w": 1, "allow_pending": True}
        for at in range(10):
            memories = [{"title": f"{at}.{i}", "content": "x"} for i in range(1_000)]
            team.call("a", "BulkStore", memories=memories, options=options)
        team.start("b")
        team.until_level()
        assert team.digest("a") == team.digest("b")
        assert team.call("b", "Stats")["total"] == 10_000
    finally:
        team.close()


def test_a_node_that_was_killed_catches_up_from_its_own_file(three: Team) -> None:
    for at in range(5):
        three.store("b", f"before{at}")
    three.stop("b")
    for at in range(5):
        three.store("a", f"while{at}")
    three.start("b")
    three.until_in_sync("b", 3)
    three.store("b", "after")
    alike(three)
    assert len(three.titles("a")) == 11
