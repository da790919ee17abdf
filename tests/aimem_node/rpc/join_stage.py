"""A sponsor with a real way in over TLS on loopback, and a machine that joins through it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.replica.admission import Admission
from aimem_node.replica.identity import identity_dir
from aimem_node.replica.invites import Invites
from aimem_node.replica.joining import Joining
from aimem_node.rpc.join_client import JoinDoor
from aimem_node.rpc.join_server import JoinServer
from tests.aimem_node.replica.joining_stage import HANG_S, Pair


class RealPair(Pair):
    """The same two, with a network between them."""

    def __init__(self, tmp: Path) -> None:
        super().__init__(tmp)
        self.real_clock = SystemClock()
        self.old.port = 65_535  # there is none above it: the way in takes any that is free
        self.server = JoinServer(lambda: self.old.identity, self.real_clock)
        self.office = self.make_office()
        self.server.admission = self.office
        self.real_door = JoinDoor()
        self.joining = self.make_joining()

    def make_office(self) -> Admission:
        """As after a start of the sponsor."""
        invites = Invites(identity_dir(str(self.old.data_dir)), self.chance)
        if not hasattr(self, "server"):
            return super().make_office()
        return Admission(self.old, invites, self.server, self.real_clock, self.chance)

    def make_joining(self) -> Joining:
        """As after a start of the new node."""
        if not hasattr(self, "real_door"):
            return super().make_joining()
        home = identity_dir(str(self.new.data_dir))
        return Joining(home, self.new, self.real_door, self.real_clock, SystemChance(), self._pause)


def play(tmp: Path, scene: Callable[[RealPair], Awaitable[None]]) -> None:
    """Run one scene, and close everything."""

    async def run() -> None:
        pair = RealPair(tmp)
        async with asyncio.timeout(HANG_S):
            try:
                await scene(pair)
            finally:
                await pair.joining.close()
                await pair.server.close()

    asyncio.run(run())
