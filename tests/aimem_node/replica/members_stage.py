"""One real node among members that exist only as far as a test speaks for them.

The store, the core and its disk are real; time stands still until a test moves it; what the node
sends is kept in a list, and what the others say is said by the test. So nothing here waits for
anything but the node's own disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimem_node.clocks import SystemChance
from aimem_node.config import Settings
from aimem_node.main import Core
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.replica.net import Nobody
from aimem_node.replica.replica import Intent, Wish
from aimem_sync.change import Change
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Member, Role
from aimem_sync.messages import AppendAck, Beat, Message, Status
from aimem_sync.op import Op, Stamp
from tests.harness import HandClock, SeededChance

HANG_S = 20
"""Far above what anything here takes: reaching it means that something hangs."""
INCARNATION = "0b" * 8


@dataclass
class FakeNet(Nobody):
    """What the node wanted to tell whom."""

    sent: list[tuple[str, Message]] = field(default_factory=list)
    appends: list[tuple[str, list[bytes], list[bytes]]] = field(default_factory=list)
    pages: list[tuple[int, list[bytes], list[bytes]]] = field(default_factory=list)
    downloads: list[tuple[str, int]] = field(default_factory=list)
    followed: list[int] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Callable[..., Any]] = field(default_factory=dict)
    "By the name of a question; what is not here is refused as Nobody does."

    def send(self, node_id: str, message: Message) -> None:
        self.sent.append((node_id, message))

    def send_append(
        self,
        node_id: str,
        epoch: int,
        durable_upto: int,
        ops: list[bytes],
        beside: list[bytes],
    ) -> None:
        self.appends.append((node_id, ops, beside))

    def send_page(
        self,
        node_id: str,
        pull_id: int,
        ops: list[bytes],
        beside: list[bytes],
    ) -> None:
        self.pages.append((pull_id, ops, beside))

    def download(self, node_id: str, pull_id: int) -> None:
        self.downloads.append((node_id, pull_id))

    def follow(self, config: Config, history: Sequence[Config]) -> None:
        self.followed.append(config.epoch)

    def why_not(self, node_id: str) -> str:
        return self.why.get(node_id, "")

    async def chain_at(
        self, node_id: str, origin: Origin, seqs: tuple[int, ...]
    ) -> tuple[bytes, ...]:
        if "chain_at" not in self.answers:
            return await super().chain_at(node_id, origin, seqs)
        found: tuple[bytes, ...] = self.answers["chain_at"](node_id, origin, seqs)
        return found

    async def sums(self, node_id: str) -> Any:
        if "sums" not in self.answers:
            return await super().sums(node_id)
        return self.answers["sums"](node_id)

    async def record_hashes(self, node_id: str, buckets: Sequence[int]) -> dict[str, bytes]:
        if "record_hashes" not in self.answers:
            return await super().record_hashes(node_id, buckets)
        found: dict[str, bytes] = self.answers["record_hashes"](node_id, buckets)
        return found

    async def ops_at(
        self, node_id: str, origin: Origin, seqs: tuple[int, ...]
    ) -> tuple[bytes, ...]:
        if "ops_at" not in self.answers:
            return await super().ops_at(node_id, origin, seqs)
        found: tuple[bytes, ...] = self.answers["ops_at"](node_id, origin, seqs)
        return found


class Room:
    """Node a, and the members b, c, ... whose words are a test's."""

    def __init__(self, home: Path, core: Core, clock: HandClock, names: str) -> None:
        self.home = home
        self.core = core
        self.clock = clock
        self.net = FakeNet()
        self.others = {
            name: Identity.load_or_create(str(home / name), SystemChance()) for name in names
        }
        self.logs: dict[str, list[Op]] = {name: [] for name in names}

    @property
    def plane(self) -> Any:
        return self.core.plane

    @property
    def me(self) -> str:
        return self.core.replica.identity.node_id

    @property
    def own(self) -> Origin:
        return self.core.plane.origin

    def id(self, name: str) -> str:
        return self.me if name == "a" else self.others[name].node_id

    def log_of(self, name: str) -> Origin:
        return Origin(self.id(name), INCARNATION)

    def config(self, *, epoch: int = 2, learners: str = "", without: str = "") -> Config:
        """All of them in one list."""
        members = [_member(self.core.replica.identity, "a", Role.VOTER)]
        for name, identity in self.others.items():
            if name not in without:
                role = Role.LEARNER if name in learners else Role.VOTER
                members.append(_member(identity, name, role))
        members.sort(key=lambda one: one.node_id)
        return Config(epoch, tuple(members), cluster_id="c1" * 16)

    async def gather(self, **how: Any) -> Config:
        """Make them members of one cluster, of whom nobody has been heard yet; node a's log is as
        long as anybody knows."""
        self.plane.start(self.net)
        config = self.config(**how)
        await self.core.cluster.force(config)
        self.plane.core.startup.is_over_for_good = True
        return config

    # ---- what the others say ---------------------------------------------------------------------

    def say(self, name: str, message: Message, beside: Sequence[bytes] = ()) -> None:
        self.plane.heard(self.others[name].fingerprint, message, beside)

    def beat(self, *names: str, heads: dict[Origin, Head] | None = None, **more: Any) -> None:
        """These members are here, and hold these logs; if none are named, all that node a holds."""
        held = dict(self.plane.core.intake.durable) if heads is None else heads
        epoch = more.pop("epoch", self.plane.config.epoch)
        for name in names or self.others:
            said = Beat(INCARNATION, epoch, held, Cursor(), self.clock.now_us(), **more)
            self.say(name, said)
        self.plane._look()

    def ack(self, *names: str, upto: int | None = None, status: Status = Status.OK) -> None:
        """These members have node a's log on disk up to here."""
        seq = self.plane.core.own_seq if upto is None else upto
        for name in names:
            answered = self.plane.core.own_seq
            self.say(name, AppendAck(INCARNATION, self.own, answered, seq, status))
        self.plane._look()

    def write_ops(self, name: str, count: int) -> list[Op]:
        """The next ops of another member's log, well signed."""
        log, made = self.logs[name], []
        for _ in range(count):
            head = Head(log[-1].seq, log[-1].chain) if log else Head()
            op = append(
                head, Stamp(head.seq + 1, self.clock.now_us(), 1), "edit", f"{name}{head.seq}",
                b'{"type":"note"}', "user:bob", "", self.log_of(name), self.others[name].sign,
            )  # fmt: skip
            log.append(op)
            made.append(op)
        return made

    # ---- what node a does ------------------------------------------------------------------------

    def write(self, record_id: str = "r1", key: str = "", **wish: Any) -> Awaitable[Any]:
        """One write of one op; its answer is bytes."""

        def work(tx: Any) -> bytes:
            tx.change(Change(record_id, "note", {"body": {"text": record_id}}))
            return record_id.encode()

        return self.core.replica.write(self.intent(key), work, Wish(**wish))

    def intent(self, key: str = "", said: bytes = b"s" * 32) -> Intent[bytes]:
        return Intent("user:ann", self.clock.now_us(), bytes, bytes, key, said if key else b"")

    async def read(self, what: Callable[[Any], Any]) -> Any:
        return await self.core.store.readers.read(what, 10_000)

    async def ops(self, origin: Origin | None = None) -> list[Op]:
        found = await self.read(lambda view: view.ops_of_origin(origin or self.own, 0, 1_000))
        return [placed.op for placed in found]

    def dot(self, seq: int) -> Dot:
        return Dot(self.own, seq)

    async def until(self, true: Callable[[], Any], what: str = "it comes to this") -> Any:
        """Let the node go on until something is so. Bounded by HANG_S of `play`."""
        del what
        while True:
            found = true()
            if found:
                return found
            await asyncio.sleep(0.005)


def _member(identity: Identity, name: str, role: Role) -> Member:
    der = der_of(identity.cert_pem)
    return Member(identity.node_id, (identity.fingerprint,), role, name, f"{name}.lan:7740", (der,))


def play(
    home: Path, scene: Callable[[Room], Awaitable[None]], names: str = "bc", **settings: Any
) -> None:
    """Run one test with a room of its own, and close it whatever happens."""

    async def run() -> None:
        clock = HandClock()
        data_dir = home / "a"
        given = Settings(data_dir=data_dir, name="a", embedder="off", **settings)
        core = await Core.start(data_dir, clock, SeededChance(), given)
        room = Room(home, core, clock, names)
        try:
            async with asyncio.timeout(HANG_S):
                await scene(room)
        finally:
            await core.stop()

    asyncio.run(run())
