"""Several nodes in one process: they are one cluster, and every pair of them can be parted."""

from pathlib import Path

import pytest

from chaos.team import ShiftedClock, Team


@pytest.fixture
def two(tmp_path: Path):
    team = Team(tmp_path, 2, spare=1)
    yield team
    team.close()


def plane(team: Team, name: str):
    core = team.nodes[name].core
    assert core is not None
    return core.plane


def test_a_team_is_one_cluster_of_voters_and_its_spares_are_not_in_it(two: Team) -> None:
    two.until_in_sync("a", 2)
    assert set(two.nodes) == {"a", "b"}
    assert plane(two, "a").config == plane(two, "b").config
    assert plane(two, "a").config.voters == {two.ids["a"], two.ids["b"]}
    two.store("a", "told here")
    two.until_level()
    assert two.titles("b") == ["told here"]
    assert two.digest("a") == two.digest("b")


def test_who_is_parted_is_missed_and_comes_back_after_the_heal(two: Team) -> None:
    two.until_in_sync("a", 2)
    two.part("b")
    two.until(lambda: len(plane(two, "a").in_sync) == 1, "b is missed")
    written = two.store("a", "alone", options={"allow_pending": True, "deadline_ms": 50})
    assert written["write"]["outcome"] == "pending"
    assert two.titles("b") == []
    two.heal()
    two.until_level()
    assert two.titles("b") == ["alone"]


def test_a_node_that_starts_again_has_the_same_name_and_log(two: Team) -> None:
    two.until_in_sync("a", 2)
    two.store("b", "before")
    before = plane(two, "b").origin
    two.stop("b")
    assert "b" not in two.nodes
    two.start("b")
    assert plane(two, "b").origin == before
    two.until_in_sync("a", 2)
    assert two.titles("b") == ["before"]


def test_what_never_becomes_true_is_told_in_words(two: Team) -> None:
    with pytest.raises(AssertionError, match="pigs fly"):
        two.until(lambda: False, "pigs fly", timeout_s=0.1)


def test_a_clock_can_be_wrong_while_durations_stay_right() -> None:
    clock = ShiftedClock()
    now, since = clock.now_us(), clock.monotonic_us()
    clock.move(seconds=3_600)
    assert clock.now_us() - now >= 3_600_000_000
    assert clock.monotonic_us() - since < 3_600_000_000
