"""A fault of ours in carrying out one thing: it is told, and everything else is done."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.values import Outcome
from aimem_sync.events import WriteWanted
from aimem_sync.messages import Append
from tests.aimem_node.replica.members_stage import Room, play


def test_an_effect_that_fails_keeps_no_other_from_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        sent = room.net.send_append

        def broken(to: str, *more: Any) -> None:
            if to == min(room.id("b"), room.id("c")):
                raise RuntimeError("a fault of ours")
            sent(to, *more)

        monkeypatch.setattr(room.net, "send_append", broken)
        said: list[str] = []
        monkeypatch.setattr(room.plane._log, "error", lambda what, **_: said.append(what))
        writing = asyncio.ensure_future(room.write())
        await room.until(lambda: room.net.appends)
        assert [to for to, _, _ in room.net.appends] == [max(room.id("b"), room.id("c"))]
        assert said == ["effect_failed"]
        assert room.plane.tallies.notes["effect failed"] == 1
        room.ack("b")
        assert (await writing).ack.outcome is Outcome.COMMITTED

    play(tmp_path, scene)


def test_ops_that_a_fault_of_ours_kept_from_the_disk_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        ops = room.write_ops("b", 1)
        with monkeypatch.context() as patched:
            patched.setattr(room.plane._disk, "keep", None)
            room.say("b", Append(2, tuple(ops), 0))
            await room.until(lambda: not room.plane.core.intake.batches)
        room.say("b", Append(2, tuple(ops), 0))
        await room.until(lambda: room.plane.core.intake.have().get(room.log_of("b")) == 1)

    play(tmp_path, scene)


def test_a_write_that_a_fault_of_ours_kept_from_beginning_is_told_so(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()

        def broken(_request: int) -> None:
            raise RuntimeError("a fault of ours")

        answer = room.plane.ask_write(WriteWanted(9, room.clock.monotonic_us() + 10**6), broken)
        with pytest.raises(RuntimeError, match="a fault of ours"):
            await answer

    play(tmp_path, scene)
