"""Several nodes of one's own on this machine, joined as people would join theirs.

The demo of a cluster and the bench of one start here: real processes, mutual TLS on loopback, one
line from `invite` taken to `join`. All of it is gone afterwards.
"""

import asyncio
import contextlib
import secrets
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.errors import Failure
from aimem_node.contract.values import (
    ClusterStatusRequest,
    ClusterStatusResponse,
    InviteRequest,
    JoinRequest,
    JoinResponse,
)
from aimem_node.gateways.demo.own_node import NodeError, OwnNode

JOIN_SECONDS_MAX = 120.0
POLL_SECONDS = 0.05
HOST = "127.0.0.1"
PORTS_FROM, PORTS_UPTO = 20_000, 32_000
"""Below the range from which systems give ports to outgoing connections."""


def free_port() -> int:
    """A port of this machine that nobody has now, and that no outgoing connection will be given."""
    while True:
        port = PORTS_FROM + secrets.randbelow(PORTS_UPTO - PORTS_FROM)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


class OwnTeam:
    """Nodes a, b, c, ... in directories of their own. Use it as an asynchronous context manager."""

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        self.nodes: dict[str, OwnNode] = {}
        self.ports: dict[str, int] = {}
        self.addresses: dict[str, str] = {}
        "What a node tells the others, where that is not where it listens."
        self._prefix = prefix
        self._parent = parent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for node in self.nodes.values():
            node.remove()

    def client(self, name: str, timeout_s: float = 60.0) -> GrpcClient:
        """A client with a channel of its own on the unix socket of a node."""
        return GrpcClient.unix(self.nodes[name].socket("grpc"), timeout_s=timeout_s)

    async def call(self, name: str, operation: str, request: Any) -> Any:
        """One call to one node."""
        async with self.client(name) as client:
            return await client.call(operation, request)

    async def start(self, name: str, **more: str) -> None:
        """Start a node, for the first time or again, with these settings besides."""
        if name not in self.nodes:
            self.nodes[name] = OwnNode(f"{self._prefix}{name}-", self._parent)
            self.ports[name] = free_port()
        settings = {"peer": f"{HOST}:{self.ports[name]}", "name": name}
        if name in self.addresses:
            settings["advertise"] = self.addresses[name]
        self.nodes[name].spawn(**settings, **more)
        await self.nodes[name].answering()

    async def found(self, names: str) -> None:
        """Start these nodes and make one cluster of them, all voters."""
        first, rest = names[0], names[1:]
        await self.start(first)
        for name in rest:
            await self.start(name)
            await self.join(name, first)
        for name in names:
            await self.in_sync(name, len(names))

    async def join(self, name: str, sponsor: str) -> tuple[float, JoinResponse]:
        """Invite at one node, join at the other; seconds until it votes, and what it said last."""
        invited = await self.call(sponsor, "Invite", InviteRequest(name=name))
        started = time.perf_counter()
        async with self.client(name) as client:
            said: JoinResponse = await client.call("Join", JoinRequest(line=invited.line))
            while said.step != "voter":
                if said.failure:
                    raise NodeError(f"{name} could not join: {said.failure}")
                if time.perf_counter() - started > JOIN_SECONDS_MAX:
                    raise NodeError(f"{name} has not joined in time: {said.step}: {said.said}")
                await asyncio.sleep(POLL_SECONDS)
                said = await client.call("Join", JoinRequest())
        return time.perf_counter() - started, said

    async def status(self, name: str) -> ClusterStatusResponse:
        """How the cluster stands, as one node sees it."""
        found: ClusterStatusResponse = await self.call(
            name, "ClusterStatus", ClusterStatusRequest()
        )
        return found

    async def in_sync(self, name: str, count: int, seconds_max: float = 30.0) -> None:
        """Wait until a node counts so many voters, itself included, as in sync."""
        deadline = time.monotonic() + seconds_max
        while True:
            with contextlib.suppress(Failure):
                if (await self.status(name)).in_sync >= count:
                    return
            if time.monotonic() > deadline:
                raise NodeError(f"{name} is not in sync with {count} nodes")
            await asyncio.sleep(POLL_SECONDS)
