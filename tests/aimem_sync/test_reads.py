"""A read is served when all that it asks for is there, or refused in time."""

from __future__ import annotations

from aimem_sync.cursor import Cursor, Range
from aimem_sync.effects import RefuseRead, ServeRead
from aimem_sync.events import ReadWanted
from aimem_sync.reads import Reads
from aimem_sync.tokens import Verdict
from tests.aimem_sync.cluster import AT_A

GAP = (Range(AT_A, 1, 1),)


def waiting() -> Reads:
    reads = Reads()
    reads.admit(ReadWanted(1, Cursor({AT_A: 1}), 100))
    return reads


def test_a_read_waits_and_says_for_which_logs() -> None:
    reads = waiting()
    assert reads.settle(1, lambda after: (Verdict.WAIT, GAP)) == ([], {AT_A})
    assert reads.settle(2, lambda after: (Verdict.SERVE, ())) == ([ServeRead(1)], set())
    assert reads.next_deadline_us() is None


def test_time_running_out_is_told_with_what_is_missing() -> None:
    reads = waiting()
    assert reads.next_deadline_us() == 100
    assert reads.settle(100, lambda after: (Verdict.WAIT, GAP))[0] == [RefuseRead(1, GAP)]


def test_what_seems_lost_is_told_so_only_once_the_time_is_up() -> None:
    reads = waiting()
    assert reads.settle(99, lambda after: (Verdict.LOST, GAP)) == ([], {AT_A})
    judged = reads.settle(100, lambda after: (Verdict.LOST, GAP))[0]
    assert judged == [RefuseRead(1, GAP, lost=True)]
