"""A gRPC server with everything real but the operations, and the people who call it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.client.grpc_wire import TlsFiles
from aimem_node.clocks import SystemChance
from aimem_node.contract.calls import Credentials
from aimem_node.contract.errors import Failure
from aimem_node.contract.operations import Role
from aimem_node.contract.values import Event, GetResponse, Memory
from aimem_node.replica.identity import Identity
from aimem_node.rpc.access import Access
from aimem_node.rpc.access_edit import add_pin
from aimem_node.rpc.grpc_server import GrpcServer, TlsListener, UnixListener
from aimem_node.rpc.principals import Authenticator

HANG_S = 20
"""Far above what anything here takes: reaching it means that something hangs."""


class SystemClock:
    """The machine's, moved ahead at will so that no test waits for the next look at a file."""

    ahead_us = 0

    def now_us(self) -> int:
        return time.time_ns() // 1000 + self.ahead_us

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000 + self.ahead_us

    def to_next_look(self) -> None:
        self.ahead_us += 1_000_000


class FakeDispatch:
    """Answers Get and Events as the test says; authenticates nobody."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any, Credentials]] = []
        self.failure: BaseException | None = None
        self.begun = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.events: asyncio.Queue[Event | Failure | None] = asyncio.Queue()
        self.ended = asyncio.Event()
        """Set when a stream was let go of."""

    async def call(self, operation: str, request: Any, credentials: Credentials) -> Any:
        self.seen.append((operation, request, credentials))
        self.begun.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        return GetResponse(memory=Memory(id=request.id, title="a title"))

    async def stream(
        self, operation: str, request: Any, credentials: Credentials
    ) -> AsyncIterator[Any]:
        self.seen.append((operation, request, credentials))
        self.begun.set()
        try:
            while True:
                item = await self.events.get()
                if item is None:
                    return
                if isinstance(item, Failure):
                    raise item
                yield item
        finally:
            self.ended.set()


class Stage:
    """One server, its files, and identities for callers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.node_dir = str(home / "node")
        self.clock = SystemClock()
        self.dispatch = FakeDispatch()
        self.identity = Identity.load_or_create(self.node_dir, SystemChance())
        self.access = Access(self.node_dir, self.clock)
        self.authenticator = Authenticator(self.access, self.clock)
        self.socket = str(home / "run" / "grpc.sock")
        self.server: GrpcServer | None = None

    async def serve(self, *listeners: UnixListener | TlsListener) -> GrpcServer:
        self.server = GrpcServer(
            self.dispatch, self.identity, self.access, self.authenticator, listeners
        )
        await self.server.start()
        return self.server

    async def serve_tls(self, *, client_certificates: bool = True) -> str:
        """Serve on a free port of loopback; its address."""
        listener = TlsListener("127.0.0.1", 0, client_certificates)
        return (await self.serve(listener)).addresses[0]

    def caller(self, name: str) -> Identity:
        """Somebody with a key of their own."""
        return Identity.load_or_create(str(self.home / name), SystemChance())

    def pin(self, name: str, role: Role = Role.WRITER) -> Identity:
        """Somebody whose key is pinned, in force at once."""
        caller = self.caller(name)
        add_pin(self.node_dir, caller.cert_pem, name, role)
        self.clock.to_next_look()
        return caller

    def files(self, name: str | None) -> TlsFiles:
        """What the TLS client of a caller takes; of nobody, without a certificate."""
        node = os.path.join(self.node_dir, "identity", "node.crt")
        if name is None:
            return TlsFiles(node)
        own = self.home / name / "identity"
        return TlsFiles(node, str(own / "node.crt"), str(own / "node.key"))

    def client(self, address: str, name: str | None, bearer: str | None = None) -> GrpcClient:
        return GrpcClient.tls(address, self.files(name), bearer, timeout_s=HANG_S)

    def here(self) -> GrpcClient:
        return GrpcClient.unix(self.socket, timeout_s=HANG_S)


def play(home: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    """Run one test with a stage of its own, and take it down whatever happens."""

    async def run() -> None:
        stage = Stage(home)
        try:
            async with asyncio.timeout(HANG_S):
                await scene(stage)
        finally:
            if stage.server is not None:
                await stage.server.stop(0)

    asyncio.run(run())


async def failure_of(work: Awaitable[Any]) -> Failure:
    """The failure in which work ends."""
    try:
        answer = await work
    except Failure as failure:
        return failure
    raise AssertionError(f"no failure but {answer!r}")


async def rest(items: AsyncIterator[Any]) -> list[Any]:
    """All that is still to come."""
    return [item async for item in items]
