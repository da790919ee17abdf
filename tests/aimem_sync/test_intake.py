"""Ops are believed once they are on disk, and a log stops at its first fault."""

from __future__ import annotations

from dataclasses import replace

from aimem_sync.intake import Intake, Waiting
from aimem_sync.messages import Status
from tests.aimem_sync.cluster import AT_A, AT_B, A, heads, ops


def test_admitted_ops_are_staged_and_durable_only_when_kept() -> None:
    intake = Intake()
    admitted = intake.admit(ops(AT_A, 3))
    assert len(admitted.ops) == 3
    intake.begin(1, admitted.ops)
    assert (intake.staged_have().get(AT_A), intake.have().get(AT_A)) == (3, 0)
    assert intake.kept(1)
    assert intake.have().get(AT_A) == 3
    assert not intake.kept(1)


def test_what_is_staged_is_not_admitted_twice() -> None:
    intake = Intake()
    intake.admit(ops(AT_A, 2))
    again = intake.admit(ops(AT_A, 3))
    assert [op.seq for op in again.ops] == [3]
    assert again.status[AT_A] is Status.OK


def test_a_gap_stops_its_log_and_no_other() -> None:
    intake = Intake()
    admitted = intake.admit((*ops(AT_A, 3)[1:], *ops(AT_B, 1)))
    assert admitted.status == {AT_A: Status.GAP, AT_B: Status.OK}
    assert [op.origin for op in admitted.ops] == [AT_B]


def test_damage_is_told_from_a_fork_and_a_fork_closes_the_log() -> None:
    intake = Intake()
    (good,) = ops(AT_A, 1)
    assert intake.admit([replace(good, body=b"other")]).status == {AT_A: Status.DAMAGED}
    intake.admit([good])
    (other,) = ops(AT_A, 1, b'{"type":"other"}')
    assert intake.admit([other]).status == {AT_A: Status.FORK}
    assert intake.admit(ops(AT_A, 2)).status == {AT_A: Status.FORK}


def test_a_sender_is_answered_once_and_only_when_its_ops_are_on_disk() -> None:
    intake = Intake()
    intake.begin(1, intake.admit(ops(AT_A, 2)).ops)
    intake.wait(Waiting(A, AT_A, 1))
    intake.wait(Waiting(A, AT_A, 2))
    assert intake.answerable() == []
    intake.kept(1)
    assert intake.answerable() == [Waiting(A, AT_A, 2)]
    assert intake.answerable() == []


def test_a_refusal_by_the_disk_takes_back_what_was_staged_and_tells_who_waits() -> None:
    intake = Intake()
    intake.begin(1, intake.admit(ops(AT_A, 2)).ops)
    intake.wait(Waiting(A, AT_A, 2))
    assert intake.not_kept(1) == [Waiting(A, AT_A, 2)]
    assert intake.staged_have().get(AT_A) == 0
    assert len(intake.admit(ops(AT_A, 2)).ops) == 2


def test_equal_lengths_with_different_hashes_are_a_fork() -> None:
    intake = Intake(heads(ops(AT_A, 2)), heads(ops(AT_A, 2)))
    assert intake.disagrees(heads(ops(AT_A, 2))) == []
    assert intake.disagrees(heads(ops(AT_A, 3))) == []
    other = heads(ops(AT_A, 2, b'{"type":"other"}'))
    assert intake.disagrees(other) == [AT_A]
    assert intake.disagrees(other) == []
