"""What travels with a request but is no part of it: who is calling, and how they came in.

Credentials are what a way in has *seen*, never what a caller said of itself; the one exception,
`agent_hint`, is named a hint and grants nothing. A session is no exception: its token asks for
more care in the answer, never for more rights.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from aimem_node.contract.errors import Code, Failure


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


WAIT_MS_DEFAULT = 500
"""How long a read waits for what its session has seen elsewhere, when nobody says otherwise."""

AFTER_KEY, WAIT_KEY, TOKEN_KEY = "aimem-after", "aimem-max-wait-ms", "aimem-token"
"""A session beside a request and its answer: gRPC metadata and HTTP headers have these names."""

UNASKED_CHARS_MAX = 4096
"""Of a token that goes to a caller who sent none. Many clients take 8 KiB of metadata in all and
fail the call above that, so a longer one is only for those who show that they know of tokens."""


@dataclass(slots=True)
class Session:
    """What one caller has seen, carried from call to call beside the requests.

    Not frozen: whoever answers the call writes `token`, and the way in hands it to the caller.
    """

    after: str = ""
    "The token of an earlier answer; empty when there is none."
    max_wait_ms: int = WAIT_MS_DEFAULT
    "How long to wait until this node holds all of `after`."
    token: str = ""
    "What the caller has seen after this call; empty until it is answered."
    asked: bool = False
    "Whether the caller spoke of a session, were it only to begin one."

    @property
    def told(self) -> str:
        """The token as it goes back to the caller; empty if there is none to tell."""
        return self.token if self.asked or len(self.token) <= UNASKED_CHARS_MAX else ""


def read_session(after: str | None, max_wait_ms: str | None) -> Session:
    """The session of a call, from the texts that came beside it. None: not sent.

    Raises Failure INVALID_ARGUMENT. Whether `after` is a token is for the one who answers to say.
    """
    wait_ms = WAIT_MS_DEFAULT
    if max_wait_ms is not None:
        digits = max_wait_ms.strip()
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
            raise Failure(
                Code.INVALID_ARGUMENT, f"{max_wait_ms[:40]!r} is no number of milliseconds",
                path=WAIT_KEY, next="Send a whole number from 0 up, or leave it out.",
            )  # fmt: skip
        wait_ms = int(digits)
    return Session((after or "").strip(), wait_ms, asked=after is not None)


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
    session: Session | None = field(default=None, compare=False, repr=False)
    "What the caller has seen so far, and where its next token is put; None: it is not told."


class Dispatch(Protocol):
    """Answers operations by name. Both ends of every gateway speak through this."""

    async def call(self, operation: str, request: Any, credentials: Credentials) -> Any:
        """Answer one call with the operation's response. Raises Failure."""
        ...

    def stream(self, operation: str, request: Any, credentials: Credentials) -> AsyncIterator[Any]:
        """Answer one call with a stream of responses. Raises Failure, also midway."""
        ...
