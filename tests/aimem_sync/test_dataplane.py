"""A node alone with its clock: writes, beats, deadlines, and what it forgets."""

from __future__ import annotations

from dataclasses import replace

from aimem_sync.catchup import SNAPSHOT_PATIENCE_US
from aimem_sync.cursor import Cursor
from aimem_sync.dataplane import FORGET_US, DataPlane, Standing
from aimem_sync.dot import Dot
from aimem_sync.effects import (
    Answer,
    Applied,
    Changed,
    Collect,
    Fence,
    KeepConfig,
    Note,
    Outcome,
    RefuseRead,
    Send,
    SendAppend,
    ServeRead,
    Stamp,
    Truncate,
)
from aimem_sync.events import (
    ChangeWanted,
    Disconnected,
    Forced,
    Kept,
    NotWritten,
    ReadWanted,
    SnapshotProgress,
    Tick,
    WriteWanted,
    Wrote,
)
from aimem_sync.links import AWAY_US, BEAT_US, EXCUSED_US_MAX, REACH_US, RTTS_LEAST
from aimem_sync.log import Head
from aimem_sync.messages import Append, AppendAck, Beat, Pull, SnapshotWanted
from tests.aimem_sync.cluster import (
    ABC,
    AT_A,
    AT_B,
    A,
    B,
    C,
    D,
    beat,
    config,
    core,
    key,
    of,
    ops,
    tell,
)


def wrote(plane: DataPlane, now_us: int = 0, request: int = 1, seq: int = 1) -> list:  # type: ignore[type-arg]
    op = ops(AT_A, seq)[-1]
    return plane.step(now_us, Wrote(request, op.dot, Head(op.seq, op.chain)))


def test_a_write_is_stamped_sent_to_all_and_committed_by_the_first_two() -> None:
    plane = core()
    tell(plane, B, beat())
    tell(plane, C, beat(incarnation="8" * 16))
    assert of(Stamp, plane.step(1, WriteWanted(1, 1_000))) == [Stamp(1)]
    sent = of(SendAppend, wrote(plane, 2))
    assert {append.to for append in sent} == {B, C}
    effects = tell(plane, B, AppendAck(AT_B.incarnation, AT_A, 1, 1), 3)
    assert of(Answer, effects) == [Answer(1, Outcome.COMMITTED, (A, B), 2)]
    assert of(Answer, tell(plane, C, AppendAck("8" * 16, AT_A, 1, 1), 4)) == []


def test_writes_that_are_told_together_travel_together() -> None:
    plane = core()
    tell(plane, B, beat())
    first, second = ops(AT_A, 2)
    told = [Wrote(at, op.dot, Head(op.seq, op.chain)) for at, op in ((1, first), (2, second))]
    (sent,) = of(SendAppend, plane.step(1, *told))
    assert (sent.to, sent.ops.first, sent.ops.last) == (B, 1, 2)


def test_a_write_without_enough_members_in_reach_is_refused_and_never_stamped() -> None:
    effects = core().step(0, WriteWanted(1, 1_000))
    assert [type(effect) for effect in effects] == [Answer]
    assert effects[0].outcome is Outcome.NOT_WRITTEN  # type: ignore[union-attr]


def test_a_node_that_was_held_up_itself_does_not_take_the_others_for_silent() -> None:
    plane = core()
    tell(plane, B, beat())
    assert of(Stamp, plane.step(2 * REACH_US, WriteWanted(1, 10 * REACH_US))) == [Stamp(1)]
    silent = core()
    tell(silent, B, beat())
    for now_us in range(0, 2 * REACH_US, 100_000):
        silent.step(now_us, Tick(0))
    assert of(Stamp, silent.step(2 * REACH_US, WriteWanted(1, 10 * REACH_US))) == []


def test_a_node_that_is_held_up_again_and_again_finds_out_that_a_member_is_gone() -> None:
    plane = core()
    tell(plane, B, beat())
    gone_us = REACH_US + EXCUSED_US_MAX
    for now_us in range(AWAY_US, gone_us + 1, AWAY_US):
        plane.step(now_us, Tick(0))
    assert of(Stamp, plane.step(gone_us, WriteWanted(1, 10 * gone_us))) == [Stamp(1)]
    assert of(Stamp, plane.step(gone_us + AWAY_US, WriteWanted(2, 10 * gone_us))) == []
    tell(plane, B, beat(), gone_us + AWAY_US)
    later_us = gone_us + AWAY_US + 2 * REACH_US
    assert of(Stamp, plane.step(later_us, WriteWanted(3, 10 * gone_us))) == [Stamp(3)]


