"""Every known break of the protocol is caught within its budget."""

import pytest

from tests.sim.mutants import MUTANTS, Mutant, hunt


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_mutant_dies(mutant: Mutant) -> None:
    kill = hunt(mutant)
    assert kill.kills or kill.directed, f"survived {kill.runs} seeds"


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.schedule], ids=lambda m: m.name)
def test_what_kills_a_mutant_by_schedule_leaves_the_sound_code_alone(mutant: Mutant) -> None:
    assert mutant.schedule is not None
    mutant.schedule()
