"""What travels with a request but is no part of it: who is calling, and how they came in.

Credentials are what a way in has *seen*, never what a caller said of itself; the one exception,
`agent_hint`, is named a hint and grants nothing.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Channel(StrEnum):
    """By what kind of connection a call came."""

    INPROCESS = "inprocess"
    "From the node itself."
    UNIX = "unix"
    "Over a socket in a directory that only the node's user can enter."
    LOOPBACK = "loopback"
    "Over TCP from this machine, by anyone on it."
    TLS = "tls"
    "Over TCP with a certificate on either side, or a token."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is known of a caller before anyone has decided who it is."""

    channel: Channel
    uid: int | None = None
    "User at the other end of a unix socket, as the kernel tells it."
    pid: int | None = None
    "Process at the other end of a unix socket; it may have ended since."
    bearer: str | None = field(default=None, repr=False)
    "The token that was sent, as sent. Kept out of logs."
    fingerprint: str | None = None
    "SHA-256 of the certificate that was shown, in hex."
    agent_hint: str = ""
    "What the surface guesses the agent is called; used only when the request names none."
    surface: str = ""
    'Which gateway took the call: "grpc", "http", "mcp", "cli" or "inprocess".'


class Dispatch(Protocol):
    """Answers operations by name. Both ends of every gateway speak through this."""

    async def call(self, operation: str, request: Any, credentials: Credentials) -> Any:
        """Answer one call with the operation's response. Raises Failure."""
        ...

    def stream(self, operation: str, request: Any, credentials: Credentials) -> AsyncIterator[Any]:
        """Answer one call with a stream of responses. Raises Failure, also midway."""
        ...
