"""Put a node in touch with others: the listener for members, the dialing, the way in for new ones.

A lone node opens none of it. The first `invite` or `join` chooses an address, and the node comes
back to it at every start from then on.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aimem_node.clocks import Chance, Clock
from aimem_node.config import Settings, split_address
from aimem_node.contract.errors import Failure
from aimem_node.replica import kept
from aimem_node.replica.addresses import join_address, own_host
from aimem_node.replica.admission import Admission
from aimem_node.replica.cluster import Cluster
from aimem_node.replica.identity import identity_dir
from aimem_node.replica.invites import Invites
from aimem_node.replica.joining import Joining
from aimem_node.replica.rotating import Rotation
from aimem_node.rpc.join_client import JoinDoor
from aimem_node.rpc.join_server import JoinServer
from aimem_node.rpc.peer_books import StoreBooks
from aimem_node.rpc.peer_net import PeerNet
from aimem_sync.cursor import Cursor

PEER_PORT: Final = 7740
"""Where members are heard when nothing else is said; new ones knock at the next port."""
PORTS_TRIED: Final = 20
PLACE: Final = "address.json"
RETRY_S: Final = 5.0
ANY_HOST: Final = ("0.0.0.0", "::", "")  # noqa: S104  compared with, not bound to

Dial = Callable[[str, str], str]
"""(node id, address) to the address to dial; for tests that stand in between."""


class Peering:
    """See the module. Lives on one event loop."""

    def __init__(
        self, cluster: Cluster, settings: Settings, clock: Clock, chance: Chance, dial: Dial
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._dial = dial
        self._home = Path(identity_dir(str(settings.data_dir)))
        self._net: PeerNet | None = None
        self._opening = asyncio.Lock()
        plane = cluster.plane
        host = split_address("peer", settings.peer)[0] if settings.peer else ""
        self._server = JoinServer(lambda: plane.identity, clock, bind=host)
        office = Admission(cluster, Invites(self._home, chance), self._server, clock, chance)
        cluster.invites = self._server.admission = office
        cluster.joining = Joining(self._home, cluster, JoinDoor(), clock, chance)
        cluster.rotating = Rotation(str(settings.data_dir), cluster, chance)
        cluster.open_peer = self.open
        cluster.reopen_peer = self.reopen
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def address(self) -> str:
        """Where members are heard; empty if nowhere."""
        return self._cluster.address

    async def start(self) -> None:
        """Be where this node was before, and go on with what a restart interrupted."""
        known = kept.recall(self._home / PLACE)
        if self._settings.peer or known or not self._cluster.plane.is_alone:
            await self.open("")
        begin = asyncio.get_running_loop().create_task
        self._tasks = [
            begin(self._cluster.invites.keep_door()),
            begin(self._cluster.rotating.resume()),
            begin(self._keep_address()),
        ]
        self._cluster.joining.start()

    async def stop(self) -> None:
        """Close all of it."""
        await self._cluster.joining.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.close()
        if self._net is not None:
            await self._net.close()

    async def open(self, address: str) -> str:
        """Hear members from now on. What to tell them: `address`, if given, else what was set or
        remembered, else what is found. No effect on where it listens once it does."""
        async with self._opening:
            if self._net is None:
                await self._listen(address)
            told = self._told(address)
            self._cluster.address = told
            given = bool(address) or bool((kept.recall(self._home / PLACE) or {}).get("given"))
            place = {"address": told, "port": self._port, "given": given}
            kept.keep(self._home / PLACE, place)
        return told

    async def reopen(self) -> None:
        """Listen and dial anew, with another key."""
        async with self._opening:
            if self._net is not None:
                await self._net.renew(self._cluster.plane.identity)
        self._cluster.invites.look_again()

    # ---- where -----------------------------------------------------------------------------------

    async def _listen(self, address: str) -> None:
        plane = self._cluster.plane
        host, ports = self._places(address)
        failure: Failure | None = None
        for port in ports:
            net = self._new_net()
            net.follow(plane.config, plane.history)
            try:
                self._port = await net.listen(host, port)
            except Failure as refused:
                failure = refused
                await net.close()
                continue
            self._net = net
            plane.start(net)
            return
        assert failure is not None
        raise failure

    def _new_net(self) -> PeerNet:
        plane = self._cluster.plane
        refused = plane.tallies.refused

        def have() -> Cursor:
            return plane.core.intake.have()  # of the core of then: it may be another one by then

        return PeerNet(
            plane, plane.identity,
            StoreBooks(plane.store, plane.may_hold, lambda: plane.grants), plane.clock,
            scratch=self._settings.data_dir, dial=self._dial,
            have=have,
            on_refused=lambda _peer, reason: refused.update((reason,)),
        )  # fmt: skip

    def _places(self, address: str) -> tuple[str, list[int]]:
        """The host to listen on and the ports to try."""
        if self._settings.peer:
            host, port = split_address("peer", self._settings.peer)
            return host, [port]
        known = kept.recall(self._home / PLACE) or {}
        if known.get("port"):
            return "0.0.0.0", [int(known["port"])]  # noqa: S104  mutual TLS: only members get in
        if address:
            return "0.0.0.0", [split_address("address", address)[1]]  # noqa: S104
        return "0.0.0.0", list(range(PEER_PORT, PEER_PORT + 2 * PORTS_TRIED, 2))  # noqa: S104

    def _told(self, address: str) -> str:
        if address:
            return address
        if self._settings.advertise:
            return self._settings.advertise
        known = kept.recall(self._home / PLACE) or {}
        if known.get("given"):  # by the operator, who knows better than this machine
            return str(known["address"])
        if self._settings.peer:
            host, _ = split_address("peer", self._settings.peer)
            if host not in ANY_HOST:
                return join_address(host, self._port)
        return join_address(own_host(), self._port)

    async def _keep_address(self) -> None:
        """For ever: have the others know where this node is, if that has changed."""
        while True:
            with contextlib.suppress(Failure):
                if self._cluster.address and self._cluster.votes_here:
                    await self._cluster.keep_address()
            await asyncio.sleep(RETRY_S)


def no_detour(_node_id: str, address: str) -> str:
    """Dial what the member says."""
    return address
