"""When a broken build counts as caught."""

import pytest

from chaos import mutants
from chaos.checker import Check
from chaos.faults import CLASSES
from chaos.mutants import chase, row, telling
from chaos.run import Plan
from chaos.seams.broken import BROKEN

LOST = Check("(a) what was acknowledged is there", 10, ("put 1 is not at a",))
GOOD = Check("(d) all nodes hold the same", 10)


def test_what_a_check_says_of_the_node_catches_it() -> None:
    assert telling([GOOD, LOST]) == (LOST.name,)
    assert telling([GOOD]) == ()


def test_a_run_that_could_not_be_made_catches_nothing() -> None:
    early = Check("the run came to its end", 1, ("drop at a: dropped is 0",))
    short = Check("every fault struck, and the cluster healed", 3, ("1 of 3",))
    idle = Check("(j) clients are served", 0, ("nothing was acknowledged",))
    assert telling([early, short, idle]) == ()


def test_nodes_that_never_come_to_hold_the_same_are_caught() -> None:
    never = Check(
        "the run came to its end", 1, ("it never came to this: all nodes hold the same in the end",)
    )
    assert telling([never]) == (never.name,)


def test_a_check_that_was_never_tried_catches_nothing() -> None:
    assert telling([Check("(h) confirmations stand (I3)", 0)]) == ()


def test_a_build_is_run_until_it_is_caught_and_survives_after_so_many_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = next(iter(BROKEN.values()))
    plans: list[Plan] = []

    def make(plan: Plan) -> tuple[None, tuple[Check, ...]]:
        plans.append(plan)
        return None, (LOST,) if len(plans) == 3 else (GOOD,)

    monkeypatch.setattr(mutants, "make", make)
    assert chase(broken, 2).seed == 0
    assert "SURVIVED" in row(chase(broken, 0))
    caught = chase(broken, 4)
    assert (caught.seed, caught.checks) == (1, (LOST.name,))
    assert [plan.broken for plan in plans] == [broken.name] * 3


def test_every_build_names_a_class_that_there_is() -> None:
    assert {one.caught_by for one in BROKEN.values()} <= set(CLASSES)
    assert len(BROKEN) >= 12
