"""A link that can be made bad: what passes, what does not, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from chaos.link import Link

HANG_S = 20
"""Reached only when something hangs."""
HOST = "127.0.0.1"


class Stage:
    """A far end that repeats in capitals what it hears, and a link to it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.turned = asyncio.Event()
        self.link: Link
        self._open: list[asyncio.StreamWriter] = []

    async def begin(self) -> None:
        self._server = await asyncio.start_server(self._repeat, HOST, 0, limit=1 << 20)
        self.link = Link(HOST, self._server.sockets[0].getsockname()[1])
        await self.link.start()

    async def end(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        await self.link.stop()
        self._server.close()

    async def _repeat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        with suppress(OSError):
            while line := await reader.readline():
                self.heard.append(line)
                self.turned.set()
                writer.write(line.upper())
                await writer.drain()
        writer.close()

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, self.link.port)
        self._open.append(writer)
        return reader, writer

    async def heard_of(self, line: bytes) -> None:
        while line not in self.heard:
            self.turned.clear()
            await self.turned.wait()


def play(scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        stage = Stage()
        await stage.begin()
        try:
            async with asyncio.timeout(HANG_S):
                await scene(stage)
        finally:
            await stage.end()

    asyncio.run(run())


async def ask(ends: tuple[asyncio.StreamReader, asyncio.StreamWriter], line: bytes) -> bytes:
    ends[1].write(line)
    await ends[1].drain()
    return await ends[0].readline()


async def is_silent(reader: asyncio.StreamReader) -> bool:
    """Nothing comes and nothing ends, for as long as a local answer takes many times over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read(1)
            return False
    return True


def test_a_good_link_passes_everything_both_ways() -> None:
    async def scene(stage: Stage) -> None:
        ends = await stage.dial()
        assert await ask(ends, b"one\n") == b"ONE\n"
        large = b"x" * 300_000 + b"\n"
        ends[1].write(b"two\n")
        assert await ends[0].readline() == b"TWO\n"
        ends[1].write(large)
        assert await ends[0].readexactly(len(large)) == large.upper()

    play(scene)


def test_a_held_link_takes_bytes_and_tells_nobody() -> None:
    async def scene(stage: Stage) -> None:
        ends = await stage.dial()
        assert await ask(ends, b"one\n") == b"ONE\n"
        stage.link.hold()
        ends[1].write(b"two\n")
        await ends[1].drain()
        assert await is_silent(ends[0])
        assert stage.heard == [b"one\n"]

    play(scene)


def test_a_connection_made_while_the_link_is_held_hangs_too() -> None:
    async def scene(stage: Stage) -> None:
        stage.link.hold()
        ends = await stage.dial()
        ends[1].write(b"one\n")
        assert await is_silent(ends[0])
        assert stage.heard == []

    play(scene)


def test_one_way_only_what_is_sent_forth_is_lost() -> None:
    async def scene(stage: Stage) -> None:
        stage.link.faults.delay_s = 0.02
        ends = await stage.dial()
        ends[1].write(b"one\n")
        await stage.heard_of(b"one\n")
        stage.link.hold(one_way=True)
        assert await ends[0].readline() == b"ONE\n", "the answer was still on its way"
        ends[1].write(b"two\n")
        assert await is_silent(ends[0])
        assert stage.heard == [b"one\n"]

    play(scene)


def test_after_a_heal_new_connections_work_and_the_held_ones_stay_dead() -> None:
    async def scene(stage: Stage) -> None:
        old = await stage.dial()
        assert await ask(old, b"one\n") == b"ONE\n"
        stage.link.hold()
        late = await stage.dial()
        await asyncio.sleep(0)
        late[1].write(b"lost\n")
        assert await is_silent(late[0])
        stage.link.heal()
        old[1].write(b"two\n")
        late[1].write(b"three\n")
        assert await is_silent(old[0])
        assert await is_silent(late[0])
        assert await ask(await stage.dial(), b"four\n") == b"FOUR\n"
        assert stage.heard == [b"one\n", b"four\n"]

    play(scene)


def test_a_cut_link_resets_what_is_open_and_comes_back_when_it_is_healed() -> None:
    async def scene(stage: Stage) -> None:
        ends = await stage.dial()
        assert await ask(ends, b"one\n") == b"ONE\n"
        stage.link.cut()
        with suppress(ConnectionError):
            assert await ends[0].read() == b""
        stage.link.heal()
        assert await ask(await stage.dial(), b"two\n") == b"TWO\n"

    play(scene)


def test_a_slow_link_keeps_the_order() -> None:
    async def scene(stage: Stage) -> None:
        stage.link.faults.delay_s = 0.001
        reader, writer = await stage.dial()
        for at in range(50):
            writer.write(b"line %d\n" % at)
            await writer.drain()
        assert [await reader.readline() for _ in range(50)] == [b"LINE %d\n" % n for n in range(50)]

    play(scene)


def test_the_end_of_what_one_side_says_reaches_the_other() -> None:
    async def scene(stage: Stage) -> None:
        reader, writer = await stage.dial()
        writer.write(b"last words\n")
        writer.write_eof()
        assert await reader.read() == b"LAST WORDS\n"

    play(scene)


def test_a_far_end_that_is_not_there_ends_the_connection() -> None:
    async def scene(stage: Stage) -> None:
        gone = Link(HOST, 1)
        await gone.start()
        try:
            reader, _ = await asyncio.open_connection(HOST, gone.port)
            with suppress(ConnectionError):
                assert await reader.read() == b""
        finally:
            await gone.stop()
        assert stage.heard == []

    play(scene)


def test_a_link_that_was_stopped_frees_its_port() -> None:
    async def scene(stage: Stage) -> None:
        ends = await stage.dial()
        assert await ask(ends, b"one\n") == b"ONE\n"
        port = stage.link.port
        await stage.link.stop()
        with suppress(ConnectionError):
            assert await ends[0].read() == b""
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(HOST, port)

    play(scene)
