"""What follows from what others say, one message at a time."""

from __future__ import annotations

from dataclasses import replace

from aimem_sync.catchup import GRACE_US, NOT_KEPT_PAUSE_US
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.effects import Effect, Fence, Install, Keep, Note, Send, SendPage, SendSnapshot
from aimem_sync.events import Digested, Heard, Kept, NotKept, Tick, Wrote
from aimem_sync.hearing import OLD_IMAGE, OTHER_HISTORY
from aimem_sync.knowledge import BATCHES_MAX
from aimem_sync.links import RTTS_LEAST
from aimem_sync.log import Head
from aimem_sync.messages import (
    Append,
    AppendAck,
    Learn,
    Page,
    Pull,
    Snapshot,
    SnapshotWanted,
    Status,
)
from tests.aimem_sync.cluster import (
    ABC,
    AT_A,
    AT_B,
    AT_C,
    AT_D,
    B,
    C,
    D,
    beat,
    config,
    core,
    heads,
    of,
    ops,
    tell,
)


def test_an_append_is_acknowledged_once_it_is_on_disk_and_not_before() -> None:
    plane = core()
    effects = tell(plane, B, Append(1, ops(AT_B, 2), 0))
    (keep,) = of(Keep, effects)
    assert of(Send, effects) == []
    (sent,) = of(Send, plane.step(1, Kept(keep.ticket)))
    assert sent.to == B
    assert sent.message == AppendAck(AT_A.incarnation, AT_B, 2, 2)


def test_a_replayed_append_is_acknowledged_and_kept_once() -> None:
    plane = core(ABC, ops(AT_B, 2))
    effects = tell(plane, B, Append(1, ops(AT_B, 2), 0))
    assert of(Keep, effects) == []
    assert [sent.message.status for sent in of(Send, effects)] == [Status.OK]


def test_a_gap_is_answered_with_where_to_go_on() -> None:
    (sent,) = of(Send, tell(core(), B, Append(1, ops(AT_B, 3)[2:], 0)))
    assert (sent.message.status, sent.message.durable_seq) == (Status.GAP, 0)


def test_nobody_appends_to_another_node_s_log() -> None:
    effects = tell(core(), C, Append(1, ops(AT_B, 1), 0))
    assert [type(effect) for effect in effects] == [Note]


def test_a_key_that_is_nobody_s_is_told_nothing() -> None:
    effects = core().step(0, Heard("key-9", beat()))
    assert [type(effect) for effect in effects] == [Note]


def test_an_append_of_an_older_epoch_brings_back_the_newer_ones() -> None:
    newer = ABC.without(C)
    plane = core(ABC)
    plane.council.history.append(newer)
    (sent,) = of(Send, tell(plane, B, Append(1, ops(AT_B, 1), 0)))
    assert (sent.message.status, sent.message.configs) == (Status.STALE_EPOCH, (newer,))
    assert len(sent.message.proofs) == 1


def test_a_member_of_an_older_epoch_is_told_the_newer_ones_but_not_at_every_beat() -> None:
    plane = core(ABC)
    plane.council.history.append(ABC.without(C))
    learn = Learn((ABC.without(C),), ((),))
    assert [s.message for s in of(Send, tell(plane, B, beat()))] == [learn]
    assert of(Send, tell(plane, B, beat(), 1)) == []


def test_others_who_hold_more_of_this_node_s_log_fence_it() -> None:
    plane = core(ABC, ops(AT_A, 1))
    assert [type(effect) for effect in tell(plane, B, beat(ops(AT_A, 2)))] == [Fence]
    assert tell(plane, B, beat()) == []


def test_another_history_of_this_node_s_log_fences_it() -> None:
    plane = core(ABC, ops(AT_A, 1))
    other = ops(AT_A, 1, b'{"type":"other"}')
    assert [type(effect) for effect in tell(plane, B, beat(other))] == [Fence]
    plane = core(ABC, ops(AT_A, 2))
    tell(plane, B, beat())
    fork = AppendAck(AT_B.incarnation, AT_A, 2, 1, Status.FORK)
    assert [type(effect) for effect in tell(plane, B, fork)] == [Fence]


