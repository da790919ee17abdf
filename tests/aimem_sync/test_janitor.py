"""One node expires what is past its time, and only if its clock is like the others'."""

from __future__ import annotations

from aimem_sync.janitor import OFFSET_US_MAX, is_janitor
from tests.aimem_sync.cluster import ABC, A, B, C, D, config, key


def test_it_is_the_lowest_voter_in_reach() -> None:
    assert is_janitor(A, ABC, {B: 0, C: 0})
    assert not is_janitor(B, ABC, {A: 0, C: 0})
    assert is_janitor(B, ABC, {C: 0})


def test_who_cannot_compare_its_clock_expires_nothing_unless_it_is_alone() -> None:
    assert not is_janitor(A, ABC, {})
    assert not is_janitor(A, ABC, {B: None})
    assert is_janitor(A, config(A), {})


def test_a_wrong_clock_is_told_by_the_median_of_the_others() -> None:
    wrong = OFFSET_US_MAX + 1
    four = ABC.with_learner(D, key(D))
    assert not is_janitor(A, ABC, {B: wrong, C: wrong})
    assert not is_janitor(A, ABC, {B: 0, C: wrong})
    assert is_janitor(A, four, {B: 0, C: -wrong, D: OFFSET_US_MAX})


def test_a_learner_is_no_janitor() -> None:
    learner = config(B).with_learner(A, key(A))
    assert not is_janitor(A, learner, {B: 0})
    assert is_janitor(B, learner, {A: 0})
