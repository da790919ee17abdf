"""Run the HTTP application on a unix socket and, where asked, on loopback TCP.

uvicorn is made to live inside a loop that somebody else runs: it takes sockets that are open
already, leaves the signals alone, wakes up only when there is something to do, and is stopped
by a call that returns once everything has ended.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from aimem_node.gateways import listeners
from aimem_node.gateways.http import HttpGateway
from aimem_node.gateways.peercred import peer_of

GRACE_S = 1
"""For answers that are under way when the node stops; the promise to callers is 2 s in all."""

CANCEL_WAIT_S = 0.5
"""For calls that were cancelled after that to let go."""

HEADER_BYTES_MAX = 64 * 1024
"""Request line and headers: room for a question in the query string of a GET."""

KEEP_ALIVE_S = 75
"""Longer than most callers' own, so that a pooled connection is closed by its owner."""

LINGER_S = 1.0
"""For the rest of a body that was answered before it was there: enough for a caller on this
machine to send 2 MiB and read why it was refused, and the end of one that never stops."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server listens."""

    unix: str | None
    tcp: tuple[str, int] | None
    """Host and the port that was really bound."""


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that tells the application who is at the other end, as `scope["state"]["peer"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel once for each connection."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        self.app_state = {**self.app_state, "peer": peer_of(connection)}

    def on_response_complete(self) -> None:
        """What still comes of a body is thrown away, but not for ever."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(LINGER_S, self._hang_up, self.cycle)

    def _hang_up(self, answered: object) -> None:
        if self.cycle is answered and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn as a guest in our loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the node's."""
        yield

    async def main_loop(self) -> None:
        """Wait to be stopped instead of looking ten times a second."""
        await self.on_tick(0)
        self.ready.set()
        await self.leave.wait()

    async def cancel_rest(self) -> None:
        """End what outlived its grace."""
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_WAIT_S)
        for connection in list(self.server_state.connections):
            transport: Any = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


class HttpServing:
    """The HTTP servers of one node, inside a running asyncio loop."""

    def __init__(
        self,
        gateway: HttpGateway,
        unix_path: str | None = None,
        tcp: tuple[str, int] | None = None,
    ) -> None:
        assert unix_path is not None or tcp is not None
        self._gateway = gateway
        self._unix_path = unix_path
        self._tcp = tcp
        self._server: _Server | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> Addresses:
        """Listen, and return once requests are answered. Raises OSError for a socket in the way."""
        sockets = []
        try:
            if self._unix_path is not None:
                sockets.append(listeners.open_unix(self._unix_path))
            if self._tcp is not None:
                sockets.append(listeners.open_loopback(*self._tcp))
        except BaseException:
            for opened in sockets:
                opened.close()
            raise
        tcp = sockets[-1].getsockname()[:2] if self._tcp is not None else None
        self._server = _Server(_config(self._gateway))
        self._running = asyncio.create_task(self._server.serve(sockets))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({ready, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            await self._running  # raises what went wrong
        return Addresses(self._unix_path, tcp)

    async def stop(self) -> None:
        """End streams, finish answers that are under way, then stop: within 2 s."""
        if self._server is None or self._running is None:
            return
        await self._gateway.close()
        self._server.leave.set()
        try:
            await asyncio.wait({self._running}, timeout=GRACE_S + CANCEL_WAIT_S / 2)
            await self._server.cancel_rest()
            if not self._running.done():
                self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        finally:
            if self._unix_path is not None:
                listeners.remove_unix(self._unix_path)
            self._server = self._running = None

    async def __aenter__(self) -> Addresses:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _config(gateway: HttpGateway) -> uvicorn.Config:
    return uvicorn.Config(
        gateway,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # a header must not say where a request comes from
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
    )
