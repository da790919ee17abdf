"""Simulated runs pass the checker of real ones, and a broken protocol does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.checker import Check, judge, load, table
from tests.sim.mutants import MUTANTS
from tests.sim.recording import record

BROKEN = {
    "ack before fsync": "(f)",
    "commit on timeout": "(a)",
    "fail on timeout": "(b)",
    "no duplicate check": "(d)",
    "Lamport as cursor": "(d)",
    "restart forgets Lamport": "(f)",
    "untag by value": "(d)",
    "GC tombstones at once": "(d)",
    "token ignored": "(f)",
    "idempotency ignored": "(c)",
    "push storm": "(i)",
    "accept from evicted": "I12",
}
"""What is broken, and the check that must say so among others."""
SEEDS_MAX = 12


def judged(seed: int, directory: Path) -> tuple[Check, ...]:
    """Nothing of a run that the simulator has ended: it left only a part of what it did."""
    directory.mkdir()
    if record(seed, directory).violation:
        return ()
    # Virtual clients rest, and most of a run is faults: how many they are is no matter here.
    return judge(load(directory), rate_min_before=0, rate_min_after=0)


@pytest.mark.parametrize("seed", range(1, 16))
def test_a_simulated_run_passes(seed: int, tmp_path: Path) -> None:
    checks = judged(seed, tmp_path / "run")
    assert checks, "the simulator has ended it"
    assert all(check.holds for check in checks), table(checks)


def test_the_same_seed_leaves_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        judged(3, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


@pytest.mark.parametrize(("name", "letter"), BROKEN.items())
def test_a_broken_protocol_is_found_out_from_what_it_leaves(
    name: str, letter: str, tmp_path: Path
) -> None:
    mutant = next(one for one in MUTANTS if one.name == name)
    said: list[str] = []
    with mutant.active():
        for seed in range(1, SEEDS_MAX + 1):
            said = [c.name for c in judged(seed, tmp_path / str(seed)) if not c.holds]
            if any(letter in one for one in said):
                return
    pytest.fail(f"{name} was not found out by {letter} within {SEEDS_MAX} seeds: {said}")
