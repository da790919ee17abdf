"""What follows from what others say, one message at a time."""

from __future__ import annotations

from aimem_sync.cursor import Cursor
from aimem_sync.effects import Fence, Install, Keep, Note, Send, SendPage, SendSnapshot
from aimem_sync.events import Heard, Kept
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


def test_a_member_of_an_older_epoch_is_told_the_newer_ones_but_not_at_every_beat() -> None:
    plane = core(ABC)
    plane.council.history.append(ABC.without(C))
    assert [s.message for s in of(Send, tell(plane, B, beat()))] == [Learn((ABC.without(C),))]
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
