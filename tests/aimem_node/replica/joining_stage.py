"""Two nodes that want to become one cluster, without a cluster: seats that a test scripts."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.admission import Admission
from aimem_node.replica.certs import der_of
from aimem_node.replica.handshake import Begin, Begun, Prove, Proved, Word
from aimem_node.replica.identity import Certificate, Identity, identity_dir
from aimem_node.replica.invites import Invites
from aimem_node.replica.joining import Joining
from aimem_node.replica.seat import Level
from aimem_node.replica.standing import proves
from aimem_sync.members import (
    Config,
    Endorsement,
    Member,
    Proof,
    Role,
    endorsed_bytes,
    why_not_next,
)

HANG_S = 20
"""Far above what anything here takes: reaching it means that something hangs."""
DAY_US = 86_400_000_000


class StepClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.us = 1_800_000_000_000_000

    def now_us(self) -> int:
        return self.us

    def monotonic_us(self) -> int:
        return self.us


class FakeSeat:
    """A node in a cluster of one, whose every change is decided at once, unless a test says no."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self.data_dir = data_dir
        self.name = name
        self.identity = Identity.load_or_create(str(data_dir), SystemChance())
        me = Member(
            self.identity.node_id, (self.identity.fingerprint,), Role.VOTER, name, "",
            (der_of(self.identity.cert_pem),),
        )  # fmt: skip
        self.history: list[Config] = [Config(1, (me,), cluster_id="c-" + name)]
        self.proofs: list[Proof] = [()]
        self.memories = False
        self.reached: Level = Level("level")
        self.refuses: list[Failure] = []
        "Raised by the next changes."
        self.hold: asyncio.Event | None = None
        "Changes wait for it."
        self.adopting: Failure | None = None
        self.late: list[frozenset[str]] = []
        self.listened: list[str] = []
        self.switched: list[str] = []
        self.port = 17_946

    @property
    def config(self) -> Config:
        return self.history[-1]

    def proves(self, old: Config, new: Config, proof: Proof) -> bool:
        return proves(old, new, proof)

    async def change(self, make: Callable[[Config], Config]) -> Config:
        if self.hold is not None:
            await self.hold.wait()
        if self.refuses:
            raise self.refuses.pop(0)
        before = self.config
        wanted = make(before)
        if wanted == before:
            return before
        assert why_not_next(before, wanted) == ""
        sig = self.identity.sign(endorsed_bytes(wanted))
        self.decided(wanted, (Endorsement(self.identity.node_id, self.identity.fingerprint, sig),))
        return wanted

    def decided(self, config: Config, proof: Proof) -> None:
        self.history.append(config)
        self.proofs.append(proof)

    async def adopt(self, history: Sequence[Config], proofs: Sequence[Proof]) -> None:
        if self.adopting is not None:
            raise self.adopting
        self.history, self.proofs = list(history), list(proofs)

    async def listen(self, address: str) -> str:
        self.listened.append(address)
        return address or f"127.0.0.1:{self.port}"

    async def has_memories(self) -> bool:
        return self.memories

    def level(self) -> Level:
        return self.reached

    def behind(self, epoch: int) -> frozenset[str]:
        return self.late.pop(0) if self.late else frozenset()

    async def switch(self, identity: Identity) -> None:
        self.switched.append(identity.fingerprint)
        self.identity = identity


class FakeListener:
    """A way in that nobody can use; it remembers whether it is open."""

    def __init__(self) -> None:
        self.port = 0
        self.turned = asyncio.Event()

    async def open(self, host: str, port: int) -> int:
        self.port = self.port or port
        self.turned.set()
        return self.port

    async def close(self) -> None:
        self.port = 0
        self.turned.set()