def test_a_fork_of_a_third_log_is_noted_and_its_ops_are_no_longer_taken_in() -> None:
    plane = core(ABC, ops(AT_C, 1))
    other = ops(AT_C, 2, b'{"type":"other"}')
    assert of(Note, tell(plane, B, beat(other[:1])))[0].what == "fork"
    assert of(Keep, tell(plane, C, Append(1, ops(AT_C, 2), 0))) == []


def test_a_large_lag_is_pulled_from_any_member_page_after_page() -> None:
    plane = core()
    log = ops(AT_C, 300)
    (asked,) = [s for s in of(Send, tell(plane, B, beat(log))) if isinstance(s.message, Pull)]
    assert (asked.to, asked.message.origins) == (B, (AT_C,))
    effects = tell(plane, B, Page(asked.message.pull_id, log[:256]))
    assert len(of(Keep, effects)[0].ops) == 256
    (again,) = [s for s in of(Send, effects) if isinstance(s.message, Pull)]
    assert again.message.have == Cursor({AT_C: 256})


def test_a_page_nobody_asked_for_and_ops_of_strangers_are_not_taken_in() -> None:
    assert of(Keep, tell(core(), B, Page(1, ops(AT_C, 1)))) == []
    plane = core()
    (asked,) = [
        s for s in of(Send, tell(plane, B, beat(ops(AT_D, 300)))) if isinstance(s.message, Pull)
    ]
    assert of(Keep, tell(plane, B, Page(asked.message.pull_id, ops(AT_D, 1)))) == []
    evicted = config("0" * 32, B, D).without(D)
    assert evicted.knows(D)


def test_a_pull_and_a_wish_for_a_snapshot_are_served() -> None:
    plane = core(ABC, ops(AT_C, 2))
    assert of(SendPage, tell(plane, B, Pull(4, (AT_C,), Cursor(), 9)))[0].pull_id == 4
    assert of(SendSnapshot, tell(plane, B, SnapshotWanted(5))) == [SendSnapshot(B, 5)]


def test_a_snapshot_nobody_asked_for_is_not_installed() -> None:
    snapshot = Snapshot(1, heads(ops(AT_C, 1)), Cursor(), 1, {}, {})
    assert of(Install, tell(core(), B, snapshot)) == []


def pulls(effects: list[Effect]) -> list[Send]:
    return [sent for sent in of(Send, effects) if isinstance(sent.message, Pull)]


def test_a_page_that_brings_nothing_is_followed_by_another_member_and_then_by_a_pause() -> None:
    plane = core()
    log = ops(AT_C, 300)
    tell(plane, C, beat(log, incarnation=AT_C.incarnation))
    tell(plane, B, beat(log))
    (asked,) = plane.catchup.asked
    (other,) = {B, C} - {asked}
    effects = tell(plane, asked, Page(plane.catchup.asked[asked].pull_id, ()), 1)
    assert [note.what for note in of(Note, effects)] == ["a page that brought nothing"]
    assert [sent.to for sent in pulls(effects)] == [other]
    effects = tell(plane, other, Page(plane.catchup.asked[other].pull_id, ()), 2)
    assert pulls(effects) == []
    assert pulls(plane.step(3, Tick(0))) == []
    assert len(pulls(plane.step(GRACE_US + 2, Tick(0)))) == 1


def test_a_short_page_is_followed_by_the_next_question_at_once() -> None:
    plane = core()
    log = ops(AT_C, 300)
    (asked,) = [s for s in of(Send, tell(plane, B, beat(log))) if isinstance(s.message, Pull)]
    effects = tell(plane, B, Page(asked.message.pull_id, log[:3]))
    (again,) = [s for s in of(Send, effects) if isinstance(s.message, Pull)]
    assert again.message.have == Cursor({AT_C: 3})


def test_no_more_is_fetched_than_the_disk_can_take() -> None:
    plane = core()
    log = ops(AT_C, 4 * BATCHES_MAX + 256)
    effects, kept, at = tell(plane, B, beat(log)), [], 0
    while asked := pulls(effects):
        effects = tell(plane, B, Page(asked[0].message.pull_id, log[at : at + 4]))
        kept += of(Keep, effects)
        at += 4
    assert len(kept) == BATCHES_MAX
    assert len(pulls(plane.step(1, Kept(kept[0].ticket)))) == 1


