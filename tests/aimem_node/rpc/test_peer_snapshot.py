"""A state as a file: whole, or refused."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from aimem_node.rpc import peer_snapshot
from aimem_node.rpc.peer_words import wire_class
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.faults import OpFault
from aimem_sync.log import Head
from tests.aimem_node.rpc.peer_stage import File, file_of

A = Origin("aa" * 16, "01" * 8)
CONTENT = b"".join(at.to_bytes(4) for at in range(192_000))


async def parts_of(file: File) -> list[bytes]:
    async def made() -> File:
        return file

    return [part async for part in peer_snapshot.parts(made())]


def fetched(parts: list[bytes], to: Path) -> tuple[peer_snapshot.SnapshotFacts, list[Any]]:
    """What a receiver makes of these parts."""
    told: list[Any] = []
    left = iter([*parts, grpc.aio.EOF])

    async def read() -> Any:
        return next(left)

    async def run() -> peer_snapshot.SnapshotFacts:
        return await peer_snapshot.fetch(read, to, lambda *at: told.append(at))

    return asyncio.run(run()), told


def a_file(home: Path) -> File:
    file = file_of(home / "out", CONTENT)
    file.heads, file.floor, file.lamport = {A: Head(5, b"\1" * 32)}, Cursor({A: 2}), 40
    return file


def test_a_file_arrives_with_its_facts_and_is_told_of_on_the_way(tmp_path: Path) -> None:
    parts = asyncio.run(parts_of(a_file(tmp_path)))
    assert len(parts) == 4
    facts, told = fetched(parts, tmp_path / "in")
    assert (tmp_path / "in").read_bytes() == CONTENT
    assert (facts.heads, facts.floor, facts.lamport) == (
        {A: Head(5, b"\1" * 32)}, Cursor({A: 2}), 40,
    )  # fmt: skip
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def spoil(at: int) -> Callable[[list[bytes]], list[bytes]]:
    def change(parts: list[bytes]) -> list[bytes]:
        piece = bytearray(parts[at])
        piece[-1] ^= 1
        return [*parts[:at], bytes(piece), *parts[at + 1 :]]

    return change


WAYS: list[Callable[[list[bytes]], list[bytes]]] = [
    spoil(1),
    spoil(3),
    lambda parts: parts[:-1],
    lambda parts: [*parts, parts[1]],
    lambda parts: parts[1:],
    lambda parts: [parts[0], *parts],
    lambda parts: [parts[0], parts[2], parts[1], parts[3]],
    lambda parts: [],
    lambda parts: parts[:1],
    lambda parts: [b"\xff", *parts],
]


@pytest.mark.parametrize("change", WAYS)
def test_a_file_that_is_not_what_its_sender_had_is_refused(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    parts = asyncio.run(parts_of(a_file(tmp_path)))
    with pytest.raises(OpFault):
        fetched(change(parts), tmp_path / "in")


def test_while_a_file_is_being_made_its_receiver_is_told_to_be_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_snapshot, "PATIENCE_S", 0.001)

    async def run() -> None:
        making: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        parts = peer_snapshot.parts(making)
        assert [await anext(parts) for _ in range(3)] == [b"", b"", b""]
        making.set_result(a_file(tmp_path))
        rest = [part async for part in parts]
        assert len([part for part in rest if part]) == 4

    asyncio.run(run())
    _, told = fetched([b"", b"", *asyncio.run(parts_of(a_file(tmp_path)))], tmp_path / "in")
    assert told[:2] == [(0, 0), (0, 0)]


def test_a_file_that_others_wait_for_is_made_though_one_of_them_goes(tmp_path: Path) -> None:
    async def run() -> None:
        making: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        parts = peer_snapshot.parts(making)
        waiting: Awaitable[Any] = asyncio.ensure_future(anext(parts))
        await asyncio.sleep(0)
        waiting.cancel()  # type: ignore[attr-defined]
        await asyncio.wait({waiting})  # type: ignore[type-var]
        assert not making.cancelled()

    asyncio.run(run())


def test_a_sender_that_falls_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_snapshot, "STALL_S", 0.001)

    async def run() -> None:
        async def read() -> Any:
            await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            await peer_snapshot.fetch(read, tmp_path / "in", lambda *_: None)

    asyncio.run(run())


def test_the_hash_may_be_given_as_bytes_too(tmp_path: Path) -> None:
    file = a_file(tmp_path)
    file.sha256 = bytes.fromhex(file.sha256)  # type: ignore[assignment]
    facts, _ = fetched(asyncio.run(parts_of(file)), tmp_path / "in")
    assert len(facts.sha256) == 32


def test_a_question_for_a_snapshot_comes_back() -> None:
    assert peer_snapshot.ask_from(peer_snapshot.ask_bytes(17)) == 17
    with pytest.raises(OpFault):
        peer_snapshot.ask_from(wire_class("SnapshotAsk")(pull_id=1 << 60).SerializeToString())
