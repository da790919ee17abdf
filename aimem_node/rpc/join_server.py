"""The way in for machines that are not members yet: one small listener with three calls.

gRPC cannot ask for a certificate without verifying it, so this is no part of the port where the
members are heard: here only the server shows one, and who calls is proved inside the calls. Anybody
can reach it while it is open, so everything about it is bounded: sizes, calls at once, how often
one address may begin, and how long a connection lasts.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

import grpc
import grpc.aio

from aimem_node import logs
from aimem_node.clocks import Clock
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.addresses import PORT_MAX, join_address
from aimem_node.replica.admission import Admission
from aimem_node.replica.identity import Identity
from aimem_node.rpc.grpc_failures import refuse, unexpected
from aimem_node.rpc.join_wire import (
    REQUEST_BYTES_MAX,
    SERVICE,
    begin_from,
    begun_bytes,
    poll_from,
    prove_from,
    proved_bytes,
    word_bytes,
)
from aimem_node.rpc.tls import server_credentials

CALLS_MAX: Final = 32
SOURCES_MAX: Final = 256
BURST: Final = 20
"""Calls that one address may make at once. A joining machine makes three, then one a second."""
REFILL_US: Final = 200_000
"""Until it may make another one: five a second."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 4),
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_connection_idle_ms", 60_000),
    ("grpc.max_connection_age_ms", 300_000),
)

Context = Any
"""grpc.aio.ServicerContext, which has no types."""
Answer = Callable[[bytes, str], Awaitable[bytes]]


class Allowance:
    """How often each address may call. Old ones are forgotten when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at: OrderedDict[str, int] = OrderedDict()
        "When all calls of an address are paid off, by the clock that never jumps."

    def take(self, source: str) -> None:
        """One more call from there. Raises LIMITED."""
        now_us = self._clock.monotonic_us()
        free_at_us = max(now_us, self._free_at.get(source, 0)) + REFILL_US
        if free_at_us - now_us > BURST * REFILL_US:
            raise Failure(Code.LIMITED, "this address asks too often", next="Wait some seconds.")
        self._free_at[source] = free_at_us
        self._free_at.move_to_end(source)
        while len(self._free_at) > SOURCES_MAX:
            self._free_at.popitem(last=False)


class JoinServer:
    """Serves an admission while it is open. Give it the admission before the first open."""

    def __init__(self, identity: Callable[[], Identity], clock: Clock, bind: str = "") -> None:
        """`bind` is the host to listen on, instead of the one that open is given."""
        self._identity = identity
        self._allowance = Allowance(clock)
        self._bind = bind
        self._server: grpc.aio.Server | None = None
        self._shown = ""
        self._port = 0
        self._log = logs.get("rpc")
        self.admission: Admission | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        return self._port

    async def open(self, host: str, port: int) -> int:
        """Listen on this port, or on a free one if that is taken; the port. STORAGE if neither.

        No effect if it is open; it is opened anew if the node has another key since.
        """
        identity = self._identity()
        if self._server is not None and self._shown == identity.fingerprint:
            return self._port
        wanted = self._port or port
        await self.close()
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CALLS_MAX)
        server.add_generic_rpc_handlers((self._handlers(),))
        credentials = server_credentials(identity, None)
        tries = (wanted, 0) if 0 < wanted <= PORT_MAX else (0,)
        for attempt in tries:
            try:
                where = join_address(self._bind or host, attempt)
                got = int(server.add_secure_port(where, credentials))
            except RuntimeError:
                continue
            if got:
                break
        else:
            raise Failure(
                Code.STORAGE, f"cannot listen on {self._bind or host} for machines that join",
                next="See whether the address is one of this machine.",
            )  # fmt: skip
        await server.start()
        self._server, self._port, self._shown = server, got, identity.fingerprint
        self._log.info("join_listening", host=self._bind or host, port=got)
        return got

    async def close(self) -> None:
        """Hear nobody any more. No effect if it is closed."""
        server, self._server, self._port = self._server, None, 0
        if server is not None:
            self._log.info("join_closed")
            await server.stop(0.2)

    def _handlers(self) -> Any:
        methods = {
            "Begin": self._unary("Begin", self._begin),
            "Prove": self._unary("Prove", self._prove),
            "Poll": self._unary("Poll", self._poll),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _unary(self, name: str, answer: Answer) -> Any:
        async def serve(body: bytes, context: Context) -> bytes:
            source = source_of(context.peer())
            try:
                self._allowance.take(source)
                return await answer(body, source)
            except Failure as failure:
                self._log.info(
                    "join_refused", call=name, source=source, code=failure.code.value,
                    why=failure.message,
                )  # fmt: skip
                await refuse(context, failure)
            except Exception as error:
                await refuse(context, unexpected(name, error))
            raise AssertionError("refuse does not return")

        return grpc.unary_unary_rpc_method_handler(serve)

    async def _begin(self, body: bytes, source: str) -> bytes:
        return begun_bytes(self._office().begin(begin_from(body), source))

    async def _prove(self, body: bytes, _source: str) -> bytes:
        return proved_bytes(await self._office().prove(prove_from(body)))

    async def _poll(self, body: bytes, _source: str) -> bytes:
        return word_bytes(await self._office().poll(poll_from(body)))

    def _office(self) -> Admission:
        assert self.admission is not None, "it is given before the first open"
        return self.admission


def source_of(peer: str) -> str:
    """The address of "ipv4:192.0.2.7:51312", without the port."""
    return unquote(peer).rpartition(":")[0]
