"""One open stream to another node: what waits to be written, and what is read.

Nothing here ever waits for the other node but the stream's own task. What is put in while that node
does not read is bounded, and of beats only the last one waits: an older one says nothing that it
does not say better. If it is still too much the stream is given up; the core asks again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc.aio

WAITING_FRAMES_MAX: Final = 1_024
WAITING_BYTES_MAX: Final = 16 * 1024 * 1024
"""One Append and one Page of 1 MiB are outstanding at most; more waits only if nobody reads."""
LET_GO_S: Final = 0.5
"""How long the two halves of an ended stream may take to notice."""

LIVE: Final = "Live"
BULK: Final = "Bulk"


class Pipe:
    """See the module. `is_dialed` says which of the two nodes opened it."""

    def __init__(
        self, node_id: str, fingerprints: tuple[str, ...], name: str, *, is_dialed: bool
    ) -> None:
        self.node_id = node_id
        self.fingerprints = fingerprints
        "One of these keys is the one that the other end has proved."
        self.name = name
        self.is_dialed = is_dialed
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._stuck = asyncio.Event()

    def send(self, frame: bytes, *, is_beat: bool = False) -> None:
        """Have this written after what waits. Never waits itself."""
        if is_beat:
            for at, (waiting, beat) in enumerate(self._waiting):
                if beat:
                    del self._waiting[at]
                    self._bytes -= len(waiting)
                    break
        if len(self._waiting) >= WAITING_FRAMES_MAX or self._bytes > WAITING_BYTES_MAX:
            self._stuck.set()
            return
        self._waiting.append((frame, is_beat))
        self._bytes += len(frame)
        self._more.set()

    async def run(
        self,
        read: Callable[[], Awaitable[Any]],
        write: Callable[[bytes], Awaitable[Any]],
        arrived: Callable[["Pipe", bytes], None],
    ) -> None:
        """Read and write until either ends. Raises what ended it, or nothing if it was closed."""
        # What reading raised comes first: it knows why, where writing only sees that it is over.
        tasks = [
            asyncio.ensure_future(self._read(read, arrived)),
            asyncio.ensure_future(self._write(write)),
            asyncio.ensure_future(self._stuck.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # The caller may be cancelled here too; what is left ends by itself.
            await asyncio.wait(tasks, timeout=LET_GO_S)
        for task in tasks:
            if task in done and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _read(
        self, read: Callable[[], Awaitable[Any]], arrived: Callable[["Pipe", bytes], None]
    ) -> None:
        while (frame := await read()) is not grpc.aio.EOF:
            arrived(self, frame)

    async def _write(self, write: Callable[[bytes], Awaitable[Any]]) -> None:
        while True:
            while self._waiting:
                frame, _ = self._waiting.popleft()
                self._bytes -= len(frame)
                await write(frame)
            self._more.clear()
            await self._more.wait()
