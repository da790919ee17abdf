"""Where other members reach this node: TLS with pinned keys, and a look at each call besides.

Whoever is no member any more is cut off in the very moment in which the new list is followed. gRPC
has no such thing; so every call in progress is raced against a word from here, and ends with the
reason. Its task is never cancelled for it: the other node would wait for a status for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import grpc
import grpc.aio

from aimem_node import logs
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.addresses import join_address
from aimem_node.replica.identity import Identity
from aimem_node.rpc import peer_asks as asks
from aimem_node.rpc import peer_snapshot, peer_vectors
from aimem_node.rpc.cutoff import until_cut
from aimem_node.rpc.grpc_failures import refuse, unexpected
from aimem_node.rpc.peer_access import (
    MALFORMED,
    PROTOCOL_UNKNOWN,
    Caller,
    admitted,
    check_claims,
    fit_certificates,
    member_of,
    refusal,
)
from aimem_node.rpc.peer_asks import Books, Hello
from aimem_node.rpc.peer_pipe import BULK, LIVE, Pipe
from aimem_node.rpc.peer_words import FRAME_BYTES_MAX
from aimem_node.rpc.tls import peer_fingerprint, renewing_credentials
from aimem_sync.faults import OpFault
from aimem_sync.members import Config

SERVICE: Final = "aimem.v1.Peer"
CALLS_MAX: Final = 1_024
STOP_GRACE_S: Final = 0.2

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    ("grpc.so_reuseport", 0),
    # Members ping every second to notice a silent partition; do not count that as abuse.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 200),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    # And this end notices one that vanished without a word.
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.server_handshake_timeout_ms", 5_000),
)

Context = Any
"""grpc.aio.ServicerContext, which has no types."""


class Hub(Protocol):
    """What the listener hands on to, and asks. PeerNet is it."""

    def greeted(self, caller: Caller, hello: Hello) -> Hello:
        """A member said who it is; who this node is."""
        ...

    def opened(self, pipe: Pipe) -> None:
        """A member opened a stream."""
        ...

    def closed(self, pipe: Pipe) -> None:
        """It is no more."""
        ...

    def arrived(self, pipe: Pipe, frame: bytes) -> None:
        """A frame came over it."""
        ...

    def refused(self, peer: str, failure: Failure) -> None:
        """Somebody was not let in. `peer` is a node id, a fingerprint, or empty."""
        ...

    def snapshot_file(self, node_id: str) -> Awaitable[peer_snapshot.SnapshotFile]:
        """The state as a file, for this member."""
        ...

    @property
    def books(self) -> Books | None:
        """Who answers questions about the store."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    caller: Caller
    cut: "asyncio.Future[Failure]" = field(repr=False)
    "Why it must end before its time."


