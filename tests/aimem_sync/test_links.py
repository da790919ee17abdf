"""What a member has said counts for one incarnation, and one Append is out at a time."""

from __future__ import annotations

from dataclasses import replace

from aimem_sync.cursor import Range
from aimem_sync.links import (
    BATCH_OPS_MAX,
    GAP_PAUSE_US,
    LAG_OPS_MAX,
    PUSH_OPS_MAX,
    REACH_US,
    REFUSED_PAUSE_US,
    RESEND_US,
    RTT_OPS_MAX,
    RTTS_LEAST,
    SLOW_ANSWERS_MAX,
    SLOW_PAUSE_US,
    SLOW_US_MIN,
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


def renewed() -> Link:
    """A member that was heard of in two incarnations, and has answered a beat in the second."""
    link = heard(5)
    link.beat_to(1, replace(beat(), wall_us=77))
    assert link.take_beat(2, replace(beat(incarnation=NEW), echo_wall_us=77))
    return link


def test_a_new_incarnation_starts_from_nothing_and_acks_of_the_old_one_are_void() -> None:
    link = renewed()
    assert link.held == {}
    assert not link.take_ack(2, ack(5, 5, OLD))
    assert link.held == {}


def test_last_words_of_a_dead_incarnation_do_not_bring_it_back() -> None:
    link = renewed()
    late = replace(beat(ops(AT_A, 5)), echo_wall_us=77)
    assert not link.take_beat(3, late)
    assert (link.incarnation, link.held) == (NEW, {})
    assert link.take_beat(4, beat(ops(AT_A, 2), incarnation=NEW))
    assert link.held == {AT_A: 2}


def test_nothing_is_believed_of_a_member_whose_incarnation_is_in_doubt() -> None:
    link = heard(5)
    link.beat_to(0, beat())
    assert not link.take_beat(1, beat(ops(AT_A, 9), incarnation=NEW))
    assert (link.incarnation, link.held, link.heard_us) == (OLD, {}, None)
    assert link.beaten_us is None


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


def test_who_refused_is_not_counted_on_until_it_has_taken_something_in() -> None:
    link = heard()
    link.next_append(0, AT_A, 2, 0)
    link.take_ack(1, ack(0, 2, status=Status.STORAGE))
    later = 2 + REFUSED_PAUSE_US
    link.heard_us = later
    assert not link.in_sync(later, AT_A, 2)
    link.take_ack(later, ack(0, 2, status=Status.GAP))
    link.take_ack(later, ack(0, 2))
    assert not link.in_sync(later + GAP_PAUSE_US, AT_A, 2), "an answer that brings nothing"
    link.take_ack(later, ack(1, 1))
    assert link.in_sync(later + GAP_PAUSE_US, AT_A, 2)


def test_who_refused_is_well_when_it_has_got_the_ops_elsewhere() -> None:
    link = heard()
    link.next_append(0, AT_A, 2, 0)
    link.take_ack(1, ack(0, 2, status=Status.STORAGE))
    link.take_beat(2, beat(ops(AT_A, 2)))
    link.heard_us = 2 + REFUSED_PAUSE_US
    assert link.in_sync(2 + REFUSED_PAUSE_US, AT_A, 3)


def test_who_refused_because_of_its_epoch_is_counted_on_again_under_the_next() -> None:
    for status, well in ((Status.STALE_EPOCH, True), (Status.STORAGE, False)):
        link = heard()
        link.next_append(0, AT_A, 1, 0)
        link.take_ack(1, ack(0, 1, status=status))
        assert not link.in_sync(2, AT_A, 1)
        link.meet()
        assert link.in_sync(2, AT_A, 1) is well


def test_a_batch_is_bounded_and_begins_above_the_floor() -> None:
    link = heard()
    assert link.next_append(0, AT_A, 5_000, 0) == Range(AT_A, 1, BATCH_OPS_MAX)
    assert heard().next_append(0, AT_A, 5_000, 1) is None


def test_who_is_far_behind_is_left_to_ask_for_itself() -> None:
    assert heard().next_append(0, AT_A, PUSH_OPS_MAX, 0) is not None
    assert heard().next_append(0, AT_A, PUSH_OPS_MAX + 1, 0) is None


def test_in_sync_means_heard_of_lately_and_not_far_behind() -> None:
    link = heard()
    assert link.in_sync(REACH_US, AT_A, LAG_OPS_MAX)
    assert not link.in_sync(REACH_US + 1, AT_A, LAG_OPS_MAX)
    assert not link.in_sync(REACH_US, AT_A, LAG_OPS_MAX + 1)
    assert not Link(B).in_sync(0, AT_A, 0)


def test_an_append_may_have_been_shorter_than_what_was_asked_for() -> None:
    link = heard()
    assert link.next_append(0, AT_A, 9, 0) == Range(AT_A, 1, 9)
    link.take_ack(5, ack(4, 4))
    assert link.ack_us == 5
    assert link.next_append(5, AT_A, 9, 0) == Range(AT_A, 5, 9)
    link.take_ack(6, ack(4, 4))  # the first answer once more
    assert link.next_append(6, AT_A, 9, 0) is None


def answer(link: Link, rtt_us: int, at_us: int, ops: int = 1) -> int:
    """One Append, answered after so long. Returns when."""
    seq = link.held.get(AT_A, 0) + ops
    assert link.next_append(at_us, AT_A, seq, 0) is not None
    link.take_ack(at_us + rtt_us, ack(seq, seq))
    return at_us + rtt_us


def used_to(rtt_us: int) -> Link:
    link, now_us = heard(), 0
    for _ in range(RTTS_LEAST):
        now_us = answer(link, rtt_us, now_us)
    return link


def test_who_takes_far_longer_than_usual_is_not_counted_on_until_it_is_well_again() -> None:
    link = used_to(50_000)
    now_us = answer(link, 140_000, 500_000)
    assert link.in_sync(now_us, AT_A, 0)
    now_us = answer(link, 430_000, now_us)
    assert not link.in_sync(now_us, AT_A, 0)
    now_us = answer(link, 60_000, now_us)
    assert link.in_sync(now_us, AT_A, 0)


def test_jitter_of_a_fast_link_is_not_slowness() -> None:
    link = used_to(1_000)
    assert link.slow_us() == SLOW_US_MIN
    now_us = answer(link, SLOW_US_MIN, 500_000)
    assert link.in_sync(now_us, AT_A, 0)


def test_nothing_is_slow_before_it_is_known_what_is_usual() -> None:
    link = heard()
    now_us = answer(link, 900_000, 0)
    assert link.slow_us() is None
    assert link.in_sync(now_us, AT_A, 0)


def test_a_slow_member_is_given_another_chance_though_nothing_was_sent_to_it() -> None:
    link = used_to(1_000)
    now_us = answer(link, 500_000, 100_000)
    link.heard_us = now_us + SLOW_PAUSE_US
    assert not link.in_sync(now_us + SLOW_PAUSE_US - 1, AT_A, 0)
    assert link.in_sync(now_us + SLOW_PAUSE_US, AT_A, 0)


def test_an_append_that_is_not_answered_at_all_is_slow_too() -> None:
    link = used_to(1_000)
    at_us = link.heard_us or 0
    link.next_append(at_us, AT_A, 99, 0)
    link.awaited = link.awaited_first  # a single op
    link.heard_us = at_us + RESEND_US
    assert link.next_append(at_us + RESEND_US, AT_A, 99, 0) is not None
    assert link.is_slow(at_us + RESEND_US)


def test_what_is_slow_for_long_is_usual_in_the_end() -> None:
    link, now_us = used_to(1_000), 100_000
    for _ in range(SLOW_ANSWERS_MAX):
        now_us = answer(link, 300_000, now_us)
    assert link.in_sync(now_us, AT_A, 0)
    assert link.in_sync(answer(link, 400_000, now_us), AT_A, 0)


def test_a_long_catch_up_says_nothing_about_single_writes() -> None:
    link = used_to(1_000)
    now_us = answer(link, 700_000, 100_000, ops=RTT_OPS_MAX + 1)
    assert link.in_sync(now_us, AT_A, 0)


def test_the_offset_of_two_clocks_is_half_the_way_there_and_back() -> None:
    link, ahead_us = heard(), 7_000_000
    mine = beat()
    assert link.beat_to(1_000, replace(mine, wall_us=500)) == replace(mine, wall_us=500)
    # It takes 40 us to arrive, is echoed 300 us later, and that takes 40 us again.
    echo = replace(mine, wall_us=500 + 340 + ahead_us, echo_wall_us=500, echo_age_us=300)
    link.measure(1_380, 880, echo)
    assert link.offset_us == ahead_us
    told = link.beat_to(2_000, replace(mine, wall_us=1_500))
    assert (told.echo_wall_us, told.echo_age_us) == (echo.wall_us, 620)


def test_an_echo_of_nothing_and_one_that_took_too_long_measure_nothing() -> None:
    link = heard()
    link.measure(5, 5, replace(beat(), echo_wall_us=3))
    link.beat_to(10, replace(beat(), wall_us=3))
    link.measure(11 + REACH_US, 5, replace(beat(), echo_wall_us=3))
    assert link.offset_us is None
