"""The node's gRPC face: every operation of the contract on a unix socket and on pinned TLS.

No operation is named here: services and methods are those of the contract, and each call is
bytes to a request, the request to the dispatch, its answer to bytes. Every listener is a
server of its own, because only then is it beyond doubt which way a call came in: gRPC tells
nothing about who is behind a unix socket, so its closed directory is the whole of the check.
"""

import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import grpc
import grpc.aio

from aimem_node import logs
from aimem_node.contract.calls import (
    AFTER_KEY,
    TOKEN_KEY,
    WAIT_KEY,
    Channel,
    Credentials,
    Dispatch,
    Session,
    read_session,
)
from aimem_node.contract.codec import from_wire, to_wire
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Operation
from aimem_node.places import SOCKET_PATH_BYTES_MAX
from aimem_node.replica.identity import Identity
from aimem_node.rpc.access import Access
from aimem_node.rpc.cutoff import Cutoff, items_until_cut, until_cut
from aimem_node.rpc.grpc_failures import refuse, unexpected
from aimem_node.rpc.grpc_standard import StandardServices
from aimem_node.rpc.principals import Authenticator
from aimem_node.rpc.tls import peer_fingerprint, server_credentials

REQUEST_BYTES_MAX = 4 * 1024 * 1024
"""gRPC's own default, said aloud: a bulk store of 1,000 memories of 4 KiB."""

METADATA_BYTES_MAX = 128 * 1024
"""Beside a request: a session's token of a thousand logs takes 56 KiB, gRPC by itself takes 8."""

CALLS_MAX = 4096
"""In progress on one listener; above it callers are told to wait."""

