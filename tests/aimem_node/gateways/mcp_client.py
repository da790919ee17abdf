"""The official MCP client over the node's MCP socket, as the bridge would connect it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.shared.message import SessionMessage

CLIENT = types.Implementation(name="Test Client", version="1")


def preface(**fields: Any) -> bytes:
    """The bridge's first line."""
    said = {"aimem_mcp": 1, "profile": "core", "agent_id": None, **fields}
    return json.dumps(said).encode() + b"\n"


@asynccontextmanager
async def transport(path: str, first: bytes) -> AsyncIterator[tuple[Any, Any]]:
    """A pair of message streams over one connection."""
    reader, writer = await asyncio.open_unix_connection(path, limit=8 << 20)
    writer.write(first)
    to_client, incoming = anyio.create_memory_object_stream[Any](0)
    outgoing, from_client = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        async with to_client:
            while line := await reader.readline():
                message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                await to_client.send(SessionMessage(message))

    async def write() -> None:
        async with from_client:
            async for item in from_client:
                text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                writer.write(text.encode() + b"\n")
                await writer.drain()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(write)
        try:
            yield incoming, outgoing
        finally:
            tasks.cancel_scope.cancel()
            writer.close()


def connect(path: str, mode: str = "auto", **fields: Any) -> Client:
    """A client over the socket at path; `fields` go into the preface."""
    return Client(transport(path, preface(**fields)), mode=mode, client_info=CLIENT)
