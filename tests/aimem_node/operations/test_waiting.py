"""Waiting for a write to be on enough disks: what is said when it is, is not, or is unknown."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Outcome, WaitDurableRequest, WaitDurableResponse
from aimem_node.operations.call import ClusterCall
from aimem_node.operations.waiting import wait_durable
from aimem_sync.messages import Append
from tests.aimem_node.replica.members_stage import Room, play

HERE = {"needed": 1, "allow_pending": True}


async def wait(room: Room, write_id: str, **fields: Any) -> WaitDurableResponse:
    call = ClusterCall("user:ann", room.clock.now_us(), room.core.cluster, room.core.facts)
    return await wait_durable(call, WaitDurableRequest(write_id=write_id, **fields))


async def written(room: Room) -> str:
    await room.gather()
    room.beat()
    return str((await room.write(**HERE)).write_ids[0])


def test_a_write_that_a_majority_holds_is_answered_at_once(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        write_id = await written(room)
        room.ack("b")
        said = (await wait(room, write_id)).write
        assert (said.outcome, said.acks, said.needed) == (Outcome.COMMITTED, 2, 2)
        assert said.write_ids == (write_id,)
        assert said.replayed is False

    play(tmp_path, scene)


def test_it_waits_until_enough_disks_have_it_and_no_longer(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        write_id = await written(room)
        room.ack("b")
        waiting = asyncio.ensure_future(wait(room, write_id, w=3, deadline_ms=60_000))
        await asyncio.sleep(0)
        assert not waiting.done()
        room.ack("c")
        assert (await waiting).write.outcome is Outcome.COMMITTED

    play(tmp_path, scene)


def test_when_the_time_is_up_it_is_pending_and_every_member_is_named(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        write_id = await written(room)
        said = (await wait(room, write_id, deadline_ms=0)).write
        assert (said.outcome, said.acks, said.needed) == (Outcome.PENDING, 1, 2)
        assert {one.name for one in said.peers} == {"b", "c"}
        assert said.reason

    play(tmp_path, scene)


def test_another_members_write_can_be_waited_for_here(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await written(room)
        (op,) = room.write_ops("b", 1)
        room.say("b", Append(2, (op,), 0))
        await room.until(lambda: room.plane.core.intake.have().covers(op.dot))
        said = (await wait(room, str(op.dot), deadline_ms=60_000)).write
        assert said.outcome is Outcome.COMMITTED, "its origin holds it, and so does this node"

    play(tmp_path, scene)


def test_what_no_log_here_has_heard_of_is_not_found(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await written(room)
        for unknown in (f"{room.own}:99", f"{room.log_of('b')}:1"):
            with pytest.raises(Failure) as refused:
                await wait(room, unknown)
            assert (refused.value.code, refused.value.path) == (Code.NOT_FOUND, "$.write_id")

    play(tmp_path, scene)


@pytest.mark.parametrize("nonsense", ["x", "a:b", ":1", "1"])
def test_what_is_no_write_id_is_refused_with_the_place_of_the_mistake(
    tmp_path: Path, nonsense: str
) -> None:
    async def scene(room: Room) -> None:
        with pytest.raises(Failure) as refused:
            await wait(room, nonsense)
        assert (refused.value.code, refused.value.path) == (Code.INVALID_ARGUMENT, "$.write_id")

    play(tmp_path, scene, names="")


def test_a_written_op_is_never_called_unwritten_however_many_are_wanted(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        write_id = await written(room)
        said = (await wait(room, write_id, w=9)).write
        assert (said.outcome, said.acks, said.needed) == (Outcome.PENDING, 1, 9)
        assert said.reason == "9 voters are needed and there are 3"

    play(tmp_path, scene)


def test_a_fence_ends_the_wait_and_takes_nothing_back(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        write_id = await written(room)
        room.plane.on_fence = lambda _reason: None
        waiting = asyncio.ensure_future(wait(room, write_id, deadline_ms=60_000))
        await asyncio.sleep(0)
        room.ack("b", upto=9)
        said = (await waiting).write
        assert said.outcome is Outcome.PENDING
        assert "stopped writing" in said.reason

    play(tmp_path, scene)
