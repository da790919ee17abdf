"""Import the MCP SDK when the first client comes, without stopping the node meanwhile.

The import runs in a thread; clients that come while it runs wait for the one import.
"""

import asyncio
import importlib
from types import ModuleType

from aimem_node.contract.errors import Code, Failure

PROFILES = ("core", "standard", "full")
"""The tool lists, smallest first."""

_MODULE = "aimem_node.gateways.mcp_server"


class McpSdk:
    """The way to `mcp_server`. One in a process is enough; several do no harm."""

    def __init__(self) -> None:
        self._module: ModuleType | None = None
        self._importing = asyncio.Lock()

    async def module(self) -> ModuleType:
        """`aimem_node.gateways.mcp_server`, imported by now."""
        if self._module is None:
            async with self._importing:
                if self._module is None:
                    self._module = await asyncio.to_thread(importlib.import_module, _MODULE)
        return self._module


def read_profile(value: object, path: str) -> str:
    """A profile by its word; raises Failure at path for one that does not exist."""
    if isinstance(value, str) and value in PROFILES:
        return value
    raise Failure(
        Code.INVALID_ARGUMENT,
        f"no profile {str(value)[:100]!r}",
        path,
        next=f"Use one of {', '.join(PROFILES)}.",
    )
