"""A share of the simulation with every commit; `make sim` runs as many seeds as it is told."""

from collections import Counter

import pytest

from tests.sim.campaign import RARE, Run, one, tame

SEEDS = 100
EVERY_DAY = ("snapshot installed", "stale epoch", "truncated", "collected", "pending",
             "not_written", "unknown", "read refused", "restored", "wiped", "evict", "join",
             "change lost", "a key that opens nothing", "not kept: disk full", "rotate", "fenced",
             "commit failed", "far behind", "a page that brought nothing", "real store",
             "snapshot with own tail")  # fmt: skip
"""Paths that even a hundred seeds must enter."""


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [one(seed) for seed in range(1, SEEDS + 1)]


def test_no_invariant_is_violated_and_all_members_end_level(runs: list[Run]) -> None:
    assert [f"seed {run.seed}: {run.violation}" for run in runs if run.violation] == []


def test_most_runs_have_acknowledged_writes_and_served_reads(runs: list[Run]) -> None:
    assert sum(run.notes["committed"] for run in runs) > 20 * len(runs)
    assert sum(run.reads for run in runs) > 5 * len(runs)


def test_the_rare_paths_were_entered(runs: list[Run]) -> None:
    notes: Counter[str] = Counter()
    for run in runs:
        notes.update(run.notes)
    assert [name for name in EVERY_DAY if not notes[name]] == []


def test_the_same_seed_gives_the_same_trace(runs: list[Run]) -> None:
    for run in (runs[2], runs[17], runs[-1]):
        again = one(run.seed)
        assert (again.trace, again.ops, again.notes) == (run.trace, run.ops, run.notes)


def test_different_seeds_give_different_traces(runs: list[Run]) -> None:
    assert len({run.trace for run in runs}) == len(runs)


def test_a_nemesis_that_is_too_tame_is_told_so() -> None:
    assert set(tame(Counter(), 1_000)) == {name for name, least in RARE.items() if least}
    assert tame(Counter(), 999) == []
