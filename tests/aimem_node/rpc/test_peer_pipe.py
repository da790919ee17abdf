"""One stream: what waits is bounded, what is read arrives, and its end is told once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
import pytest

from aimem_node.rpc import peer_pipe
from aimem_node.rpc.peer_pipe import LIVE, Pipe


def pipe() -> Pipe:
    return Pipe("aa" * 16, ("f0" * 32,), LIVE, is_dialed=True)


async def silence() -> Any:
    await asyncio.Event().wait()


def ignore(_pipe: Pipe, _frame: bytes) -> None:
    pass


def within(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(10):
            await work()

    asyncio.run(run())


def test_frames_are_written_in_order_and_of_beats_the_last_one_only() -> None:
    async def work() -> None:
        written: asyncio.Queue[bytes] = asyncio.Queue()
        one = pipe()
        one.send(b"beat 1", is_beat=True)
        one.send(b"ack")
        one.send(b"beat 2", is_beat=True)
        one.send(b"append")
        running = asyncio.ensure_future(one.run(silence, written.put, ignore))
        assert [await written.get() for _ in range(3)] == [b"ack", b"beat 2", b"append"]
        one.send(b"beat 3", is_beat=True)
        assert await written.get() == b"beat 3"
        running.cancel()

    within(work)


def test_what_is_read_arrives_until_the_other_end_closes() -> None:
    async def work() -> None:
        coming = iter([b"1", b"2", grpc.aio.EOF])
        seen: list[bytes] = []

        async def read() -> Any:
            return next(coming)

        one = pipe()
        await one.run(read, lambda _: silence(), lambda _, frame: seen.append(frame))
        assert seen == [b"1", b"2"]

    within(work)


def test_what_ends_a_stream_is_raised() -> None:
    async def work() -> None:
        async def read() -> Any:
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError, match="gone"):
            await pipe().run(read, lambda _: silence(), ignore)

    within(work)


def test_why_reading_ended_counts_more_than_that_writing_did() -> None:
    async def work() -> None:
        async def read() -> Any:
            raise ConnectionError("the reason")

        async def write(_: bytes) -> None:
            raise RuntimeError("it is over")

        one = pipe()
        one.send(b"x")
        with pytest.raises(ConnectionError, match="the reason"):
            await one.run(read, write, ignore)

    within(work)


@pytest.mark.parametrize("name", ["WAITING_FRAMES_MAX", "WAITING_BYTES_MAX"])
def test_a_stream_whose_other_end_does_not_read_is_given_up(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_pipe, name, 10)

    async def work() -> None:
        one = pipe()
        running = asyncio.ensure_future(one.run(silence, lambda _: silence(), ignore))
        for _ in range(30):
            one.send(b"never read")
            await asyncio.sleep(0)
        await running
        assert len(one._waiting) <= 11

    within(work)


def test_beats_alone_never_pile_up() -> None:
    async def work() -> None:
        one = pipe()
        for _ in range(5_000):
            one.send(bytes(10_000), is_beat=True)
        assert len(one._waiting) == 1
        assert one._bytes == 10_000
        assert not one._stuck.is_set()

    within(work)


def test_the_end_of_whoever_runs_a_stream_ends_the_stream() -> None:
    async def work() -> None:
        reading, ended = asyncio.Event(), asyncio.Event()

        async def read() -> Any:
            reading.set()
            try:
                await silence()
            finally:
                ended.set()

        running = asyncio.ensure_future(pipe().run(read, lambda _: silence(), ignore))
        await reading.wait()
        running.cancel()
        await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await running

    within(work)
