"""MCP as `aimem mcp` speaks it: a preface, the handshake, then one JSON-RPC message a line.

The node keeps what an MCP session has seen, and the client never hears of it but in the answers to
writes. So a session ends with its connection, and a new one has seen nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from aimem_node.client.seen import Seen
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from chaos.workload.speaking import Endpoint

PROTOCOL: Final = "2025-11-25"
LINE_BYTES_MAX: Final = 16 * 1024 * 1024
INVALID_PARAMS: Final = -32602
"""JSON-RPC's code for what was refused before anything was done."""


class McpSpeaker:
    """One MCP client, with all tools."""

    via = "mcp"

    def __init__(self, endpoint: Endpoint, patience_s: float) -> None:
        self.seen = Seen()
        self._path = endpoint.mcp
        self._patience_s = patience_s
        self._number = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """See Speaker. On a new connection nothing has been seen."""
        if self._streams is not None and self._streams[0].at_eof():
            await self.close()
        if self._streams is not None:
            return
        self.seen = Seen()
        try:
            async with asyncio.timeout(self._patience_s):
                self._streams = await asyncio.open_unix_connection(self._path, limit=LINE_BYTES_MAX)
                await self._shake_hands()
        except (OSError, EOFError, ValueError) as error:
            await self.close()
            raise Failure(Code.UNAVAILABLE, f"no MCP session: {str(error) or 'late'}") from None

    async def call(self, operation: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """See Speaker."""
        declared = OPERATIONS[operation]
        arguments = dict(fields)
        if declared.rows:
            arguments["format"] = "json"
        try:
            async with asyncio.timeout(self._patience_s):
                said = await self._ask(
                    "tools/call", {"name": declared.mcp_name, "arguments": arguments}
                )
        except TimeoutError:
            await self.close()
            raise Failure(Code.DEADLINE, "no MCP answer in time") from None
        except (OSError, EOFError, ValueError) as error:
            await self.close()
            raise Failure(Code.UNKNOWN_OUTCOME, f"the MCP session ended: {error}") from None
        except asyncio.CancelledError:
            await self.close()  # an answer that comes later must not be taken for another one's
            raise
        answer = _answer(said)
        self.seen.hear((answer.get("write") or {}).get("token") or "")
        return answer

    async def close(self) -> None:
        """See Speaker."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].transport.abort()

    async def _shake_hands(self) -> None:
        await self._send({"aimem_mcp": 1, "profile": "full", "agent_id": None})
        hello = {
            "protocolVersion": PROTOCOL,
            "capabilities": {},
            "clientInfo": {"name": "chaos", "version": "1"},
        }
        said = await self._ask("initialize", hello)
        if "result" not in said:
            raise ValueError(str(said.get("error")))
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        assert self._streams is not None
        while True:
            line = await self._streams[0].readline()
            if not line:
                raise EOFError("the node closed it")
            said: dict[str, Any] = json.loads(line)
            if said.get("id") == number:
                return said
            if "error" in said and said.get("id") is None:
                raise ValueError(str(said["error"]))

    async def _send(self, message: dict[str, Any]) -> None:
        assert self._streams is not None, "open it first"
        writer = self._streams[1]
        writer.write(json.dumps(message).encode() + b"\n")
        await writer.drain()


def _answer(said: dict[str, Any]) -> dict[str, Any]:
    if "error" in said:
        error = said["error"]
        refused = error.get("code") == INVALID_PARAMS
        code = Code.INVALID_ARGUMENT if refused else Code.UNKNOWN_OUTCOME
        raise Failure(code, str(error.get("message")))
    result = said["result"]
    text = result["content"][0]["text"]
    if result.get("isError"):
        raise failure_in(text)
    answer: dict[str, Any] = json.loads(text)
    return answer


def failure_in(text: str) -> Failure:
    """The failure behind `CODE at $.path: message. Next: what to do.`"""
    head, _, message = text.partition(": ")
    word, _, path = head.partition(" at ")
    message, _, step = message.partition(" Next: ")
    code = Code(word) if word in Code.__members__ else Code.INTERNAL
    return Failure(code, message.rstrip(".") or text, path=path, next=step)
