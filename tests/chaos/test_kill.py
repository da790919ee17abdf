"""A plan of kills, and a short run of it against a real node."""

import pytest

from chaos import kill

PLAN = kill.Plan(memories=120, clients=4, kills=3, seed=5, seconds_max=120)


def test_a_plan_draws_the_same_moments_from_the_same_seed() -> None:
    assert PLAN.moments() == PLAN.moments()
    assert PLAN.moments() != kill.Plan(120, 4, 3, 6, 120).moments()


def test_every_kill_of_a_plan_leaves_stores_before_and_after_it() -> None:
    counts = [count for count, _ in PLAN.moments()]
    assert len(counts) == PLAN.kills
    assert min(counts) > PLAN.clients
    assert max(counts) < PLAN.memories - PLAN.clients


def test_a_failed_run_says_how_to_make_it_once_more() -> None:
    arguments = kill.again(PLAN).split()
    assert arguments == ["--seed", "5", "--memories", "120", "--clients", "4", "--kills", "3"]


def test_a_plan_with_no_room_for_its_kills_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        kill.main(["--memories", "10", "--clients", "8"])
    assert refused.value.code == 2
    assert "too few memories" in capsys.readouterr().err


def test_a_killed_node_keeps_every_acknowledged_memory_and_none_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = kill.main(kill.again(PLAN).split())
    seen = capsys.readouterr()
    assert code == 0, seen.out + seen.err
