"""What a member knows at the start and after a change of members."""

from __future__ import annotations

from aimem_sync.dot import Dot
from tests.aimem_sync.cluster import AT_A, AT_B, A, B, C, beat, core, ops, tell


def test_a_node_starts_from_its_disk_and_from_nobody_s_word() -> None:
    plane = core(*_with(ops(AT_A, 2), ops(AT_B, 1)))
    assert plane.own_seq == 2
    assert plane.in_sync(0) == [A]
    assert plane.holders(Dot(AT_A, 2)) == {A}
    assert plane.holders(Dot(AT_A, 3)) == frozenset()


def test_holders_are_counted_by_what_they_have_said_themselves() -> None:
    plane = core(*_with(ops(AT_A, 2)))
    tell(plane, B, beat(ops(AT_A, 1)))
    assert plane.holders(Dot(AT_A, 1)) == {A, B}
    assert plane.is_durable(Dot(AT_A, 1))
    assert not plane.is_durable(Dot(AT_A, 2))


def test_who_has_left_holds_nothing_and_is_told_nothing() -> None:
    plane = core(*_with(ops(AT_A, 1)))
    tell(plane, C, beat(ops(AT_A, 1)))
    plane.council.history.append(plane.config.without(C))
    plane._meet(plane.config)
    assert plane.holders(Dot(AT_A, 1)) == {A}
    assert set(plane.links) == {B}


def _with(*logs: object) -> tuple:  # type: ignore[type-arg]
    from tests.aimem_sync.cluster import ABC

    return (ABC, *logs)
