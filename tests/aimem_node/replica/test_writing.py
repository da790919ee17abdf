"""One write, from its request to its answer: what is left of it however it ends."""

import asyncio
import contextlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Outcome
from aimem_node.replica import writing
from aimem_node.replica.writing import OPS_PER_WRITE_MAX, Tx, Wish
from aimem_sync.change import Change
from aimem_sync.display import Display
from aimem_sync.log import Head, verify_chain
from tests.aimem_node.replica.members_stage import Room, play

HERE = {"needed": 1, "allow_pending": True}


def note(record_id: str) -> Change:
    return Change(record_id, "note", {"body": {"text": record_id}})


async def in_a_team(room: Room) -> None:
    """Three members in reach, and the first write behind us: what copies say is known."""
    await room.gather()
    room.beat()
    await room.write("first", **HERE)
    room.ack("b", "c")


async def is_whole(room: Room, count: int) -> None:
    """The log has so many ops and its chain holds."""
    ops = await room.ops()
    assert [op.seq for op in ops] == list(range(1, count + 1))
    assert verify_chain(ops, Head()).seq == count
    assert room.plane.core.own_seq == count


# ---- refused -------------------------------------------------------------------------------------


def test_too_few_in_reach_and_nothing_is_written_anywhere(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        room.clock.move(seconds=60)
        with pytest.raises(Failure) as refused:
            await room.write("r2", key="k")
        assert refused.value.code is Code.NOT_WRITTEN
        assert refused.value.details["needed"] == 2
        assert {one["name"]: one["state"] for one in refused.value.details["peers"]} == {
            "b": "unreachable",
            "c": "unreachable",
        }
        await is_whole(room, 1)
        assert await room.read(lambda view: view.idem("user:ann", "k")) is None

    play(tmp_path, scene)


@pytest.mark.parametrize("needed", [0, 3])
def test_a_namespace_that_wants_more_than_are_near_takes_all_of_the_write_back(
    tmp_path: Path, needed: int
) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        room.clock.move(seconds=60)
        room.beat("b")
        room.core.replica.copies = lambda _session, _ops: (3, None)
        room.core.replica.copies_set = True
        before = await room.read(lambda view: view.digest().root())
        with pytest.raises(Failure) as refused:
            await room.write("r2", key="k", needed=needed)
        assert refused.value.code is Code.NOT_WRITTEN
        await is_whole(room, 1)
        assert await room.read(lambda view: view.digest().root()) == before
        assert await room.read(lambda view: view.idem("user:ann", "k")) is None
        assert await room.read(lambda view: view.state("r2")) is None

    play(tmp_path, scene)


def test_the_first_write_of_a_start_is_refused_like_any_other(tmp_path: Path) -> None:
    """Whether a namespace says anything is known only after it: that must not let it through."""

    async def scene(room: Room) -> None:
        await room.gather()
        assert room.core.replica.copies_set
        with pytest.raises(Failure) as refused:
            await room.write("r1")
        assert refused.value.code is Code.NOT_WRITTEN
        assert await room.ops() == []

    play(tmp_path, scene)


def test_what_the_work_refuses_with_reaches_the_caller_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)

        def work(tx: Tx) -> bytes:
            tx.change(note("r2"))
            raise Failure(Code.CONFLICT, "not like this")

        with pytest.raises(Failure, match="not like this"):
            await room.core.replica.write(room.intent("k"), work)
        await is_whole(room, 1)
        writing_on = asyncio.ensure_future(room.write("r3", key="k"))
        await room.until(lambda: room.plane.core.own_seq == 2)
        room.ack("b")
        assert (await writing_on).replayed is False

    play(tmp_path, scene)


def test_one_request_may_not_append_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert OPS_PER_WRITE_MAX >= 1_000
    monkeypatch.setattr(writing, "OPS_PER_WRITE_MAX", 3)

    async def scene(room: Room) -> None:
        def work(tx: Tx, count: int) -> list[Display | None]:
            return [tx.change(note(f"r{at}")) for at in range(count)]

        intent: Any = replace(room.intent(), encode=repr)
        with pytest.raises(Failure) as refused:
            await room.core.replica.write(intent, lambda tx: work(tx, 4))
        assert refused.value.code is Code.TOO_LARGE
        assert await room.ops() == []
        written = await room.core.replica.write(intent, lambda tx: work(tx, 3))
        assert len(written.write_ids) == len(written.response) == 3

    play(tmp_path, scene)


