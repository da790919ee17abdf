"""The first writes after a start, which wait to be told how far others hold the log."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.values import Outcome
from aimem_sync.startup import GRACE_US
from tests.aimem_node.replica.members_stage import Room, play
from tests.aimem_node.replica.test_writing import in_a_team


async def at_a_start(room: Room) -> asyncio.Future[Any]:
    """A write that waits until others have told how far they hold node a's log."""
    await room.gather()
    room.plane.core.startup.is_over_for_good = False
    waiting = asyncio.ensure_future(room.write(allow_pending=True))
    await room.until(lambda: room.plane.core.startup.held)
    return waiting


def test_a_write_that_waits_for_others_to_speak_is_told_truly_what_became_of_it(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        waiting = await at_a_start(room)
        assert await room.ops() == []
        room.beat()
        await room.until(lambda: room.net.appends)
        room.ack("b")
        assert (await waiting).ack.outcome is Outcome.COMMITTED
        assert len(await room.ops()) == 1

    play(tmp_path, scene)


def test_a_write_that_comes_before_the_way_to_others_is_open_waits_for_it(tmp_path: Path) -> None:
    async def before(room: Room) -> None:
        await in_a_team(room)

    async def scene(room: Room) -> None:
        waiting = asyncio.ensure_future(room.write("r2", allow_pending=True, deadline_ms=60_000))
        await room.until(lambda: room.plane.core.startup.held)
        ops = await room.ops()
        for _ in range(2 * GRACE_US // 200_000):
            room.clock.move(seconds=0.2)
            room.plane._time()
        assert room.plane.core.startup.held
        assert await room.ops() == ops
        room.plane.start(room.net)
        room.beat()
        await room.until(lambda: room.net.appends)
        room.ack("b")
        assert (await waiting).ack.outcome is Outcome.COMMITTED
        assert len(await room.ops()) == len(ops) + 1

    play(tmp_path, before)
    play(tmp_path, scene)


def test_a_caller_that_gives_up_before_others_have_spoken_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        waiting = await at_a_start(room)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        room.beat()
        assert not room.plane.core.startup.held
        assert not room.plane.core.quorum.open
        assert await room.ops() == []

    play(tmp_path, scene)
