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

CALL_TIMEOUT_S = 60.0
"""Longer than any operation's budget; short enough that a script does not hang overnight."""

TLS_NAME = "aimem"
"""The name in every node's certificate, whatever address it is dialled at."""

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    # Several clients of one process are several callers: no shared connections.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
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
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.tls.node_cert),
            private_key=_read(self.tls.key) if self.tls.key else None,
            certificate_chain=_read(self.tls.cert) if self.tls.cert else None,
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
        return Failure(
            Code.UNAVAILABLE,
            f"no node answers at {target}: {message}",
            next="Start it with: aimem-node start",
        )
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
    return message.startswith(("failed to connect", "DNS resolution failed"))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise Failure(Code.INVALID_ARGUMENT, message) from error
