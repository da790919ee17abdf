"""What every client can do, and the usual one for this machine.

A caller cannot tell from a client what is behind it: the answers and the failures are the
same in process, over a socket and over the network.
"""

import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aimem_node import places

if TYPE_CHECKING:
    from aimem_node.client.grpc_client import GrpcClient


class Client(Protocol):
    """Asks one node. No answer lacks what an earlier one has shown."""

    @property
    def token(self) -> str:
        """What has been seen so far, for a client that goes on elsewhere."""
        ...

    def go_on(self, token: str) -> None:
        """See no less than the client that this token is of."""
        ...

    async def call(self, operation: str, request: Any) -> Any:
        """The response to a request of the contract ("Store", StoreRequest(...)), or Failure."""
        ...

    def stream(self, operation: str, request: Any) -> AsyncIterator[Any]:
        """The responses of a streaming operation, one by one, or Failure."""
        ...

    async def close(self) -> None:
        """Let go of the node; calls in progress fail."""
        ...


def connect(data_dir: str | None = None, env: Mapping[str, str] | None = None) -> "GrpcClient":
    """A client of the node that owns data_dir on this machine, over its unix socket.

    Nothing is opened until the first call, which fails with UNAVAILABLE if no node runs.
    """
    from aimem_node.client.grpc_client import GrpcClient

    seen = dict(os.environ if env is None else env)
    home = data_dir or places.default_data_dir(seen)
    return GrpcClient.unix(places.socket_path(home, "grpc", seen))
