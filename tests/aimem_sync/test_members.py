"""Epochs follow one another by one change at a time, and only by a fair one."""

from __future__ import annotations

import pytest

from aimem_sync.members import Config, Member, Role, why_not_next
from tests.aimem_sync.cluster import ABC, A, B, C, D, config, key


def test_a_key_names_its_member_until_it_is_revoked() -> None:
    assert ABC.node_of(key(B)) == B
    assert ABC.node_of("key-of-a-stranger") is None
    assert ABC.without(B).node_of(key(B)) is None


def test_a_majority_is_more_than_half_of_the_voters() -> None:
    assert [config(A).majority, config(A, B).majority, ABC.majority] == [1, 2, 2]
    assert ABC.with_learner(D, key(D)).majority == 2
    assert ABC.with_learner(D, key(D)).with_voter(D).majority == 3


def test_a_newcomer_learns_before_it_votes() -> None:
    learner = ABC.with_learner(D, key(D))
    assert why_not_next(ABC, learner) == ""
    assert D in learner.everyone
    assert D not in learner.voters
    assert why_not_next(learner, learner.with_voter(D)) == ""
    at_once = Config(2, (*ABC.members, Member(D, (key(D),))))
    assert why_not_next(ABC, at_once) == "who joins learns first"


def test_an_evicted_node_is_still_known_but_never_comes_back_under_its_id() -> None:
    without = ABC.without(C)
    assert why_not_next(ABC, without) == ""
    assert without.knows(C)
    again = without.with_learner(C, "a-new-key")
    assert why_not_next(without, again) == "an evicted node comes back under a new id"
    old_key = without.with_learner(D, key(C))
    assert why_not_next(without, old_key) == "a revoked key opens nothing"


def test_a_key_is_replaced_in_two_epochs() -> None:
    both = ABC.with_key(A, "key-new")
    assert why_not_next(ABC, both) == ""
    assert both.node_of("key-new") == both.node_of(key(A)) == A
    after = both.without_key(A, key(A))
    assert why_not_next(both, after) == ""
    assert after.node_of(key(A)) is None
    assert after.node_of("key-new") == A


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (ABC.without(A).without(B), "epoch 3 does not follow epoch 1"),
        (config(A, B, epoch=2), "who leaves must be revoked"),
        (config(A, B, C, epoch=2), "0 members change; exactly one may"),
        (config(A, D, epoch=2), "3 members change; exactly one may"),
        (Config(2, ()), "no voter would be left"),
        (ABC.with_key(A, key(B)), f"the key {key(B)} is another member's"),
        (
            Config(2, (*ABC.members[:2], Member(C, (key(C),), Role.LEARNER))),
            "a voter is evicted, not demoted",
        ),
    ],
)
def test_an_unfair_change_says_why_it_may_not_be(new: Config, why: str) -> None:
    assert why_not_next(ABC, new) == why