def test_an_answer_that_lay_here_while_the_node_was_held_up_is_not_called_slow() -> None:
    plane = core(ABC, ops(AT_A, 1))
    (sent,) = of(SendAppend, tell(plane, B, beat()))
    link = plane.links[B]
    link.rtts_us.extend([1_000] * RTTS_LEAST)
    effects = tell(plane, B, AppendAck(AT_B.incarnation, AT_A, 1, sent.ops.last), 9 * REACH_US)
    assert of(Note, effects) == []
    assert link.ack_us == 0


def test_the_deadline_asks_for_a_wake_up_and_leaves_the_write_pending() -> None:
    plane = core()
    plane.step(0, WriteWanted(1, 1_000, allow_pending=True))
    wrote(plane)
    assert plane.wake_at_us() == 1_000
    (answer,) = of(Answer, plane.step(1_000, Tick(0)))
    assert (answer.outcome, answer.acked_by) == (Outcome.PENDING, (A,))
    assert plane.wake_at_us() is None


def test_a_retry_of_a_known_op_is_answered_without_a_second_stamp() -> None:
    plane = core(ABC, ops(AT_A, 1))
    tell(plane, B, beat(ops(AT_A, 1)))
    effects = plane.step(1, WriteWanted(2, 1_000, known=Dot(AT_A, 1)))
    assert of(Stamp, effects) == []
    assert of(Answer, effects)[0].outcome is Outcome.COMMITTED


def test_a_write_the_disk_refused_is_not_written() -> None:
    plane = core()
    plane.step(0, WriteWanted(1, 1_000, allow_pending=True))
    (answer,) = of(Answer, plane.step(1, NotWritten(1, "disk full")))
    assert (answer.outcome, answer.reason) == (Outcome.NOT_WRITTEN, "disk full")


def test_every_member_gets_a_beat_twice_a_second() -> None:
    plane = core(ABC, ops(AT_A, 1))
    for now_us, beats in ((0, 2), (100_000, 0), (500_000, 2)):
        sent = [s for s in of(Send, plane.step(now_us, Tick(7))) if isinstance(s.message, Beat)]
        assert len(sent) == beats
        assert all(s.message.heads[AT_A].seq == 1 for s in sent)


def test_a_read_is_served_or_fetched_or_refused_in_time() -> None:
    plane = core()
    tell(plane, B, beat(ops(AT_B, 1)))
    assert of(ServeRead, plane.step(1, ReadWanted(1, Cursor(), 100))) == [ServeRead(1)]
    effects = plane.step(2, ReadWanted(2, Cursor({AT_B: 1}), 100))
    assert [type(sent.message) for sent in of(Send, effects)] == [Pull]
    assert plane.wake_at_us() == 100
    assert of(RefuseRead, plane.step(100, Tick(0)))[0].read == 2


def test_nothing_is_forgotten_while_one_member_is_silent() -> None:
    plane = core(ABC, ops(AT_A, 9))
    plane.retained_ops = 2
    tell(plane, B, beat(ops(AT_A, 9)), FORGET_US)
    assert not of(Truncate, plane.step(FORGET_US, Tick(0)))
    tell(plane, C, beat(ops(AT_A, 5), incarnation="8" * 16), FORGET_US)
    effects = plane.step(2 * FORGET_US, Tick(0))
    assert of(Truncate, effects) == [Truncate(Cursor({AT_A: 5}))]
    assert of(Collect, effects) == [Collect(Cursor({AT_A: 5}))]


def test_a_learner_that_lags_is_not_made_a_voter() -> None:
    with_learner = ABC.with_learner(D, key(D))
    plane = core(with_learner, ops(AT_A, 3))
    (told,) = of(Changed, plane.step(0, ChangeWanted(1, with_learner.with_voter(D))))
    assert (told.won, told.reason) == (False, f"{D} still lacks 1 ops")
    tell(plane, D, beat(ops(AT_A, 1)))
    (told,) = of(Changed, plane.step(0, ChangeWanted(2, with_learner.with_voter(D))))
    assert told.reason == f"{D} still lacks 2 ops"
    tell(plane, D, beat(ops(AT_A, 3)))
    assert of(Changed, plane.step(0, ChangeWanted(3, with_learner.with_voter(D)))) == []


def test_a_learner_that_is_always_one_beat_behind_a_busy_member_may_vote() -> None:
    with_learner = ABC.with_learner(D, key(D))
    plane = core(with_learner)
    for beats in range(1, 8):
        now_us = beats * BEAT_US
        op = ops(AT_A, beats)[-1]
        plane.step(now_us, Wrote(beats, op.dot, Head(op.seq, op.chain)))
        plane.step(now_us, Tick(0))
        tell(plane, D, beat(ops(AT_A, max(1, beats - 1))), now_us)
    assert of(Changed, plane.step(now_us, ChangeWanted(1, with_learner.with_voter(D)))) == []