class PeerServer:
    """See the module. Lives on one event loop. Lets nobody in before follow."""

    def __init__(self, hub: Hub, identity: Callable[[], Identity]) -> None:
        self._hub = hub
        self._identity = identity
        self._config: Config | None = None
        self._shown: tuple[Any, bytes] = self._pair_and_roots()
        "Key pair and roots of the next handshake; read on threads of gRPC, so put whole."
        self._calls: set[_Call] = set()
        self._server: grpc.aio.Server | None = None
        self._wanted = ("", 0)
        self._port = 0
        self._log = logs.get("rpc")

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        return self._port

    def follow(self, config: Config) -> None:
        """These are the members from now on; and this node's key may be another one."""
        another = self._config is not None and self._config.cluster_id != config.cluster_id
        self._config = config
        self._shown = self._pair_and_roots()
        for call in tuple(self._calls):
            try:
                now = member_of(config, call.caller.fingerprint)
                check_claims(config, call.caller.node_id, config.cluster_id, now)
            except Failure as failure:
                self._cut(call, failure)
            else:
                if another:
                    self._cut(call, Failure(Code.UNAVAILABLE, "this node is in another cluster"))

    async def listen(self, host: str, port: int) -> int:
        """Listen there, instead of where it may have listened before; the port. Port 0: any.

        Raises STORAGE if the address cannot be had.
        """
        if self._server is not None and self._wanted == (host, port):
            return self._port
        await self.close()
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CALLS_MAX)
        server.add_generic_rpc_handlers((self._handlers(),))
        where = join_address(host, port)
        try:
            got = int(server.add_secure_port(where, self._credentials()))
        except RuntimeError as error:
            raise Failure(
                Code.STORAGE, f"cannot listen on {where} for other members: {error}",
                next="See whether another program has the address, and choose another.",
            ) from error  # fmt: skip
        await server.start()
        self._server, self._port, self._wanted = server, got, (host, port)
        self._log.info("peers_listening", host=host, port=got)
        return got

    async def close(self) -> None:
        """End every call and hear nobody any more. It may listen again."""
        server, self._server, self._port = self._server, None, 0
        if server is None:
            return
        for call in tuple(self._calls):
            self._cut(call, Failure(Code.UNAVAILABLE, "the node stops listening"))
        await server.stop(STOP_GRACE_S)

    def _pair_and_roots(self) -> tuple[Any, bytes]:
        identity = self._identity()
        members = self._config.members if self._config else ()
        others = [member for member in members if member.node_id != identity.node_id]
        roots = b"".join(pem for one in others for pem in fit_certificates(one).values())
        pair = [(identity.key_pem, identity.cert_pem)]
        # gRPC takes no empty list of roots. With our own nobody else gets in, nor do we.
        return pair, roots or identity.cert_pem

    def _cut(self, call: _Call, why: Failure) -> None:
        if not call.cut.done():
            self._log.info("peer_cut", node_id=call.caller.node_id, why=why.message)
            call.cut.set_result(why)

    def _credentials(self) -> grpc.ServerCredentials:
        return renewing_credentials(lambda: self._shown)

    # ---- the calls -------------------------------------------------------------------------------

    def _handlers(self) -> Any:
        unary = grpc.unary_unary_rpc_method_handler
        methods = {
            "Hello": unary(self._unary("Hello", self._hello)),
            "Digest": unary(self._unary("Digest", self._digest)),
            "ChainAt": unary(self._unary("ChainAt", self._chain_at)),
            "Ops": unary(self._unary("Ops", self._ops)),
            "Vectors": unary(self._unary("Vectors", self._vectors)),
            LIVE: grpc.stream_stream_rpc_method_handler(self._stream(LIVE)),
            BULK: grpc.stream_stream_rpc_method_handler(self._stream(BULK)),
            "Snapshot": grpc.unary_stream_rpc_method_handler(self._snapshot),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _unary(self, name: str, answer: Callable[[Caller, bytes], Awaitable[bytes]]) -> Any:
        async def serve(body: bytes, context: Context) -> Any:
            async def work(call: _Call) -> bytes:
                return await until_cut(answer(call.caller, body), call.cut)

            return await self._guarded(name, context, work)

        return serve

    def _stream(self, name: str) -> Any:
        async def serve(_requests: Any, context: Context) -> None:
            async def work(call: _Call) -> None:
                caller = call.caller
                pipe = Pipe(caller.node_id, (caller.fingerprint,), name, is_dialed=False)
                self._hub.opened(pipe)
                try:
                    run = pipe.run(context.read, context.write, self._hub.arrived)
                    await until_cut(run, call.cut)
                except Failure:
                    raise
                except Exception as error:  # gRPC has no one error for a caller that is gone
                    self._log.debug("peer_stream_broke", node_id=caller.node_id, why=repr(error))
                finally:
                    self._hub.closed(pipe)

            await self._guarded(name, context, work)

        return serve

    async def _snapshot(self, body: bytes, context: Context) -> None:
        async def work(call: _Call) -> None:
            peer_snapshot.ask_from(body)
            # Raced as a whole: a caller that does not read would hold up the next write for ever.
            await until_cut(self._pour(context, call.caller.node_id), call.cut)

        await self._guarded("Snapshot", context, work)

    async def _pour(self, context: Context, node_id: str) -> None:
        async with aclosing(peer_snapshot.parts(self._hub.snapshot_file(node_id))) as parts:
            async for part in parts:
                await context.write(part)

    async def _guarded(
        self, name: str, context: Context, work: Callable[[_Call], Awaitable[Any]]
    ) -> Any:
        """What `work` gives, if the caller may have it; the call ends with a reason if not."""
        call: _Call | None = None
        try:
            caller = admitted(self._known(), context)
            call = _Call(caller, asyncio.get_running_loop().create_future())
            self._calls.add(call)
            return await work(call)
        except Failure as failure:
            self._tell(context, call, failure)
            await refuse(context, failure)
        except OpFault as fault:
            malformed = refusal(MALFORMED, f"{name}: {fault}")
            self._tell(context, call, malformed)
            await refuse(context, malformed)
        except Exception as error:
            await refuse(context, unexpected(name, error))
        finally:
            if call is not None:
                self._calls.discard(call)

    def _tell(self, context: Context, call: _Call | None, failure: Failure) -> None:
        if "reason" in failure.details:
            who = call.caller.node_id if call else peer_fingerprint(context.auth_context())
            self._hub.refused(who or "", failure)

    async def _hello(self, caller: Caller, body: bytes) -> bytes:
        hello, config = asks.hello_from(body), self._known()
        check_claims(config, caller.node_id, hello.cluster_id, hello.origin.node_id)
        if not asks.understands(hello):
            raise refusal(
                PROTOCOL_UNKNOWN, f"this node speaks version {asks.PROTOCOL}, not "
                f"{hello.protocol_min} to {hello.protocol_max}",
            )  # fmt: skip
        return asks.hello_bytes(self._hub.greeted(caller, hello))

    async def _digest(self, _caller: Caller, body: bytes) -> bytes:
        answer = await self._books().digest(asks.digest_ask_from(body))
        return asks.digest_answer_bytes(answer)

    async def _chain_at(self, _caller: Caller, body: bytes) -> bytes:
        return asks.chains_bytes(await self._books().chain_at(asks.chain_ask_from(body)))

    async def _ops(self, caller: Caller, body: bytes) -> bytes:
        ask = asks.chain_ask_from(body)
        return asks.ops_bytes(await self._books().ops_at(caller.node_id, ask))

    async def _vectors(self, caller: Caller, body: bytes) -> bytes:
        ask = peer_vectors.ask_from(body)
        return peer_vectors.answer_bytes(await self._books().vectors_at(caller.node_id, ask))

    def _books(self) -> Books:
        if self._hub.books is None:
            raise Failure(Code.UNIMPLEMENTED, "this node does not answer about its store")
        return self._hub.books

    def _known(self) -> Config:
        if self._config is None:
            raise Failure(Code.UNAVAILABLE, "this node does not know yet who its members are")
        return self._config
