"""Numbers only rise, and nobody can use them up for everyone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.faults import LamportFault
from aimem_sync.lamport import next_lamport, witness
from aimem_sync.limits import LAMPORT_JUMP_MAX, NUMBER_MAX

numbers = st.integers(1, LAMPORT_JUMP_MAX)


@given(st.lists(numbers, min_size=1))
def test_a_new_number_is_above_every_number_seen(incoming: list[int]) -> None:
    seen = 0
    for number in incoming:
        seen = witness(seen, number)
    assert next_lamport(seen) > max(incoming)


@given(numbers, numbers)
def test_the_order_of_witnessing_does_not_matter(a: int, b: int) -> None:
    assert witness(witness(0, a), b) == witness(witness(0, b), a)


@pytest.mark.parametrize("seen", [0, 10, NUMBER_MAX - LAMPORT_JUMP_MAX])
def test_the_largest_leap_is_taken_and_one_more_is_refused(seen: int) -> None:
    assert witness(seen, seen + LAMPORT_JUMP_MAX) == seen + LAMPORT_JUMP_MAX
    with pytest.raises(LamportFault):
        witness(seen, seen + LAMPORT_JUMP_MAX + 1)


@pytest.mark.parametrize("incoming", [0, -1, NUMBER_MAX + 1])
def test_a_number_outside_the_numbers_is_refused(incoming: int) -> None:
    with pytest.raises(LamportFault):
        witness(NUMBER_MAX, incoming)


def test_the_last_number_can_be_used_once() -> None:
    assert next_lamport(NUMBER_MAX - 1) == NUMBER_MAX
    with pytest.raises(LamportFault):
        next_lamport(NUMBER_MAX)