def test_a_broken_connection_lets_the_next_append_out_at_once() -> None:
    plane = core(ABC, ops(AT_A, 1))
    assert len(of(SendAppend, tell(plane, B, beat()))) == 1
    assert of(SendAppend, plane.step(1, Tick(0))) == []
    assert len(of(SendAppend, plane.step(2, Disconnected(B)))) == 1


def test_a_fenced_node_does_nothing_any_more() -> None:
    plane = core()
    assert [type(e) for e in tell(plane, B, beat(ops(AT_A, 1)))] == [Fence]
    assert plane.step(1, Tick(0)) == []
    assert plane.step(1, WriteWanted(1, 5)) == []


def test_who_has_not_confirmed_is_named_with_a_reason() -> None:
    plane = core()
    tell(plane, B, beat())
    plane.step(1, WriteWanted(1, 1_000))
    wrote(plane, 2)
    (answer,) = of(Answer, plane.step(1_000, Tick(0)))
    assert answer.peers == (
        (B, "behind", "1 ops to go"),
        (C, "unreachable", "not heard of since this node started"),
    )
    assert plane.peer_status(Dot(AT_A, 1)) == answer.peers


def test_w_of_a_write_is_what_the_transaction_found_it_to_be() -> None:
    plane = core()
    tell(plane, B, beat())
    plane.step(1, WriteWanted(1, 1_000))
    op = ops(AT_A, 1)[0]
    local = Wrote(1, op.dot, Head(1, op.chain), 1, frozenset({A}))
    assert of(Answer, plane.step(2, local)) == [Answer(1, Outcome.COMMITTED, (A,), 1)]
    plane.step(3, WriteWanted(2, 1_000))
    nothing = Wrote(2, None, Head(1, op.chain))
    assert of(Answer, plane.step(4, nothing)) == [Answer(2, Outcome.COMMITTED, (A,), 1)]


def test_how_far_each_log_is_committed_is_counted_here_or_heard_from_its_origin() -> None:
    plane = core(ABC, ops(AT_A, 3), ops(AT_B, 2))
    assert plane.committed() == {AT_A: 0, AT_B: 0}
    tell(plane, B, beat(ops(AT_A, 2), ops(AT_B, 1)))
    assert plane.committed() == {AT_A: 2, AT_B: 1}
    tell(plane, B, Append(1, ops(AT_B, 2), 2))
    assert plane.committed() == {AT_A: 2, AT_B: 2}


def test_a_lone_node_commits_by_itself() -> None:
    plane = core(config(A), ops(AT_A, 3))
    assert plane.committed() == {AT_A: 3}
    assert plane.is_janitor(0)


def test_two_nodes_learn_how_far_their_clocks_are_apart() -> None:
    plane = core()
    tell(plane, B, beat())
    sent = [s for s in of(Send, plane.step(1_000, Tick(50_000))) if s.to == B]
    echo = sent[0].message.wall_us
    back = replace(beat(), wall_us=9_050_100, echo_wall_us=echo, echo_age_us=0)
    tell(plane, B, back, 1_200)
    assert plane.clock_offset_us(B) == 9_000_000
    assert plane.clock_offset_us(C) is None
    assert plane.clock_offset_us("nobody") is None
    assert not plane.is_janitor(1_200)


def test_a_forced_epoch_rules_at_once_and_the_write_in_hand_is_judged_by_it_too() -> None:
    plane = core(ABC)
    plane.step(0, WriteWanted(1, 1_000, allow_pending=True))
    wrote(plane)
    forced = ABC.forced((A,), "after")
    (keep,) = of(KeepConfig, plane.step(1, Forced(forced)))
    assert keep == KeepConfig(keep.ticket, (forced,), ((),))
    assert of(Applied, plane.step(2, Kept(keep.ticket))) == [Applied(forced)]
    assert plane.config == forced
    assert plane.links == {}
    assert of(Answer, plane.step(1_000, Tick(0)))[0].outcome is Outcome.PENDING


def test_bytes_of_a_snapshot_keep_the_wait_for_it_alive() -> None:
    plane = DataPlane(Standing(AT_A, (ABC,), snapshot_lag_ops=100))
    effects = tell(plane, B, beat(ops(AT_B, 101)))
    (asked,) = [s for s in of(Send, effects) if isinstance(s.message, SnapshotWanted)]
    plane.step(SNAPSHOT_PATIENCE_US - 1, SnapshotProgress(B))
    plane.step(SNAPSHOT_PATIENCE_US + 1, Tick(0))
    assert plane.catchup.asked[B].pull_id == asked.message.pull_id
    plane.step(SNAPSHOT_PATIENCE_US + 2, Disconnected(B))
    assert plane.catchup.asked == {}
