"""A client inside the node's own process: the gateways that live there ask through it.

It is not a way around anything. The credentials it was made with meet the same door as those
of any other caller, at every call.
"""

from collections.abc import AsyncIterator
from typing import Any

from aimem_node.contract.calls import Credentials, Dispatch


class InProcessClient:
    """Asks a dispatch directly, as one caller."""

    def __init__(self, dispatch: Dispatch, credentials: Credentials) -> None:
        """credentials are what the gateway knows of its own caller."""
        self._dispatch = dispatch
        self._credentials = credentials

    async def call(self, operation: str, request: Any) -> Any:
        """The response, or Failure."""
        return await self._dispatch.call(operation, request, self._credentials)

    def stream(self, operation: str, request: Any) -> AsyncIterator[Any]:
        """The responses of a streaming operation, one by one, or Failure."""
        return self._dispatch.stream(operation, request, self._credentials)

    async def close(self) -> None:
        """Nothing to let go of."""
