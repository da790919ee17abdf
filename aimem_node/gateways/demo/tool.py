"""An AI tool as the node sees one: the official MCP client, talking to `aimem mcp` over stdio.

Nothing here is a shortcut. The demo reaches its node exactly as an editor or an assistant
does, through a subprocess that it starts and a protocol that it did not write, so what the demo
shows is what a user gets.
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, Implementation, StdioServerParameters, stdio_client

from aimem_node.gateways.demo.own_node import OwnNode

CALL_SECONDS_MAX = 15.0


class ToolError(Exception):
    """The node answered that it would not, in its own words."""


@dataclass(slots=True)
class Tool:
    """One connected tool, with the time of each answer it was given."""

    name: str
    client: Client
    tables: frozenset[str] = frozenset()
    """Operations that answer with a table for an agent to read unless JSON is asked for."""
    waited_ms: dict[str, list[float]] = field(default_factory=dict)
    """Per operation, from call to answer, as the tool felt it."""

    async def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Call `memory_<operation>` and give its answer; ToolError when it is an error."""
        if operation in self.tables:
            arguments["format"] = "json"
        started = time.perf_counter()
        answer = await self.client.call_tool(
            f"memory_{operation}", arguments, read_timeout_seconds=CALL_SECONDS_MAX
        )
        self.waited_ms.setdefault(operation, []).append((time.perf_counter() - started) * 1000)
        text = "\n".join(block.text for block in answer.content if block.type == "text")
        if answer.is_error:
            raise ToolError(text)
        found = answer.structured_content
        return found if isinstance(found, dict) else json.loads(text)


@asynccontextmanager
async def connected(node: OwnNode, name: str, *, profile: str | None = None) -> AsyncIterator[Tool]:
    """Start `aimem mcp` and shake hands. What the bridge prints goes to a file."""
    command, *arguments = node.aimem("mcp", *(["--profile", profile] if profile else []))
    bridge = StdioServerParameters(command=command, args=arguments, env=dict(node.env))
    with _errors(node.home).open("a", encoding="utf-8") as errors:
        transport = stdio_client(bridge, errlog=errors)
        info = Implementation(name=name, version="1")
        async with Client(transport, client_info=info, cache=None) as client:
            yield Tool(name, client, await _tables(client))


async def _tables(client: Client) -> frozenset[str]:
    """The operations whose tools take a format, as the node lists them."""
    listed = (await client.list_tools()).tools
    taking = [tool.name for tool in listed if "format" in tool.input_schema.get("properties", {})]
    return frozenset(name.removeprefix("memory_") for name in taking)


def _errors(home: Path) -> Path:
    return home / "bridge.err"