class NearSponsor:
    """A sponsor in the same process. A test may change what is said, or cut the line."""

    def __init__(self, door: "NearDoor") -> None:
        self.door = door
        self.certificate: Certificate = door.seat.identity.certificate
        self.address = "near"

    async def _say(self, what: str, value: Any) -> Any:
        self.door.said.append(what)
        if what in self.door.cut:
            self.door.cut.remove(what)
            raise Failure(Code.UNAVAILABLE, f"the connection broke at {what}")
        change = self.door.bent.get(what)
        return change(value) if change else value

    async def begin(self, begin: Begin) -> Begun:
        begun = self.door.office.begin(await self._say("begin", begin), "near")
        answer: Begun = await self._say("begun", begun)
        return answer

    async def prove(self, prove: Prove) -> Proved:
        proved = await self.door.office.prove(await self._say("prove", prove))
        answer: Proved = await self._say("proved", proved)
        return answer

    async def poll(self, session: str) -> Word:
        word = await self.door.office.poll(await self._say("poll", session))
        answer: Word = await self._say("word", word)
        return answer

    async def close(self) -> None:
        self.door.said.append("close")


class NearDoor:
    """Leads to one sponsor, whatever address is asked for."""

    def __init__(self, seat: FakeSeat, office: Admission) -> None:
        self.seat = seat
        self.office = office
        self.said: list[str] = []
        self.cut: list[str] = []
        self.bent: dict[str, Callable[[Any], Any]] = {}

    async def open(self, addresses: Sequence[str], fingerprint: str) -> NearSponsor:
        self.said.append("open")
        if "open" in self.cut:
            self.cut.remove("open")
            raise Failure(Code.UNAVAILABLE, "the sponsor cannot be reached", next="Is it running?")
        return NearSponsor(self)


class Pair:
    """A sponsor and a machine that is to join it."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        self.clock = StepClock()
        self.chance = SystemChance()
        self.old = FakeSeat(tmp / "old", "lab-1")
        self.new = FakeSeat(tmp / "new", "lab-2")
        self.listener = FakeListener()
        self.office = self.make_office()
        self.door = NearDoor(self.old, self.office)
        self.pauses: list[float] = []
        self.on_pause: Callable[[], None] = lambda: None
        self.beside: list[asyncio.Task[Any]] = []
        "What a pause lasts as long as."
        self.joining = self.make_joining()

    def make_office(self) -> Admission:
        """As after a start of the sponsor."""
        invites = Invites(identity_dir(str(self.old.data_dir)), self.chance)
        return Admission(self.old, invites, self.listener, self.clock, self.chance)

    def make_joining(self) -> Joining:
        """As after a start of the new node."""
        home = identity_dir(str(self.new.data_dir))
        return Joining(home, self.new, self.door, self.clock, self.chance, self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.on_pause()
        assert len(self.pauses) < 500, "it waits for ever"
        await asyncio.sleep(0)
        await asyncio.gather(*self.beside)

    async def line(self, name: str = "", ttl_s: int = 900) -> str:
        return (await self.office.invite(name, ttl_s)).line

    async def finish(self) -> None:
        """Until the walk has ended."""
        task = self.joining._task
        if task is not None:
            await task

    def promote(self) -> None:
        """What the sponsor's cluster does once the new node holds everything."""
        node_id = self.new.identity.node_id
        member = self.old.config.member(node_id)
        if member is not None and member.role is Role.LEARNER:
            voted = self.old.config.with_voter(node_id)
            sig = self.old.identity.sign(endorsed_bytes(voted))
            one = Endorsement(self.old.identity.node_id, self.old.identity.fingerprint, sig)
            self.old.decided(voted, (one,))
        if self.new.config.member(self.old.identity.node_id) is not None:
            self.new.history, self.new.proofs = list(self.old.history), list(self.old.proofs)


def play(tmp: Path, scene: Callable[[Pair], Awaitable[None]]) -> None:
    """Run one scene, and end whatever it left running."""

    async def run() -> None:
        pair = Pair(tmp)
        async with asyncio.timeout(HANG_S):
            try:
                await scene(pair)
            finally:
                await pair.joining.close()

    asyncio.run(run())


def bent(value: Any, **changes: Any) -> Any:
    """The same with other fields."""
    return dataclasses.replace(value, **changes)
