"""What the waiting and the asynchronous gRPC client share: where, how, and what failed.

The delicate part is a call that ended without a word from the node. Whether it was done
decides whether the caller may simply try again, and gRPC's UNAVAILABLE does not say: only a
connection that was never made is certain.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc

from aimem_node.contract import errors
from aimem_node.contract.errors import Code, Failure

FAILURE_KEY = "aimem-failure-bin"
"""Trailing metadata in which a node sends the whole failure, as JSON."""

ANSWER_BYTES_MAX = 192 * 1024 * 1024
"""A page of 1,000 memories, each with 64 KiB of content and of metadata, and half as much."""

METADATA_BYTES_MAX = 128 * 1024
"""Beside an answer: a token of a thousand logs takes 56 KiB, and gRPC by itself takes 8."""

CALL_TIMEOUT_S = 60.0
"""Longer than any operation's budget; short enough that a script does not hang overnight."""

TLS_NAME = "aimem"
"""The name in every node's certificate, whatever address it is dialled at."""

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    # Several clients of one process are several callers: no shared connections.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    # In spite of its name this bounds one attempt to connect: with 200 ms a node that was busy for
    # so long was told to be no node at all.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

TLS_OPTIONS = (
    *CHANNEL_OPTIONS,
    # Measured: after a silent partition of 20 s, default channels took 6.5 s to work again and
    # every call burned its whole deadline; with 1 s and 1 s the first call fails within 1 s.
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 1_000),
    ("grpc.ssl_target_name_override", TLS_NAME),
)

_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: Code.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED: Code.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: Code.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND: Code.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: Code.CONFLICT,
    grpc.StatusCode.DEADLINE_EXCEEDED: Code.DEADLINE,
    grpc.StatusCode.UNIMPLEMENTED: Code.UNIMPLEMENTED,
    grpc.StatusCode.DATA_LOSS: Code.CORRUPT,
    grpc.StatusCode.ABORTED: Code.UNKNOWN_OUTCOME,
    grpc.StatusCode.CANCELLED: Code.UNKNOWN_OUTCOME,
    grpc.StatusCode.UNAVAILABLE: Code.UNKNOWN_OUTCOME,
}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of what a TLS connection takes."""

    node_cert: str
    """The node's certificate: exactly this one is accepted."""
    cert: str | None = None
    key: str | None = None
    """Our own certificate and its key, where the node asks for one."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a node is and how to speak to it."""

    target: str
    """As gRPC writes it: "unix:/path" or "host:port"."""
    tls: TlsFiles | None = None
    bearer: str | None = field(default=None, repr=False)

    @classmethod
    def unix(cls, path: str, bearer: str | None = None) -> "Route":
        """Over a socket on this machine."""
        return cls(f"unix:{quote(path)}", None, bearer)

    def credentials(self) -> grpc.ChannelCredentials | None:
        """For a secure channel; None for the unix socket. Failure when a file is unreadable."""
        if self.tls is None:
            if not self.target.startswith("unix:"):
                message = f"{self.target} can only be reached over TLS"
                raise Failure(Code.INVALID_ARGUMENT, message, next="Give the node's certificate.")
            return None
        if bool(self.tls.cert) != bool(self.tls.key):
            # gRPC ends the whole process over this.
            one, other = ("key", "certificate") if self.tls.key else ("certificate", "key")
            message = f"a {one} was given without its {other}"
            raise Failure(Code.INVALID_ARGUMENT, message, next="Give both files, or neither.")
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.tls.node_cert, b"CERTIFICATE"),
            private_key=_pem(self.tls.key, b"PRIVATE KEY") if self.tls.key else None,
            certificate_chain=_pem(self.tls.cert, b"CERTIFICATE") if self.tls.cert else None,
        )

    def options(self) -> tuple[tuple[str, Any], ...]:
        """The channel's options."""
        return CHANNEL_OPTIONS if self.tls is None else TLS_OPTIONS

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return (("authorization", f"Bearer {self.bearer}"),) if self.bearer else ()


def failure_of(
    target: str, status: grpc.StatusCode, message: str, trailing: Iterable[tuple[str, Any]]
) -> Failure:
    """The failure behind a call that ended badly: the node's own, or what can be concluded."""
    for key, value in trailing:
        if key == FAILURE_KEY:
            try:
                return errors.from_json(json.loads(value))
            except (ValueError, TypeError, KeyError, AttributeError, Failure):
                break  # not one of ours, or from a newer node: go by the status
    code = _CODES.get(status, Code.INTERNAL)
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        code = Code.TOO_LARGE if "larger than max" in message else Code.LIMITED
    if status is grpc.StatusCode.UNAVAILABLE and _never_connected(message):
        return _no_connection(target, message)
    if code is Code.UNKNOWN_OUTCOME:
        return Failure(
            code,
            f"the connection to {target} ended before the answer: {message}",
            next="Send it again with the same request key: a node that did it will not do it"
            " twice. If this repeats over TLS, see whether each side has pinned the other.",
        )
    return Failure(code, message or f"{target} answered {status.name}")


def _never_connected(message: str) -> bool:
    """True when gRPC says that no connection was made, so that nothing can have been sent."""
    return message.startswith(("failed to connect", "DNS resolution failed", "errors resolving"))


def _no_connection(target: str, message: str) -> Failure:
    """Why there is no connection. gRPC says it only in words; nothing was sent in any case."""
    for sign, code, said, step in _HANDSHAKES if not target.startswith("unix:") else ():
        if sign in message:
            return Failure(code, said.format(target=target), next=step)
    step = "Start it with: aimem-node start"
    if not target.startswith("unix:"):
        step = "See whether it runs there with --grpc, and which address: aimem-node status"
    return Failure(Code.UNAVAILABLE, f"no node answers at {target}: {message}", next=step)


_HANDSHAKES = (
    (
        "CERTIFICATE_VERIFY_FAILED", Code.UNAUTHENTICATED,
        "{target} is not the node you pinned: it showed another certificate. Nothing was sent",
        "Compare its fingerprint (there: aimem-node identity). If it is meant to be new, get its"
        " certificate again and pin that; if not, somebody else answers at this address.",
    ),
    (
        "Socket closed", Code.UNAVAILABLE,
        "{target} closed the connection when it saw our certificate. Nothing was sent",
        "Most likely it has not pinned it. Here: aimem-node identity --cert > me.crt;"
        " there: aimem-node pin add me.crt --name NAME",
    ),
    (
        "WRONG_VERSION_NUMBER", Code.UNAVAILABLE,
        "what answers at {target} does not speak TLS. Nothing was sent",
        "Give the address of its gRPC way in (there: aimem-node status).",
    ),
    (
        "Failed to create security handshaker", Code.INVALID_ARGUMENT,
        "the certificates or the key for {target} cannot be used",
        "See whether each file is whole, and whether key and certificate belong together.",
    ),
)  # fmt: skip
"""What gRPC says of a handshake that failed, the code, and what it means."""


def _pem(path: str, what: bytes) -> bytes:
    try:
        pem = Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise Failure(Code.INVALID_ARGUMENT, message) from error
    if b"-----BEGIN " not in pem or what + b"-----" not in pem:
        message = f"{path} holds no {what.decode().lower()} in PEM form"
        step = "A node's own: aimem-node identity --cert. It begins with -----BEGIN."
        raise Failure(Code.INVALID_ARGUMENT, message, next=step)
    return pem
