"""Every member is named with what keeps it from counting."""

from __future__ import annotations

from aimem_sync.links import REACH_US, Link
from aimem_sync.messages import Status
from aimem_sync.peers import REFUSALS, peer_states
from tests.aimem_sync.cluster import ABC, AT_A, A, B, C, D, key


def states(link: Link, now_us: int = 0, **more: object) -> tuple[str, str]:
    config = ABC.with_learner(D, key(D))
    (found,) = peer_states(config, {link.node_id: link}, AT_A, 3, now_us, **more)  # type: ignore[arg-type]
    assert found[0] == link.node_id
    return found[1], found[2]


def near(node: str = B, held: int = 0) -> Link:
    return Link(node, "9" * 16, {AT_A: held}, heard_us=0)


def test_who_has_it_holds_it_even_when_out_of_reach() -> None:
    assert states(near(held=3), 9 * REACH_US) == ("holds", "on its disk")


def test_who_lacks_some_is_behind_and_by_how_much() -> None:
    assert states(near(held=1)) == ("behind", "2 ops to go")


def test_a_slow_one_is_told_apart() -> None:
    link = near(held=2)
    link.slow_until_us = 9
    assert states(link) == ("behind", "it answers far more slowly than it used to")


def test_of_a_refused_write_it_is_told_why_a_member_was_not_counted_on() -> None:
    assert states(near(held=3), written=False) == ("holds", "all that is here")
    assert states(near(held=3), 9 * REACH_US, written=False)[0] == "unreachable"
    link = near(held=3)
    link.slow_until_us = 9
    assert states(link, written=False)[0] == "behind"


def test_silence_is_told_with_how_long_it_has_lasted() -> None:
    assert states(Link(C)) == ("unreachable", "not heard of since this node started")
    assert states(near(), 4_500_000) == ("unreachable", "last heard of 4.5 s ago")


def test_a_refusal_is_told_with_its_reason_while_it_lasts() -> None:
    for status, why in REFUSALS.items():
        link = near()
        link.refusal, link.refused_seq = status, 3
        assert states(link) == ("refused", why)
        link.refused_seq = 0
        assert states(link)[0] == "behind"
    assert Status.OK not in REFUSALS


def test_learners_and_who_may_not_hold_it_do_not_count() -> None:
    assert states(near(D, 3)) == ("learner", "it does not count until it is promoted")
    assert states(near(), eligible=frozenset({A}))[0] == "refused"