def test_nothing_is_fetched_for_a_while_by_a_disk_that_takes_nothing() -> None:
    plane = core()
    log = ops(AT_C, 300)
    (asked,) = [s for s in of(Send, tell(plane, B, beat(log))) if isinstance(s.message, Pull)]
    tell(plane, B, Page(asked.message.pull_id, log[:3]))
    plane.catchup.asked.clear()
    plane.step(1, NotKept(1, "disk full"))
    assert pulls(plane.step(2, Tick(0))) == []
    tell(plane, B, beat(log), NOT_KEPT_PAUSE_US)
    assert len(pulls(plane.step(NOT_KEPT_PAUSE_US + 1, Tick(0)))) == 1


def test_equal_heads_and_different_roots_are_told_once() -> None:
    log = ops(AT_C, 2)
    plane = core(ABC, log)
    other = replace(beat(log), root=b"b" * 32)
    assert of(Note, tell(plane, B, other)) == []
    plane.step(1, Digested(Cursor({AT_C: 2}), b"a" * 32))
    assert of(Note, tell(plane, B, other)) == [Note("divergence", B)]
    assert of(Note, tell(plane, B, other)) == []
    assert of(Note, tell(plane, B, replace(beat(log), root=b"a" * 32))) == []
    assert of(Note, tell(plane, B, replace(beat(ops(AT_C, 1)), root=b"b" * 32))) == []
    (sent, *_) = [s.message for s in of(Send, plane.step(2, Tick(0)))]
    assert sent.root == b"a" * 32


def test_an_ack_of_more_than_was_ever_written_here_fences_the_node() -> None:
    plane = core(ABC, ops(AT_A, 1))
    tell(plane, B, beat())
    ack = AppendAck(AT_B.incarnation, AT_A, 1, 2)
    assert of(Fence, tell(plane, B, ack)) == [Fence(OLD_IMAGE)]


def test_who_holds_less_of_this_node_s_log_must_hold_the_same() -> None:
    plane = core(ABC, ops(AT_A, 1))
    later = ops(AT_A, 3)[-1]
    plane.step(0, Wrote(1, later.dot, Head(later.seq, later.chain)))
    assert of(Fence, tell(plane, C, beat(ops(AT_A, 1), incarnation=AT_C.incarnation))) == []
    other = ops(AT_A, 1, b'{"type":"other"}')
    assert of(Fence, tell(plane, B, beat(other))) == [Fence(OTHER_HISTORY)]


def test_a_fork_of_a_log_that_this_node_wrote_before_its_restore_is_its_own_fault() -> None:
    former = Origin(AT_A.node_id, f"{7:016x}")
    other = ops(former, 1, b'{"type":"other"}')
    plane = core(ABC, ops(former, 1))
    assert of(Fence, tell(plane, B, beat(other))) == [Fence(OTHER_HISTORY)]
    plane = core(ABC, ops(former, 1))
    (asked,) = pulls(tell(plane, B, beat(ops(former, 300, b'{"type":"other"}'))))
    page = Page(asked.message.pull_id, ops(former, 3, b'{"type":"other"}')[1:])
    assert of(Fence, tell(plane, B, page)) == [Fence(OTHER_HISTORY)]


def test_a_member_that_has_become_slow_is_told_of_once() -> None:
    plane = core(ABC, ops(AT_A, 1))
    tell(plane, B, beat(ops(AT_A, 1)))
    link = plane.links[B]
    link.rtts_us.extend([1_000] * RTTS_LEAST)
    link.awaited = link.awaited_first = 1
    ack = AppendAck(AT_B.incarnation, AT_A, 1, 1)
    assert of(Note, tell(plane, B, ack, 200_000)) == [Note("a slow member", B)]
    link.awaited = 1
    assert of(Note, tell(plane, B, ack, 450_000)) == []
    assert plane.in_sync(450_000) == [AT_A.node_id]
