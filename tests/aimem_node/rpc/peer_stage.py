"""Members with keys of their own and real connections between them; only their cores are fakes."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.peering import no_detour
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.rpc.peer_net import PeerNet
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Member, Role
from aimem_sync.messages import Beat, Message, Snapshot
from aimem_sync.op import Op, Stamp

HANG_S = 20
"""Far above what anything here takes: reaching it means that something hangs."""
CLUSTER = "c1" * 16
HOST = "127.0.0.1"


def identity_at(home: Path) -> Identity:
    return Identity.load_or_create(str(home), SystemChance())


def member(identity: Identity, address: str = "", name: str = "") -> Member:
    der = der_of(identity.cert_pem)
    return Member(identity.node_id, (identity.fingerprint,), Role.VOTER, name, address, (der,))


def config_of(*members: Member, epoch: int = 1, cluster_id: str = CLUSTER) -> Config:
    ordered = tuple(sorted(members, key=lambda one: one.node_id))
    return Config(epoch, ordered, cluster_id=cluster_id)


def make_ops(
    identity: Identity, count: int, head: Head | None = None, incarnation: str = "0f" * 8,
    sign: Callable[[bytes], bytes] | None = None,
) -> list[Op]:  # fmt: skip
    """A run of a node's log."""
    origin, made, head = Origin(identity.node_id, incarnation), [], head or Head()
    for at in range(count):
        stamp = Stamp(head.seq + 1, 1_000_000 + at, 1)
        op = append(
            head, stamp, "edit", f"r{at}", b'{"n":%d}' % at, "user:ann", f"k{at}", origin,
            sign or identity.sign,
        )  # fmt: skip
        made.append(op)
        head = Head(op.seq, op.chain)
    return made


def beat(seq: int = 0) -> Beat:
    """A beat that can be told from others."""
    return Beat("0f" * 8, 1, {}, Cursor(), seq)


@dataclass
class File:
    """A snapshot as the store would export it."""

    path: Path
    heads: dict[Origin, Head] = field(default_factory=dict)
    floor: Cursor = field(default_factory=Cursor)
    lamport: int = 7
    sha256: str = ""
    bytes: int = 0


def file_of(path: Path, content: bytes) -> File:
    path.write_bytes(content)
    return File(path, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


class FakeSide:
    """Remembers what it is told, and lets a test wait for it."""

    def __init__(self, identity: Identity) -> None:
        self.origin = Origin(identity.node_id, "0f" * 8)
        self.told: asyncio.Queue[tuple[str, Message, tuple[bytes, ...]]] = asyncio.Queue()
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.snapshots: asyncio.Queue[tuple[str, Snapshot, Path]] = asyncio.Queue()
        self.progress: list[tuple[str, int, int, int]] = []
        self.file: Callable[[], Awaitable[Any]] | None = None

    def heard(self, fingerprint: str, message: Message, beside: Sequence[bytes] = ()) -> None:
        self.told.put_nowait((fingerprint, message, tuple(beside)))

    def feed(self, event: Any) -> None:
        self.events.put_nowait(event)

    def downloading(self, node_id: str, pull_id: int, done: int, total: int) -> None:
        self.progress.append((node_id, pull_id, done, total))

    def downloaded(self, fingerprint: str, snapshot: Snapshot, file: Path) -> None:
        self.snapshots.put_nowait((fingerprint, snapshot, file))

    def snapshot_file(self, node_id: str) -> Awaitable[Any]:
        assert self.file is not None
        return self.file()


class Box:
    """One machine."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.home = home / name
        self.identity = identity_at(self.home)
        self.node_id = self.identity.node_id
        self.side = FakeSide(self.identity)
        self.refusals: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.links: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
        self.frames: list[tuple[Any, bytes]] = []
        self.books: Any = None
        self.net: PeerNet = None  # type: ignore[assignment]
        self.address = ""

    def begin(self) -> None:
        self.net = PeerNet(
            self.side, self.identity, self.books, SystemClock(), scratch=self.home,
            dial=no_detour,
            on_refused=lambda peer, reason: self.refusals.put_nowait((peer, reason)),
            on_link=lambda node_id, up: self.links.put_nowait((node_id, up)),
        )  # fmt: skip

    async def listen(self) -> None:
        self.begin()
        self.address = f"{HOST}:{await self.net.listen(HOST, 0)}"

    @property
    def member(self) -> Member:
        return member(self.identity, self.address, self.name)

    def follow(self, config: Config, *history: Config) -> None:
        self.net.follow(config, (*history, config))

    async def link(self, up: bool = True, node_id: str = "") -> str:
        """Wait until a way to a member opens or closes; which one."""
        while True:
            found, state = await self.links.get()
            if state is up and (not node_id or found == node_id):
                return found

    async def refusal(self, reason: str = "") -> tuple[str, str]:
        while True:
            peer, found = await self.refusals.get()
            if not reason or found == reason:
                return peer, found

    async def next_heard(self) -> Message:
        return (await self.side.told.get())[1]


class Stage:
    """Some boxes, and an end for all of them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.boxes: list[Box] = []
        self.ends: list[Callable[[], Awaitable[Any]]] = []

    async def box(self, name: str, *, listens: bool = True) -> Box:
        made = Box(self.home, name)
        self.boxes.append(made)
        if listens:
            await made.listen()
        else:
            made.begin()
        return made

    async def boxes_of(self, *names: str) -> list[Box]:
        return [await self.box(name) for name in names]

    async def team(self, *names: str) -> list[Box]:
        """Boxes that are members of one cluster, each with a way to each other one."""
        boxes = await self.boxes_of(*names)
        config = config_of(*(box.member for box in boxes))
        for box in boxes:
            box.follow(config)
        for box in boxes:
            for _ in range(len(boxes) - 1):
                await box.link()
        return boxes


def play(home: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    """Run one test with a stage of its own, and take it down whatever happens."""

    async def run() -> None:
        stage = Stage(home)
        try:
            async with asyncio.timeout(HANG_S):
                await scene(stage)
        finally:
            for box in stage.boxes:
                if box.net is not None:
                    await box.net.close()
            for end in stage.ends:
                await end()

    asyncio.run(run())
