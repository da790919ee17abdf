"""A client inside the node's own process: the gateways that live there ask through it.

It is not a way around anything. The credentials it was made with meet the same door as those
of any other caller, at every call.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from aimem_node.client.seen import Seen
from aimem_node.contract.calls import WAIT_MS_DEFAULT, Credentials, Dispatch, Session
from aimem_node.contract.errors import Failure


class InProcessClient:
    """Asks a dispatch directly, as one caller."""

    def __init__(self, dispatch: Dispatch, credentials: Credentials) -> None:
        """credentials are what the gateway knows of its own caller."""
        self._dispatch = dispatch
        self._credentials = credentials
        self.seen = Seen()

    @property
    def token(self) -> str:
        """All that this client has been shown or has written; empty before the first answer."""
        return self.seen.token

    def go_on(self, token: str) -> None:
        """See no less than the client that this token is of."""
        self.seen.hear(token)

    async def call(self, operation: str, request: Any) -> Any:
        """The response, or Failure."""
        session = Session(self.seen.token, WAIT_MS_DEFAULT, asked=True)
        credentials = replace(self._credentials, session=session)
        try:
            response = await self._dispatch.call(operation, request, credentials)
        except Failure as failure:
            self.seen.failed(failure)
            raise
        self.seen.hear(session.token)
        return response

    def stream(self, operation: str, request: Any) -> AsyncIterator[Any]:
        """The responses of a streaming operation, one by one, or Failure."""
        return self._dispatch.stream(operation, request, self._credentials)

    async def close(self) -> None:
        """Nothing to let go of."""
