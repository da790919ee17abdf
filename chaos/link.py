"""A TCP link that can be made bad: held, cut, slowed, and healed again.

The kernels we test on have no netem, so what a bad network does is done here, between two ends
that know nothing of it. A held link is the worst of them: bytes are accepted and go nowhere, as
behind a firewall that drops packets, and no end is told. A connection that was held is dead for
good, also after the heal: TCP would wake it by a retransmission, but after twenty seconds of
silence the next of those can be as far away again. So whoever waits for it, instead of noticing and
dialing anew, is seen.
"""

import asyncio
import contextlib
from dataclasses import dataclass

CHUNK_BYTES = 64 * 1024


@dataclass(slots=True)
class Faults:
    """What the link does to what passes. Both directions, unless `one_way` says otherwise."""

    held: bool = False
    "Bytes stay here and connections hang."
    one_way: bool = False
    "Only what the listener's callers send is held; answers pass."
    delay_s: float = 0.0


class Link:
    """Listens on a port of 127.0.0.1 and passes everything to another one, faults permitting."""

    def __init__(self, to_host: str, to_port: int) -> None:
        self.faults = Faults()
        self.port = 0
        self._to = (to_host, to_port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_way = False
        self._dead: set[asyncio.Task[None]] = set()
        "Connections over which nothing passes any more, or (one way) nothing forth."

    async def start(self, port: int = 0) -> int:
        """Listen; the port it got."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    def hold(self, *, one_way: bool = False) -> None:
        """Drop every packet from now on: nobody is told, nothing arrives."""
        self.faults.held, self.faults.one_way = True, one_way
        self._one_way = one_way
        self._dead |= self._tasks

    def cut(self) -> None:
        """Reset every connection and refuse the bytes of new ones."""
        self.hold()
        for writer in tuple(self._open):
            writer.transport.abort()

    def heal(self) -> None:
        """A good link again, for connections that are made from now on."""
        self.faults = Faults()

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        for writer in tuple(self._open):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        if self.faults.held:
            self._dead.add(task)
        onward: asyncio.StreamWriter | None = None
        try:
            far_reader, onward = await asyncio.open_connection(*self._to)
            self._open.add(onward)
            await asyncio.gather(
                self._pass(reader, onward, task, forth=True),
                self._pass(far_reader, writer, task, forth=False),
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, onward):
                if one is not None:
                    self._open.discard(one)
                    one.transport.abort()
            self._tasks.discard(task)
            self._dead.discard(task)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: "asyncio.Task[None]",
        *,
        forth: bool,
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self.faults.delay_s:
                await asyncio.sleep(self.faults.delay_s)
            if connection in self._dead and (forth or not self._one_way):
                continue  # taken, and gone
            writer.write(chunk)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()
