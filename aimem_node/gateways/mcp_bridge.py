"""Carry MCP between a byte stream and the SDK's message streams.

The end of input does not mean that nobody listens: a script that pipes its requests in closes
its side at once and still wants the answers. So requests that are under way are finished first,
for as long as a caller might reasonably wait.
"""

import asyncio
import contextlib
from typing import Any, Protocol

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import Server
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import INVALID_REQUEST, PARSE_ERROR
from pydantic import ValidationError

from aimem_node.gateways.lines import LineTooLong, rpc_error

HALF_OPEN_S_MAX = 5.0
"""How long answers are still worked on after the client has closed its side."""

_Incoming = SessionMessage | Exception


class Lines(Protocol):
    """Where messages come from."""

    async def next(self) -> bytes | None:
        """The next line, or None at the end. Raises LineTooLong."""
        ...


class Bridge:
    """One client's conversation with one server."""

    def __init__(self, lines: Lines, writer: asyncio.StreamWriter) -> None:
        self._lines = lines
        self._writer = writer
        self._under_way: set[types.RequestId] = set()
        self._idle = asyncio.Event()

    async def serve(self, server: Server[Any]) -> None:
        """Talk until the client leaves or breaks the rules of the line."""
        to_server, from_client = anyio.create_memory_object_stream[_Incoming](0)
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read, to_server)
            tasks.start_soon(self._write, from_server, tasks.cancel_scope)
            await server.run(from_client, to_client, server.create_initialization_options())
            tasks.cancel_scope.cancel()

    async def _read(self, to_server: MemoryObjectSendStream[_Incoming]) -> None:
        async with to_server:
            try:
                while (line := await self._lines.next()) is not None:
                    message = await self._parse(line)
                    if message is not None:
                        self._note(message)
                        await to_server.send(SessionMessage(message))
            except LineTooLong as fault:
                await self._say(rpc_error(INVALID_REQUEST, str(fault)))
            except (ConnectionError, anyio.BrokenResourceError):
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HALF_OPEN_S_MAX):
                    while self._under_way:
                        self._idle.clear()
                        await self._idle.wait()

    async def _parse(self, line: bytes) -> types.JSONRPCMessage | None:
        """A message, or None when the line was blank or has been answered with an error."""
        if not line.strip():
            return None
        try:
            return types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValidationError as fault:
            broken = any(error["type"] == "json_invalid" for error in fault.errors())
        code, text = (
            (PARSE_ERROR, "the line is not JSON")
            if broken
            else (INVALID_REQUEST, "the line is not a JSON-RPC 2.0 message")
        )
        await self._say(rpc_error(code, text))
        return None

    def _note(self, message: types.JSONRPCMessage) -> None:
        """Remember what is waiting for an answer."""
        match message:
            case types.JSONRPCRequest():
                self._under_way.add(message.id)
            case types.JSONRPCNotification(method="notifications/cancelled"):
                self._settle((message.params or {}).get("requestId"))
            case _:
                pass

    def _settle(self, request_id: Any) -> None:
        self._under_way.discard(request_id)
        if not self._under_way:
            self._idle.set()

    async def _write(
        self, from_server: MemoryObjectReceiveStream[SessionMessage], scope: anyio.CancelScope
    ) -> None:
        async with from_server:
            try:
                async for item in from_server:
                    text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                    await self._say(text.encode() + b"\n")
                    if isinstance(item.message, types.JSONRPCResponse | types.JSONRPCError):
                        self._settle(item.message.id)
            except ConnectionError:
                scope.cancel()

    async def _say(self, line: bytes) -> None:
        self._writer.write(line)
        await self._writer.drain()
