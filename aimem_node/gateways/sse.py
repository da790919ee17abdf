"""Write an endless answer: one JSON value a line, or server-sent events.

The items are drawn by a task of their own into a short queue, so a slow reader slows the
source down, many small items travel in one write, and a caller that has gone away stops the
work at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Send

from aimem_node.contract import codec, errors
from aimem_node.contract.errors import Failure
from aimem_node.gateways.mistakes import as_failure

ITEMS_WAITING_MAX = 256
"""Items drawn ahead of a slow reader."""

FIRST_ITEM_WAIT_S = 0.2
"""How long the status line waits for a failure. A refusal comes at once; an event may never."""

HEARTBEAT_S = 15.0
"""Below the shortest idle time-outs in use (30 s)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How items are written."""

    media_type: str
    item: Callable[[Any], bytes]
    failure: Callable[[Failure], bytes]
    heartbeat: bytes
    """Written when nothing else was for HEARTBEAT_S; empty for none."""


def _line(obj: Any) -> bytes:
    return codec.dumps(obj).encode()


def _event(value: Any) -> bytes:
    token = getattr(value, "token", None)
    mark = b"id: " + token.encode() + b"\n" if isinstance(token, str) and "\n" not in token else b""
    return mark + b"data: " + _line(codec.to_json(value)) + b"\n\n"


LINES = Dialect(
    media_type="application/x-ndjson",
    item=lambda value: _line(codec.to_json(value)) + b"\n",
    failure=lambda failure: _line(errors.to_json(failure)) + b"\n",
    heartbeat=b"",
)
"""One item a line. A failure in mid-stream is the last line: the error object of the API."""

EVENTS = Dialect(
    media_type="text/event-stream",
    item=_event,
    failure=lambda failure: b"event: failure\ndata: " + _line(errors.to_json(failure)) + b"\n\n",
    heartbeat=b": here\n\n",
)
"""Server-sent events; the id is the item's token, so that a reconnect goes on after it."""


def dialect_for(accept: str) -> Dialect:
    """The dialect that an Accept header asks for."""
    return EVENTS if EVENTS.media_type in accept.lower() else LINES


class _End:
    """The last thing in the queue: why no more items come."""

    def __init__(self, failure: Failure | None) -> None:
        self.failure = failure


class Streaming:
    """One streamed answer on its way to one caller."""

    def __init__(
        self,
        operation: str,
        items: AsyncIterator[Any],
        dialect: Dialect,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._operation = operation
        self._items = items
        self._dialect = dialect
        self._heartbeat_s = heartbeat_s
        self._queue: asyncio.Queue[bytes | _End] = asyncio.Queue(ITEMS_WAITING_MAX)

    async def send(
        self,
        send: Send,
        gone: Awaitable[Any],
        refuse: Callable[[Failure], Awaitable[None]],
    ) -> None:
        """Write items until they end, the caller is `gone`, or `gone` is set by a closing node.

        A failure before the first item is handed to `refuse`, which still owns the status line.
        """
        left = asyncio.ensure_future(gone)
        pump = asyncio.create_task(self._draw())
        try:
            first = await self._next(left, FIRST_ITEM_WAIT_S)
            if isinstance(first, _End) and first.failure is not None:
                await refuse(first.failure)
                return
            await self._start(send)
            await self._write(send, left, first)
        finally:
            left.cancel()
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump

    async def _draw(self) -> None:
        end = _End(None)
        try:
            async for value in self._items:
                await self._queue.put(self._dialect.item(value))
        except Exception as fault:
            end = _End(as_failure(fault, self._operation))
        finally:
            close = getattr(self._items, "aclose", None)
            if close is not None:
                await close()
        await self._queue.put(end)

    async def _next(self, left: "asyncio.Future[Any]", wait_s: float) -> bytes | _End | None:
        """What comes next: an item, the end (also when the caller left), or None after wait_s."""
        if left.done():
            return _End(None)
        with contextlib.suppress(asyncio.QueueEmpty):
            return self._queue.get_nowait()
        getting = asyncio.create_task(self._queue.get())
        try:
            await asyncio.wait({getting, left}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
            return _End(None) if left.done() else None
        finally:
            getting.cancel()

    async def _start(self, send: Send) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        start = Response(None, 200, headers, media_type=self._dialect.media_type)
        raw = [pair for pair in start.raw_headers if pair[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": b"", "more_body": True})

    async def _write(
        self, send: Send, left: "asyncio.Future[Any]", first: bytes | _End | None
    ) -> None:
        waiting: bytes | _End | None = first
        while not isinstance(waiting, _End):
            body = self._dialect.heartbeat if waiting is None else waiting + self._ready()
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            waiting = await self._next(left, self._heartbeat_s)
        last = self._dialect.failure(waiting.failure) if waiting.failure is not None else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})

    def _ready(self) -> bytes:
        """Whatever else has been drawn already, up to the end."""
        parts: list[bytes] = []
        while not self._queue.empty():
            part = self._queue.get_nowait()
            if isinstance(part, _End):
                self._queue.put_nowait(part)
                break
            parts.append(part)
        return b"".join(parts)