_OPTIONS = (
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    # Two nodes on one port must be an error and not a coin toss.
    ("grpc.so_reuseport", 0),
    # Peers ping every second to notice a silent partition; do not count that as abuse.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    # A caller that vanished without a word is noticed within 30 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)

_SESSION = frozenset({AFTER_KEY, WAIT_KEY})

Context = Any
"""grpc.aio.ServicerContext, which has no types."""

log = logs.get("rpc")


@dataclass(frozen=True, slots=True)
class UnixListener:
    """A socket for the user who owns the node, in a directory closed to all others."""

    path: str


@dataclass(frozen=True, slots=True)
class TlsListener:
    """A TCP port. Callers prove a pinned key or, with client_certificates false, a token."""

    host: str
    port: int
    """0 lets the system choose; GrpcServer.addresses says what it chose."""
    client_certificates: bool = True


class GrpcServer:
    """Serves a dispatch on some listeners until it is stopped. Lives on one event loop."""

    def __init__(
        self,
        dispatch: Dispatch,
        identity: Identity,
        access: Access,
        authenticator: Authenticator,
        listeners: tuple[UnixListener | TlsListener, ...],
    ) -> None:
        """Opens nothing yet: call start."""
        self._dispatch = dispatch
        self._identity = identity
        self._access = access
        self._listeners = listeners
        self._cutoff = Cutoff(authenticator)
        self._standard = StandardServices()
        self._servers: list[grpc.aio.Server] = []
        self._addresses: list[str] = []

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens: "unix:/path" and "host:port", in the order of the listeners."""
        return tuple(self._addresses)

    async def start(self) -> None:
        """Listen. Failure STORAGE or PERMISSION_DENIED when a listener cannot be opened."""
        try:
            for listener in self._listeners:
                await self._listen(listener)
        except BaseException:
            await self.stop(0)
            raise

    async def set_serving(self, serving: bool) -> None:
        """What the standard health service answers from now on."""
        await self._standard.set_serving(serving)

    async def stop(self, grace_s: float) -> None:
        """End the streams with UNAVAILABLE, give other calls grace_s, then close everything."""
        await self._standard.stop()
        self._cutoff.stop()
        for server in self._servers:
            await server.stop(grace_s)
        self._servers.clear()

    async def _listen(self, listener: UnixListener | TlsListener) -> None:
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CALLS_MAX)
        if isinstance(listener, UnixListener):
            close_directory(listener.path)
            server.add_generic_rpc_handlers(self._handlers(_unix_credentials))
            # The path is read as part of a URI.
            _open(listener.path, lambda: server.add_insecure_port(f"unix:{quote(listener.path)}"))
            address = f"unix:{listener.path}"
        else:
            roots = self._roots if listener.client_certificates else None
            credentials = server_credentials(self._identity, roots)
            server.add_generic_rpc_handlers(self._handlers(_tls_credentials))
            host = listener.host if ":" not in listener.host else f"[{listener.host.strip('[]')}]"
            wanted = f"{host}:{listener.port}"
            port = _open(wanted, lambda: server.add_secure_port(wanted, credentials))
            address = f"{host}:{port}"
        await server.start()
        if isinstance(listener, UnixListener):
            os.chmod(listener.path, 0o600)
        self._servers.append(server)
        self._addresses.append(address)
        log.info("grpc_listening", address=address)

    def _roots(self) -> bytes:
        return self._access.current().roots_pem

    def _handlers(self, who: Callable[[Context], Credentials]) -> tuple[Any, ...]:
        """gRPC's tables for one listener: the contract's services and the standard ones."""
        services: dict[str, dict[str, Any]] = {}
        for operation in OPERATIONS.values():
            service, method = operation.grpc_path.removeprefix("/").split("/")
            make = self._stream if operation.streaming else self._unary
            services.setdefault(service, {})[method] = make(operation, who)
        own = (
            grpc.method_handlers_generic_handler(service, methods)
            for service, methods in services.items()
        )
        return (*own, *self._standard.handlers(self._cutoff, who))

    def _unary(self, operation: Operation, who: Callable[[Context], Credentials]) -> Any:
        dispatch, cutoff = self._dispatch, self._cutoff

        async def serve(body: bytes, context: Context) -> bytes:
            try:
                credentials = who(context)
                request = from_wire(operation.request, body)
                answer = partial(dispatch.call, operation.name, request, credentials)
                response = await _watched(cutoff, credentials, answer)
                session = credentials.session
                if session is not None and session.told:
                    context.set_trailing_metadata(((TOKEN_KEY, session.told),))
                return to_wire(response)
            except Failure as failure:
                await refuse(context, failure)
            except Exception as error:
                await refuse(context, unexpected(operation.name, error))
            raise AssertionError("refuse does not return")

        return grpc.unary_unary_rpc_method_handler(serve)

    def _stream(self, operation: Operation, who: Callable[[Context], Credentials]) -> Any:
        dispatch, cutoff = self._dispatch, self._cutoff

        async def serve(body: bytes, context: Context) -> None:
            try:
                credentials = who(context)
                request = from_wire(operation.request, body)
                with cutoff.watching(credentials, endless=True) as cut:
                    items = dispatch.stream(operation.name, request, credentials)
                    async for item in items_until_cut(items, cut):
                        await context.write(to_wire(item))
            except Failure as failure:
                await refuse(context, failure)
            except Exception as error:
                await refuse(context, unexpected(operation.name, error))

        return grpc.unary_stream_rpc_method_handler(serve)


async def _watched(
    cutoff: Cutoff, credentials: Credentials, answer: Callable[[], Awaitable[Any]]
) -> Any:
    """The answer, unless the caller is revoked before it is there.

    On the unix socket nothing can be revoked: there the answer is simply awaited, since a
    race costs a task on the busiest way in.
    """
    if credentials.channel is Channel.UNIX and credentials.bearer is None:
        return await answer()
    with cutoff.watching(credentials) as cut:
        try:
            return await until_cut(answer(), cut)
        except Failure as failure:
            if cut.done() and failure is cut.result():
                failure.definite = False  # what was begun may be carried through without us
            raise


def _unix_credentials(context: Context) -> Credentials:
    return Credentials(
        channel=Channel.UNIX,
        uid=os.geteuid(),
        pid=None,
        bearer=_bearer(context),
        fingerprint=None,
        surface="grpc",
        session=_session(context),
    )


def _tls_credentials(context: Context) -> Credentials:
    return Credentials(
        channel=Channel.TLS,
        uid=None,
        pid=None,
        bearer=_bearer(context),
        fingerprint=peer_fingerprint(context.auth_context()),
        surface="grpc",
        session=_session(context),
    )


def _session(context: Context) -> Session:
    """What the caller has seen, from the call's metadata. Failure when it cannot be read."""
    beside = {key: str(value) for key, value in context.invocation_metadata() if key in _SESSION}
    return read_session(beside.get(AFTER_KEY), beside.get(WAIT_KEY))


def _bearer(context: Context) -> str | None:
    """The token in the call's authorization metadata; Failure when it is something else."""
    given = [value for key, value in context.invocation_metadata() if key == "authorization"]
    if not given:
        return None
    scheme, _, token = str(given[0]).strip().partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Failure(
            Code.UNAUTHENTICATED,
            "the authorization metadata is not one bearer token",
            next="Send authorization: Bearer <token> once, or leave it out.",
        )
    return token.strip()


def close_directory(socket_path: str) -> None:
    """Make the socket's directory if need be; Failure unless only our own user gets into it."""
    if len(os.fsencode(socket_path)) > SOCKET_PATH_BYTES_MAX:
        message = f"the socket path {socket_path} is longer than {SOCKET_PATH_BYTES_MAX} bytes"
        step = "Set AIMEM_RUNTIME_DIR to a shorter directory."
        raise Failure(Code.STORAGE, message, next=step)
    directory = os.path.dirname(socket_path)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        found, around = os.lstat(directory), os.stat(os.path.dirname(directory))
    except OSError as error:
        raise Failure(Code.STORAGE, f"cannot use {directory}: {error.strerror}") from error
    closed = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    # Whoever owns the directory around it could put another one in its place.
    if not closed or found.st_uid != os.geteuid() or around.st_uid not in (0, os.geteuid()):
        raise Failure(
            Code.PERMISSION_DENIED,
            f"other users could reach the node's sockets in {directory}",
            next=f"Make it yours alone: chmod 700 {directory}",
        )


def _open(address: str, add_port: Callable[[], int]) -> int:
    try:
        return add_port()
    except (RuntimeError, OSError) as error:
        message = f"cannot listen on {address}: {error}"
        step = "See whether another node or program has the address, and choose another."
        raise Failure(Code.STORAGE, message, next=step) from error
