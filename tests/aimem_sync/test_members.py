"""Epochs follow one another by one change at a time, and only by a fair one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from aimem_sync.faults import OpFault
from aimem_sync.members import (
    Config,
    Member,
    Role,
    decode_config,
    encode_config,
    endorsed_bytes,
    why_not_forced,
    why_not_next,
)
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


DER = b"a certificate"
NAME = sha256(DER).hexdigest()
FULL = ABC.with_learner(D, NAME, "lab-2", "lab-2:7421", DER).without(C)


def test_an_epoch_survives_the_journey() -> None:
    for one in (ABC, FULL, FULL.with_key(A, "key-new"), replace(FULL, cluster_id="team")):
        assert decode_config(encode_config(one)) == one
    assert FULL.certificate_of(NAME) == DER
    assert FULL.certificate_of(key(A)) is None
    assert FULL.certificate_of("nobody's") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"{}",
        lambda text: text[:-1],
        lambda text: text + b" ",
        lambda text: text.replace(b'"epoch":3', b'"epoch":0'),
        lambda text: text.replace(b'"epoch":3', b'"epoch":true'),
        lambda text: text.replace(b'"voter"', b'"emperor"', 1),
        lambda text: text.replace(DER.hex().encode(), b"00"),
        lambda text: text.replace(f'"{A}"'.encode(), b"7"),
        lambda text: text.replace(A.encode(), B.encode()),
        lambda text: text.replace(b'"lab-2"', b'"' + b"x" * 2_000 + b'"'),
        lambda text: text.replace(f'"{NAME}"'.encode(), b""),
    ],
)
def test_anything_else_is_no_epoch(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OpFault):
        decode_config(change(encode_config(FULL)))


def test_a_new_key_brings_its_certificate_and_an_old_one_takes_it_along() -> None:
    both = FULL.with_key(D, "0-new", b"")
    assert both.member(D) == Member(
        D, ("0-new", NAME), Role.LEARNER, "lab-2", "lab-2:7421", (b"", DER)
    )
    after = both.without_key(D, NAME)
    assert after.member(D) == Member(D, ("0-new",), Role.LEARNER, "lab-2", "lab-2:7421")
    assert NAME in after.revoked


def test_a_node_may_move_and_be_called_otherwise() -> None:
    moved = ABC.with_address(A, "lab-1", "10.0.0.1:7421")
    assert why_not_next(ABC, moved) == ""
    assert moved.voters == ABC.voters


def test_nobody_s_keys_are_revoked_on_the_side() -> None:
    sly = replace(ABC.with_learner(D, key(D)), revoked=frozenset({key(C)}))
    assert why_not_next(ABC, sly) == "only who leaves is revoked"
    sly = replace(ABC.without(C), retired=frozenset({B, C}))
    assert why_not_next(ABC, sly) == "only who leaves is revoked"


def test_what_is_signed_is_the_whole_epoch() -> None:
    assert endorsed_bytes(ABC) == sha256(b"aimem-epoch\0" + encode_config(ABC)).digest()
    assert endorsed_bytes(ABC) != endorsed_bytes(replace(ABC, cluster_id="other"))


def test_a_forced_epoch_begins_another_cluster_of_those_who_are_left() -> None:
    forced = ABC.forced((A, "a stranger"), "after")
    assert (forced.epoch, forced.cluster_id, forced.voters) == (2, "after", {A})
    assert forced.retired == {B, C}
    assert forced.node_of(key(B)) is None
    assert why_not_forced(ABC, forced) == ""
    assert why_not_next(ABC, forced) == "it is an epoch of another cluster"
    assert FULL.forced((D,), "after").voters == {D}


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (ABC, "epoch 1 does not come after epoch 1"),
        (ABC.without(B), "a forced epoch begins another cluster"),
        (Config(2, (), cluster_id="x"), "no voter would be left"),
        (config(A, B, epoch=2), "a forced epoch begins another cluster"),
        (replace(config(A, B, epoch=2), cluster_id="x"), "who is left out must be revoked"),
    ],
)
def test_an_unfair_forced_epoch_says_why_it_may_not_be(new: Config, why: str) -> None:
    assert why_not_forced(ABC, new) == why