def test_a_disk_that_refuses_is_told_of_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)

        def full(_job: object) -> None:
            raise Failure(Code.STORAGE, "the disk is full")

        monkeypatch.setattr(room.core.store.writer, "submit", full)
        with pytest.raises(Failure, match="the disk is full"):
            await room.write("r2", **HERE)
        monkeypatch.undo()
        await room.write("r3", **HERE)
        await is_whole(room, 2)
        assert room.plane.core.quorum.open == {}

    play(tmp_path, scene)


def test_a_fenced_node_refuses_before_it_looks_at_anything(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        room.plane.on_fence = lambda _reason: None
        room.ack("b", upto=9)
        assert room.plane.core.fenced
        with pytest.raises(Failure) as refused:
            await room.write("r2", key="k", **HERE)
        assert refused.value.code is Code.UNAVAILABLE
        assert "recovering.md" in refused.value.next
        assert len(await room.ops()) == 1

    play(tmp_path, scene)


# ---- the same key again --------------------------------------------------------------------------


def test_a_retry_under_no_quorum_gives_the_first_answer_and_how_it_stands(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        first = await room.write("r2", key="k", **HERE)
        room.clock.move(seconds=60)
        again = await room.write("something else to do", key="k", deadline_ms=0)
        assert (again.response, again.write_ids) == (first.response, first.write_ids)
        assert again.replayed
        assert again.ack.outcome is Outcome.PENDING
        assert {one.name for one in again.ack.peers} == {"b", "c"}
        room.beat("b")
        once_more = await room.write("something else to do", key="k")
        assert once_more.write_ids == first.write_ids
        assert once_more.ack.outcome is Outcome.COMMITTED
        await is_whole(room, 2)

    play(tmp_path, scene)


def test_a_retry_in_reach_of_all_waits_for_the_first_write_and_makes_no_second(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        first = await room.write("r2", key="k", **HERE)
        again = asyncio.ensure_future(room.write("r3", key="k", deadline_ms=60_000))
        await asyncio.sleep(0)
        room.ack("c")
        answered = await again
        assert answered.replayed
        assert answered.write_ids == first.write_ids
        assert answered.ack.outcome is Outcome.COMMITTED
        await is_whole(room, 2)

    play(tmp_path, scene)


@pytest.mark.parametrize("away", [False, True])
def test_a_key_that_was_used_for_another_request_is_refused(tmp_path: Path, away: bool) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        await room.write("r2", key="k", **HERE)
        room.clock.move(seconds=60 if away else 0)
        with pytest.raises(Failure) as refused:
            await room.core.replica.write(
                room.intent("k", said=b"o" * 32), lambda _tx: b"never", Wish(deadline_ms=0)
            )
        assert refused.value.code is Code.CONFLICT
        await is_whole(room, 2)

    play(tmp_path, scene)


def test_a_write_that_changes_nothing_is_committed_and_its_key_remembered(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)

        def work(_tx: Tx) -> bytes:
            return b"as it was"

        intent = room.intent("k")
        first = await room.core.replica.write(intent, work)
        assert (first.response, first.write_ids) == (b"as it was", ())
        assert first.ack.outcome is Outcome.COMMITTED
        room.clock.move(seconds=60)
        again = await room.core.replica.write(intent, lambda _tx: b"never", Wish(deadline_ms=0))
        assert (again.response, again.replayed) == (b"as it was", True)
        assert again.ack.outcome is Outcome.COMMITTED

    play(tmp_path, scene)


# ---- how it is kept ------------------------------------------------------------------------------


def test_time_running_out_leaves_the_write_pending_with_everyones_reason(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        writing_on = asyncio.ensure_future(room.write("r2", deadline_ms=20))
        await room.until(lambda: room.plane.core.own_seq == 2)
        room.clock.move(seconds=0.05)
        ack = (await writing_on).ack
        assert (ack.outcome, ack.acks, ack.needed) == (Outcome.PENDING, 1, 2)
        assert {one.name: one.state for one in ack.peers} == {"b": "behind", "c": "behind"}
        await is_whole(room, 2)

    play(tmp_path, scene)


def test_w_is_the_number_of_disks_that_are_waited_for(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        writing_on = asyncio.ensure_future(room.write("r2", needed=3, deadline_ms=60_000))
        await room.until(lambda: room.plane.core.own_seq == 2)
        room.ack("b")
        await asyncio.sleep(0)
        assert not writing_on.done()
        room.ack("c")
        ack = (await writing_on).ack
        assert (ack.outcome, ack.acks, ack.needed) == (Outcome.COMMITTED, 3, 3)

    play(tmp_path, scene)


def test_a_burst_that_is_too_far_ahead_is_slowed_down_and_not_refused(tmp_path: Path) -> None:
    """Members that are in reach but behind will be level in a moment."""

    async def scene(room: Room) -> None:
        await in_a_team(room)
        for name in "bc":
            room.plane.core.links[room.id(name)].paused_until_us = room.clock.us + 1_000_000
        writing_on = asyncio.ensure_future(room.write("r2", deadline_ms=60_000))
        await asyncio.sleep(0.05)
        assert not writing_on.done()
        assert len(await room.ops()) == 1
        room.clock.move(seconds=1.5)
        room.beat()
        await room.until(lambda: room.plane.core.own_seq == 2)
        room.ack("b")
        assert (await writing_on).ack.outcome is Outcome.COMMITTED
        await is_whole(room, 2)

    play(tmp_path, scene)


def test_the_members_that_may_hold_a_write_are_those_that_count(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        pair = frozenset({room.me, room.id("c")})
        room.core.replica.copies = lambda _session, _ops: (2, pair)
        room.core.replica.copies_set = True
        writing_on = asyncio.ensure_future(room.write("r2", deadline_ms=60_000))
        await room.until(lambda: room.plane.core.own_seq == 2)
        room.ack("b")
        await asyncio.sleep(0)
        assert not writing_on.done()
        room.ack("c")
        assert (await writing_on).ack.outcome is Outcome.COMMITTED

    play(tmp_path, scene)


# ---- left in the middle --------------------------------------------------------------------------


def test_a_caller_that_leaves_midway_leaves_the_log_as_if_it_had_stayed(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        inside, go_on = threading.Event(), threading.Event()

        def work(tx: Tx) -> bytes:
            inside.set()
            assert go_on.wait(10)
            tx.change(note("r2"))
            return b"done"

        writing_on = asyncio.ensure_future(
            room.core.replica.write(room.intent("k"), work, Wish(deadline_ms=60_000))
        )
        await asyncio.to_thread(inside.wait, 10)
        writing_on.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing_on
        assert writing_on.cancelled()
        go_on.set()
        await room.until(lambda: room.plane.core.own_seq == 2)
        await is_whole(room, 2)
        await room.until(lambda: len(room.net.appends) >= 2)
        room.ack("b", "c")
        assert room.plane.core.quorum.open == {}
        again = await room.core.replica.write(room.intent("k"), lambda _tx: b"never")
        assert (again.response, again.replayed) == (b"done", True)
        await is_whole(room, 2)

    play(tmp_path, scene)


def test_a_caller_that_leaves_while_others_are_waited_for_takes_nothing_back(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        writing_on = asyncio.ensure_future(room.write("r2", deadline_ms=60_000))
        await room.until(lambda: room.plane.core.own_seq == 2)
        writing_on.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing_on
        room.ack("b")
        assert room.plane.committed[room.own] == 2
        await is_whole(room, 2)

    play(tmp_path, scene)


def test_a_caller_that_leaves_a_write_that_fails_is_missed_by_nobody(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        inside, go_on = threading.Event(), threading.Event()

        def work(_tx: Tx) -> bytes:
            inside.set()
            assert go_on.wait(10)
            raise Failure(Code.CONFLICT, "no")

        writing_on = asyncio.ensure_future(room.core.replica.write(room.intent(), work))
        await asyncio.to_thread(inside.wait, 10)
        writing_on.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing_on
        go_on.set()
        await room.until(lambda: not room.plane.core.quorum.open)
        await room.write("r2", **HERE)
        await is_whole(room, 2)

    play(tmp_path, scene)


def test_what_still_waits_for_the_disk_when_the_node_is_fenced_is_never_written(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await in_a_team(room)
        go, busy = threading.Event(), threading.Event()

        def block(_session: Any) -> None:
            busy.set()
            go.wait(10)

        room.core.store.writer.submit(block)
        await asyncio.to_thread(busy.wait, 10)
        late = asyncio.ensure_future(room.write("late", **HERE))
        await asyncio.sleep(0)
        room.ack("b", upto=99)  # an old disk image: others hold ops under the next numbers
        go.set()
        with pytest.raises(Failure) as refused:
            await late
        assert refused.value.code is Code.UNAVAILABLE
        assert [op.record_id for op in await room.ops()] == ["first"]

    play(tmp_path, scene)


def test_what_only_a_learner_may_hold_beside_the_writer_can_be_written(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather(learners="c")
        room.beat()
        keeper = frozenset({room.id("c")})
        room.core.replica.copies = lambda _session, _ops: (0, keeper)
        writing_ = asyncio.ensure_future(room.write("r1"))
        await room.until(lambda: room.net.appends)
        assert not writing_.done()
        room.ack("c")
        assert (await writing_).ack.outcome is Outcome.COMMITTED

    play(tmp_path, scene)
