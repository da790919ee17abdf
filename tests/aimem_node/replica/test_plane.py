"""The core among real things: what it decides is done, in order, and what it waits for is told."""

import asyncio
import contextlib
import threading
from pathlib import Path

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Outcome
from aimem_node.replica import outbox
from aimem_node.replica import plane as plane_module
from aimem_sync.cursor import Cursor
from aimem_sync.dataplane import DataPlane
from aimem_sync.dot import Origin
from aimem_sync.log import Head
from aimem_sync.messages import Append, AppendAck, Beat, Pull, Snapshot, SnapshotRequired
from aimem_sync.op import Op, decode_op, encode_op
from tests.aimem_node.replica.members_stage import Room, play


def seqs(encoded: list[bytes]) -> list[int]:
    return [decode_op(one).seq for one in encoded]


async def many(room: Room, count: int, size: int = 10) -> None:
    """Ops in node a's own log that nobody was told of while they were made."""
    for at in range(count):
        await room.write(f"{at:03}" + "x" * size, needed=1, allow_pending=True)


# ---- to other members ----------------------------------------------------------------------------


def test_a_write_goes_to_every_member_in_reach_and_counts_once_one_of_them_holds_it(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        writing = asyncio.ensure_future(room.write(key="k"))
        await room.until(lambda: len(room.net.appends) == 2)
        assert {to for to, _, _ in room.net.appends} == {room.id("b"), room.id("c")}
        assert [seqs(ops) for _, ops, _ in room.net.appends] == [[1], [1]]
        assert [len(beside) for _, _, beside in room.net.appends] == [1, 1]
        assert not writing.done()
        room.ack("b")
        assert (await writing).ack.outcome is Outcome.COMMITTED

    play(tmp_path, scene)


def test_writes_that_one_commit_has_kept_go_out_in_one_append(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        writer, may_go_on = room.core.store.writer, threading.Event()
        writer.submit(lambda _session: may_go_on.wait())
        writing = [asyncio.ensure_future(room.write(f"r{at}")) for at in range(3)]
        await room.until(lambda: len(writer._waiting) >= 3)
        may_go_on.set()
        writer.submit(lambda _session: None).result()  # the loop stands until all is on disk
        await room.until(lambda: len(room.net.appends) == 2)
        assert [seqs(ops) for _, ops, _ in room.net.appends] == [[1, 2, 3]] * 2
        room.ack("b")
        await asyncio.gather(*writing)

    play(tmp_path, scene)


def test_ops_are_sent_alike_from_memory_and_from_the_file(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        await many(room, 5)
        room.beat("b", heads={})
        await room.until(lambda: room.net.appends)
        room.plane.recent.clear()
        room.beat("c", heads={})
        await room.until(lambda: len(room.net.appends) == 2)
        (_, from_memory, beside_one), (_, from_file, beside_two) = room.net.appends
        assert seqs(from_memory) == [1, 2, 3, 4, 5]
        assert from_memory == from_file
        assert beside_one == beside_two
        assert [encode_op(op) for op in await room.ops()] == from_file

    play(tmp_path, scene)


@pytest.mark.parametrize("remembered", [True, False])
def test_an_append_obeys_the_byte_limit_and_the_rest_follows_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered: bool
) -> None:
    monkeypatch.setattr(outbox, "BATCH_BYTES_MAX", 2_500)

    async def scene(room: Room) -> None:
        await room.gather()
        await many(room, 6, size=700)
        if not remembered:
            room.plane.recent.clear()
        room.beat("b", heads={})
        got: list[int] = []
        while len(got) < 6:
            await room.until(lambda: room.net.appends)
            _, ops, _ = room.net.appends.pop()
            assert sum(map(len, ops)) <= 2_500
            got += seqs(ops)
            room.ack("b", upto=got[-1])
        assert got == [1, 2, 3, 4, 5, 6]

    play(tmp_path, scene)


def test_a_page_obeys_the_byte_limit_but_is_never_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        await many(room, 6, size=700)
        room.beat("b")
        sizes = [len(encode_op(op)) for op in await room.ops()]
        limits = {1 << 20: 6, sum(sizes[:2]) + 9: 2, 10: 1}
        for pull_id, (limit, wanted) in enumerate(limits.items(), 1):
            monkeypatch.setattr(outbox, "BATCH_BYTES_MAX", limit)
            room.say("b", Pull(pull_id, (room.own,), Cursor(), 256))
            await room.until(lambda: room.net.pages)
            answered, ops, _ = room.net.pages.pop()
            assert (answered, seqs(ops)) == (pull_id, list(range(1, wanted + 1)))

    play(tmp_path, scene)


def test_what_a_stranger_says_is_noted_and_nothing_else(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather(without="c")
        room.say("c", Append(2, tuple(room.write_ops("c", 1)), 0))
        assert room.plane.tallies.notes["a key that opens nothing"] == 1
        assert await room.ops(room.log_of("c")) == []

    play(tmp_path, scene)


# ---- from other members --------------------------------------------------------------------------


def test_ops_of_others_are_on_disk_before_they_are_acknowledged(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        ops = room.write_ops("b", 3)
        acked: list[tuple[AppendAck, int]] = []
        send = room.net.send

        def look(node_id: str, message: object) -> None:
            if isinstance(message, AppendAck):
                here = room.core.store.readers.submit(lambda view: view.have()).result(10)
                acked.append((message, here.get(room.log_of("b"))))
            send(node_id, message)  # type: ignore[arg-type]

        room.net.send = look  # type: ignore[method-assign]
        room.say("b", Append(2, tuple(ops), 0))
        await room.until(lambda: acked)
        ((ack, on_disk),) = acked
        assert (ack.answered, ack.durable_seq) == (3, 3)
        assert on_disk == 3
        assert await room.ops(room.log_of("b")) == ops

    play(tmp_path, scene)


def test_an_append_that_comes_twice_is_kept_once_and_answered_twice(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        append = Append(2, tuple(room.write_ops("b", 2)), 0)
        room.say("b", append)
        await room.until(lambda: acks(room))
        room.say("b", append)
        await room.until(lambda: len(acks(room)) == 2)
        assert [ack.durable_seq for ack in acks(room)] == [2, 2]
        assert len(await room.ops(room.log_of("b"))) == 2

    play(tmp_path, scene)


def acks(room: Room) -> list[AppendAck]:
    return [message for _, message in room.net.sent if isinstance(message, AppendAck)]


def test_a_member_that_is_behind_is_pulled_from(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        last = room.write_ops("c", 4)[-1]
        await lagging(room, {room.log_of("c"): head(last)})
        pull = await room.until(
            lambda: next((m for _, m in room.net.sent if isinstance(m, Pull)), 0)
        )
        assert pull.origins == (room.log_of("c"),)

    play(tmp_path, scene)


def head(op: Op) -> Head:
    return Head(op.seq, op.chain)


async def lagging(room: Room, heads: dict[Origin, Head]) -> None:
    """Member b has more than node a, and goes on having more."""
    room.beat("b", heads=heads)
    room.clock.move(seconds=1)
    room.beat("b", heads=heads)


def test_a_snapshot_that_is_no_good_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        last = room.write_ops("c", 4)[-1]
        heads = {room.log_of("c"): head(last)}
        await lagging(room, heads)
        pull = await room.until(
            lambda: next((m for _, m in room.net.sent if isinstance(m, Pull)), 0)
        )
        room.say("b", SnapshotRequired(pull.pull_id, Cursor()))
        ((to, pull_id),) = await room.until(lambda: room.net.downloads)
        assert to == room.id("b")
        room.plane.downloading(to, pull_id, 5, 10)
        assert (room.plane.download.done, room.plane.download.total) == (5, 10)
        file = room.home / "snapshot.in"
        file.write_bytes(b"no store at all")
        room.plane.downloaded(
            room.others["b"].fingerprint, Snapshot(pull_id, heads, Cursor(), 9), file
        )
        await room.until(lambda: room.plane.download.installed)
        assert not file.exists()
        room.ack("b", upto=0)
        assert (await room.write(needed=1)).ack.outcome is Outcome.COMMITTED

    play(tmp_path, scene)


# ---- time ----------------------------------------------------------------------------------------


def test_a_deadline_fires_without_any_other_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane_module, "TICK_S", 3_600.0)
    monkeypatch.setattr(plane_module, "TICK_ALONE_S", 3_600.0)

    async def scene(room: Room) -> None:
        await room.gather()
        writing = asyncio.ensure_future(room.write(allow_pending=True, deadline_ms=40))
        await room.until(lambda: room.plane.core.own_seq)
        room.clock.move(seconds=1)
        written = await writing
        assert written.ack.outcome is Outcome.PENDING
        reading = room.plane.ask_read(
            Cursor({room.log_of("b"): 9}), room.clock.monotonic_us() + 40_000
        )
        room.clock.move(seconds=1)
        assert [gap.last for gap in (await reading).missing] == [9]

    play(tmp_path, scene)


def test_a_read_is_served_once_what_it_waits_for_is_on_disk(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        soon = room.clock.monotonic_us() + 60_000_000
        reading = room.plane.ask_read(Cursor({room.log_of("b"): 2}), soon)
        assert not reading.done()
        room.say("b", Append(2, tuple(room.write_ops("b", 2)), 0))
        assert await reading is None
        assert len(await room.ops(room.log_of("b"))) == 2

    play(tmp_path, scene)


def test_members_are_beaten_to_twice_a_second(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        for _ in range(3):
            room.net.sent.clear()
            room.clock.move(seconds=0.5)
            beats = await room.until(
                lambda: len([1 for _, m in room.net.sent if isinstance(m, Beat)]) // 2
            )
            assert beats == 1

    play(tmp_path, scene)


# ---- another list of members ---------------------------------------------------------------------


def test_a_swap_keeps_the_writes_in_hand(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        config = await room.gather()
        await many(room, 1)
        room.beat()
        writing = asyncio.ensure_future(room.write(deadline_ms=60_000))
        await room.until(lambda: room.net.appends)
        await room.core.cluster.force(room.config(epoch=config.epoch + 1))
        assert room.net.followed[-1] == config.epoch + 1
        assert not writing.done(), "nobody was heard in the new epoch yet, but it is in the log"
        room.beat("b", "c")
        written = await writing
        assert written.ack.outcome is Outcome.COMMITTED
        assert len(await room.ops()) == 2, "it was stamped once"

    play(tmp_path, scene)


def test_a_write_that_the_new_list_cannot_hold_is_pending_and_never_called_unwritten(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        writing = asyncio.ensure_future(room.write(needed=3, deadline_ms=60_000))
        await room.until(lambda: room.net.appends)
        await room.core.cluster.found()
        room.clock.move(seconds=61)
        written = await writing
        assert written.ack.outcome is Outcome.PENDING
        assert len(await room.ops()) == 1

    play(tmp_path, scene)


def test_the_connections_follow_every_new_list(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        told = room.net.followed
        await room.gather()
        assert told == [1, 2]
        assert not room.plane.is_alone
        await room.core.cluster.found()
        assert told == [1, 2, 3]
        assert room.plane.is_alone

    play(tmp_path, scene)


# ---- the end -------------------------------------------------------------------------------------


def test_a_fenced_node_takes_nothing_and_tells_whoever_waits_what_is_known(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        room.core.plane.on_fence = lambda _reason: None
        writing = asyncio.ensure_future(room.write(deadline_ms=60_000))
        await room.until(lambda: room.net.appends)
        room.ack("b", upto=7)
        written = await writing
        assert written.ack.outcome is Outcome.PENDING
        assert "stopped writing" in written.ack.reason
        for asked in (lambda: room.write("r2"), lambda: room.core.cluster.change(dropping(room))):
            with pytest.raises(Failure) as refused:
                await asked()
            assert refused.value.code is Code.UNAVAILABLE
        with pytest.raises(Failure):
            room.plane.ask_read(Cursor(), 0)
        assert len(await room.ops()) == 1

    play(tmp_path, scene)


def dropping(room: Room):
    return lambda config: config.without(room.id("c"))


def test_whoever_waits_when_the_node_stops_is_told_that_nothing_more_is_known(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        writing = asyncio.ensure_future(room.write(deadline_ms=60_000))
        soon = room.clock.monotonic_us() + 60_000_000
        reading = room.plane.ask_read(Cursor({room.log_of("b"): 1}), soon)
        await room.until(lambda: room.net.appends)
        await room.plane.close()
        assert (await writing).ack.outcome is Outcome.PENDING
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        assert reading.cancelled()
        room.beat("b")
        assert isinstance(room.plane.core, DataPlane)

    play(tmp_path, scene)


def test_two_that_want_a_snapshot_at_once_get_the_same_file(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await many(room, 3)
        ask = room.plane.snapshot_file
        one, two = await asyncio.gather(ask(room.id("b")), ask(room.id("c")))
        assert one is two
        assert one.heads[room.own].seq == 3
        await many(room, 1)
        assert (await ask(room.id("b"))).heads[room.own].seq == 4

    play(tmp_path, scene)


def test_a_divergence_is_remembered_until_a_repair(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        await room.write(needed=1, allow_pending=True)
        room.clock.move(seconds=6)
        await room.until(lambda: room.plane.core.root)
        room.beat("b", root=room.plane.core.root)
        assert room.plane.diverged_from() == set()
        room.beat("c", root=b"z" * 32)
        assert room.plane.diverged_from() == {room.id("c")}
        room.plane.forget_divergences()
        assert room.plane.diverged_from() == set()

    play(tmp_path, scene)


# ---- another list in the place of this one -------------------------------------------------------


def test_what_waits_for_the_others_is_answered_when_another_list_takes_the_place_of_theirs(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        cluster, plane = room.core.cluster, room.plane
        changing = asyncio.ensure_future(cluster.change(lambda now: now.without(room.id("c"))))
        await room.until(lambda: plane.core.council.proposal)
        deadline_us = room.clock.monotonic_us() + 1_000_000
        reading = plane.ask_read(Cursor({room.log_of("b"): 1}), deadline_us)
        await cluster.found()
        with pytest.raises(Failure) as refused:
            await changing
        assert refused.value.code is Code.UNAVAILABLE
        assert not reading.done()
        room.clock.move(seconds=2)
        assert [gap.last for gap in (await reading).missing] == [1]
        now = await cluster.change(lambda now: now.with_address(room.me, "a", "a.lan:1"))
        assert now.member(room.me).address == "a.lan:1"

    play(tmp_path, scene)


def test_who_waits_when_this_node_stops_writing_is_told_so(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        plane = room.plane
        changing = asyncio.ensure_future(
            room.core.cluster.change(lambda now: now.without(room.id("c")))
        )
        await room.until(lambda: plane.core.council.proposal)
        deadline_us = room.clock.monotonic_us() + 1_000_000
        reading = plane.ask_read(Cursor({room.log_of("b"): 1}), deadline_us)
        room.ack("b", upto=99)  # more than this node has written
        assert plane.core.fenced
        assert (await reading) is not None
        with pytest.raises(Failure):
            await changing

    play(tmp_path, scene)


def test_nobody_waits_for_a_node_that_has_stopped(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        await room.plane.close()
        with pytest.raises(Failure) as refused:
            await room.write("r1", needed=1, allow_pending=True)
        assert refused.value.code is Code.UNAVAILABLE

    play(tmp_path, scene)


def test_a_snapshot_that_nobody_waits_for_any_more_is_removed(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        file = tmp_path / "late.part"
        file.write_bytes(b"much")
        late = Snapshot(99, {}, Cursor(), 0, {}, {})
        room.plane.downloaded(room.others["b"].fingerprint, late, file)
        assert not file.exists()

    play(tmp_path, scene)
