"""What a member has said counts for one incarnation, and one Append is out at a time."""

from __future__ import annotations

from aimem_sync.cursor import Range
from aimem_sync.links import (
    BATCH_OPS_MAX,
    LAG_OPS_MAX,
    REACH_US,
    REFUSED_PAUSE_US,
    RESEND_US,
    Link,
)
from aimem_sync.messages import AppendAck, Status
from tests.aimem_sync.cluster import AT_A, AT_B, B, beat, ops

OLD, NEW = AT_B.incarnation, f"{8:016x}"


def ack(seq: int, answered: int, incarnation: str = OLD, status: Status = Status.OK) -> AppendAck:
    return AppendAck(incarnation, AT_A, answered, seq, status)


def heard(seq: int = 0) -> Link:
    link = Link(B)
    assert link.take_beat(0, beat(*([ops(AT_A, seq)] if seq else [])))
    return link


def test_acks_are_cumulative_and_never_fall_within_an_incarnation() -> None:
    link = heard()
    assert link.take_ack(1, ack(5, 5))
    assert link.take_ack(2, ack(3, 3))
    assert link.held[AT_A] == 5


def test_a_new_incarnation_starts_from_nothing_and_the_old_one_is_void_for_ever() -> None:
    link = heard(5)
    assert link.take_beat(1, beat(incarnation=NEW))
    assert link.held == {}
    assert not link.take_ack(2, ack(5, 5, OLD))
    assert not link.take_beat(2, beat(ops(AT_A, 5)))
    assert link.held == {}


def test_an_ack_counts_for_nothing_before_its_sender_is_known() -> None:
    assert not Link(B).take_ack(0, ack(1, 1))


def test_a_second_append_waits_for_the_first_one_s_answer() -> None:
    link = heard()
    assert link.next_append(0, AT_A, 3, 0) == Range(AT_A, 1, 3)
    assert link.next_append(1, AT_A, 4, 0) is None
    link.take_ack(2, ack(3, 3))
    assert link.next_append(2, AT_A, 4, 0) == Range(AT_A, 4, 4)


def test_an_answer_to_an_earlier_append_lets_no_second_one_out() -> None:
    link = heard()
    link.next_append(0, AT_A, 3, 0)
    link.take_ack(1, ack(3, 3))
    link.next_append(1, AT_A, 4, 0)
    link.take_ack(2, ack(3, 3))
    assert link.next_append(2, AT_A, 4, 0) is None


def test_an_append_without_an_answer_is_sent_again_in_the_end() -> None:
    link = heard()
    link.next_append(0, AT_A, 1, 0)
    assert link.next_append(RESEND_US - 1, AT_A, 1, 0) is None
    assert link.next_append(RESEND_US, AT_A, 1, 0) == Range(AT_A, 1, 1)


def test_a_refusal_is_followed_by_a_pause() -> None:
    link = heard()
    link.next_append(0, AT_A, 1, 0)
    link.take_ack(1, ack(0, 1, status=Status.STORAGE))
    assert link.next_append(2, AT_A, 1, 0) is None
    assert not link.in_sync(2, AT_A, 1)
    assert link.next_append(1 + REFUSED_PAUSE_US, AT_A, 1, 0) == Range(AT_A, 1, 1)


def test_a_batch_is_bounded_and_begins_above_the_floor() -> None:
    link = heard()
    assert link.next_append(0, AT_A, 9_999, 0) == Range(AT_A, 1, BATCH_OPS_MAX)
    assert heard().next_append(0, AT_A, 9_999, 1) is None


def test_in_sync_means_heard_of_lately_and_not_far_behind() -> None:
    link = heard()
    assert link.in_sync(REACH_US, AT_A, LAG_OPS_MAX)
    assert not link.in_sync(REACH_US + 1, AT_A, LAG_OPS_MAX)
    assert not link.in_sync(REACH_US, AT_A, LAG_OPS_MAX + 1)
    assert not Link(B).in_sync(0, AT_A, 0)
