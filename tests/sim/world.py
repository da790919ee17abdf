"""Virtual time, a bad network and bad disks, around the very core that the node runs.

One heap of things to come; the only chance is `Random(seed)`. Two runs with one seed are equal to
the last event, which the trace hash shows.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Any

from aimem_sync.change import Change
from aimem_sync.cursor import Cursor
from aimem_sync.dataplane import DataPlane, Standing
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import (
    Answer,
    Applied,
    Changed,
    Collect,
    Effect,
    Fence,
    Install,
    Keep,
    KeepConfig,
    KeepVote,
    Note,
    RefuseRead,
    Send,
    SendAppend,
    SendPage,
    SendSnapshot,
    ServeRead,
    Stamp,
    Truncate,
)
from aimem_sync.events import (
    ChangeWanted,
    Disconnected,
    Event,
    Heard,
    ReadWanted,
    Tick,
    WriteWanted,
)
from aimem_sync.members import Config, Member
from aimem_sync.messages import Append, Message, Page, Snapshot, SnapshotWanted
from tests.sim.disk import Disk, Image, WriteJob
from tests.sim.oracles import Oracles

MS = 1_000
SECOND = 1_000_000
TICK_US = 100 * MS
EVENTS_MAX = 150_000
"""Of one run. A healthy one needs a tenth; more of them are a storm (I17)."""


@dataclass
class Net:
    """What the network does to a message."""

    latency_us: tuple[int, int] = (1 * MS, 8 * MS)
    loss: float = 0.0
    twice: float = 0.0
    blocked: set[tuple[str, str]] = field(default_factory=set)

    def heal(self) -> None:
        self.loss = self.twice = 0.0
        self.latency_us = (1 * MS, 8 * MS)
        self.blocked.clear()


@dataclass
class Node:
    """One machine: its disk, and its process if it runs."""

    node_id: str
    disk: Disk
    core: DataPlane | None = None
    boot: int = 0
    busy: bool = False
    fsync_us: tuple[int, int] = (500, 6 * MS)
    skew_us: int = 0
    images: list[Image] = field(default_factory=list)
    wake_us: int = -1

    @property
    def fingerprint(self) -> str:
        return "key-" + self.node_id[-2:]


def node_name(number: int) -> str:
    return f"{number:032x}"


class World:
    """A cluster and all that happens to it."""

    def __init__(self, seed: int, nodes: int, *, spare: int = 0, retained_ops: int = 40) -> None:
        self.rng = Random(seed)
        self.now_us = 0
        self.retained_ops = retained_ops
        self.heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.count = 0
        self.trace = blake2b(digest_size=16)
        self.net = Net()
        self.notes: Counter[str] = Counter()
        self.oracles = Oracles(self)
        self.nodes: dict[str, Node] = {}
        self.jobs: dict[int, WriteJob] = {}
        self.on_answer: Callable[[Node, Answer], None] = lambda node, answer: None
        self.on_read: Callable[[Node, int, RefuseRead | None], None] = lambda node, read, no: None
        self.on_changed: Callable[[Node, Changed], None] = lambda node, changed: None
        self.last_request = 0
        names = [node_name(i + 1) for i in range(nodes + spare)]
        members = tuple(Member(n, ("key-" + n[-2:],)) for n in names[:nodes])
        self.first = Config(1, members)
        self.oracles.configs[1] = self.first
        self.spares = names[nodes:]
        for name in names:
            image = Image(history=[self.first])
            self.nodes[name] = Node(name, self._disk(name, image))
        for name in names[:nodes]:
            self.start(name)

    def _disk(self, name: str, image: Image) -> Disk:
        return Disk(Origin(name, f"{self.rng.getrandbits(64):016x}"), image, watch=self.oracles.op)

    # ---- time ------------------------------------------------------------------------------------

    def at(self, time_us: int, act: Callable[..., None], *args: Any) -> None:
        self.count += 1
        heapq.heappush(self.heap, (time_us, self.count, act, args))

    def after(self, delay_us: int, act: Callable[..., None], *args: Any) -> None:
        self.at(self.now_us + delay_us, act, *args)

    def run(self, until_us: int) -> None:
        """Let everything happen that is to happen up to then."""
        while self.heap and self.heap[0][0] <= until_us:
            self.now_us, _, act, args = heapq.heappop(self.heap)
            act(*args)
            if self.count > EVENTS_MAX:
                self.oracles.fail("I17", "a storm: too many events")
        self.now_us = until_us

    # ---- processes -------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start the process of a node over what its disk holds."""
        node = self.nodes[name]
        if node.core is not None:
            return
        disk = node.disk
        disk.watch = self.oracles.op
        image = disk.image
        node.boot += 1
        node.busy = False
        node.wake_us = -1
        node.core = DataPlane(
            Standing(
                disk.origin, tuple(image.history), dict(image.heads), image.floor(),
                dict(disk.votes), self.retained_ops,
            )
        )  # fmt: skip
        self._tick(name, node.boot)

    def crash(self, name: str) -> None:
        """Cut the power: what no fsync has covered is gone."""
        node = self.nodes[name]
        node.core = None
        node.boot += 1
        node.disk.queue.clear()
        self._mark(name, "crash")

    def restore(self, name: str, image: Image, *, renew: bool = True) -> None:
        """Put an old image in place of the disk; the operator's tool mints a new incarnation."""
        self.crash(name)
        node = self.nodes[name]
        self.oracles.lost_disk(name)
        node.disk.image = image.copy()
        self.restart_lamport(node)
        if renew:
            self.renew(node)

    def renew(self, node: Node) -> None:
        incarnation = f"{self.rng.getrandbits(64):016x}"
        node.disk.origin = Origin(node.node_id, incarnation)

    def restart_lamport(self, node: Node) -> None:
        """A hook for a mutant."""

    def _tick(self, name: str, boot: int) -> None:
        node = self.nodes[name]
        if node.boot != boot or node.core is None:
            return
        self.step(node, Tick(self.now_us + node.skew_us))
        self.after(TICK_US, self._tick, name, boot)

    def step(self, node: Node, event: Event) -> None:
        """Let something happen to a node, and do what it wants done."""
        core = node.core
        if core is None:
            return
        effects = core.step(self.now_us, event)
        if isinstance(event, Heard):
            self.oracles.heard(node, event, effects)
        self._do(node, effects)
        wake = core.wake_at_us()
        if wake is not None and wake != node.wake_us and node.core is core:
            node.wake_us = wake
            self.at(max(wake, self.now_us), self._wake, node.node_id, node.boot)

    def _wake(self, name: str, boot: int) -> None:
        node = self.nodes[name]
        if node.boot == boot:
            self.step(node, Tick(self.now_us + node.skew_us))

    # ---- effects ---------------------------------------------------------------------------------

    def _do(self, node: Node, effects: list[Effect]) -> None:
        disk = node.disk
        for effect in effects:
            match effect:
                case Send(to, message):
                    self.send(node, to, message)
                case SendAppend(to, ops, epoch, durable_upto):
                    found = disk.read(ops)
                    if found:
                        self.send(node, to, Append(epoch, found, durable_upto))
                case SendPage(to, pull_id, ranges):
                    found = tuple(op for r in ranges for op in disk.read(r))
                    self.send(node, to, Page(pull_id, found))
                case SendSnapshot(to, pull_id):
                    self.send(node, to, disk.snapshot(pull_id))
                case Stamp(request):
                    disk.queue.append(self.jobs[request])
                case Keep() | KeepVote() | KeepConfig() | Install() | Truncate() | Collect():
                    self.oracles.asked(node, effect)
                    disk.queue.append(effect)
                case Answer():
                    self.oracles.answer(node, effect)
                    self.on_answer(node, effect)
                case ServeRead(read):
                    self.on_read(node, read, None)
                case RefuseRead(read):
                    self.on_read(node, read, effect)
                case Changed():
                    self.on_changed(node, effect)
                case Applied(config):
                    self._mark(node.node_id, f"epoch {config.epoch}")
                    self.oracles.applied(node, config)
                case Fence(reason):
                    self._fenced(node, reason)
                case Note(what):
                    self.notes[what] += 1
        if disk.queue and not node.busy and node.core is not None:
            node.busy = True
            self.after(self.rng.randint(*node.fsync_us), self._fsynced, node.node_id, node.boot,
                       disk.queue)  # fmt: skip
            disk.queue = []

    def _fsynced(self, name: str, boot: int, group: list[Effect | WriteJob]) -> None:
        node = self.nodes[name]
        if node.boot != boot:
            return
        node.busy = False
        before = node.disk.image.have()
        events = node.disk.do(group, self.now_us + node.skew_us)
        self.oracles.fsynced(node, before)
        for what in node.disk.noted:
            self.notes[what] += 1
        node.disk.noted.clear()
        for event in events:
            self._mark(name, type(event).__name__)
            self.step(node, event)
        self._do(node, [])

    def _fenced(self, node: Node, reason: str) -> None:
        """Do what the operator would: a new incarnation, and a new disk if the old one forked."""
        self.notes["fenced"] += 1
        old = node.disk.image
        self.crash(node.node_id)
        if "another history" in reason:
            self.notes["fork"] += 1
            self.oracles.lost_disk(node.node_id)
            node.disk.image = Image(history=old.history)
        self.renew(node)
        self.after(300 * MS, self.start, node.node_id)

    # ---- network ---------------------------------------------------------------------------------

    def send(self, node: Node, to: str, message: Message) -> None:
        """Give a message to the network, which may lose, delay, reorder and double it."""
        self.oracles.sent(node, to, message)
        self.notes["messages"] += 1
        net = self.net
        if (node.node_id, to) in net.blocked or self.rng.random() < net.loss:
            self._dropped(node.node_id, to, message)
            return
        copies = 2 if self.rng.random() < net.twice else 1
        boot = self.nodes[to].boot
        for _ in range(copies):
            delay = self.rng.randint(*net.latency_us)
            self.after(delay, self._deliver, node.fingerprint, to, boot, message)

    def _dropped(self, sender: str, to: str, message: Message) -> None:
        """A snapshot travels on a connection of its own, whose end is noticed by who waits."""
        asker, asked = (to, sender) if isinstance(message, Snapshot) else (sender, to)
        if isinstance(message, Snapshot | SnapshotWanted):
            self.after(500 * MS, self._disconnected, asker, asked)

    def _disconnected(self, name: str, other: str) -> None:
        self.step(self.nodes[name], Disconnected(other))

    def _deliver(self, fingerprint: str, to: str, boot: int, message: Message) -> None:
        node = self.nodes[to]
        if node.core is None or node.boot != boot:
            sender = next(n for n in self.nodes.values() if n.fingerprint == fingerprint)
            self._dropped(sender.node_id, to, message)
            return
        self._mark(to, type(message).__name__)
        self.step(node, Heard(fingerprint, message))

    def _mark(self, name: str, what: str) -> None:
        self.trace.update(f"{self.now_us}|{name[-2:]}|{what};".encode())

    # ---- clients and operators -------------------------------------------------------------------

    def new_request(self) -> int:
        self.last_request += 1
        return self.last_request

    def write(
        self, name: str, change: Change, key: str, *, needed: int = 0, wait_us: int = 1_500 * MS,
        allow_pending: bool = False,
    ) -> int:  # fmt: skip
        """Ask a node to write. The answer comes by `on_answer`, or never if the node dies."""
        request = self.new_request()
        node = self.nodes[name]
        self.jobs[request] = WriteJob(request, change, key)
        self.oracles.wanted(request, needed, self.now_us + wait_us)
        known: Dot | None = node.disk.known(key)
        wanted = WriteWanted(request, self.now_us + wait_us, needed, allow_pending, known)
        self.step(node, wanted)
        return request

    def read(self, name: str, after: Cursor, wait_us: int) -> int:
        request = self.new_request()
        self.step(self.nodes[name], ReadWanted(request, after, self.now_us + wait_us))
        return request

    def change(self, name: str, config: Config) -> int:
        request = self.new_request()
        self.step(self.nodes[name], ChangeWanted(request, config))
        return request

    def latest(self) -> Config:
        """The newest epoch that any node lives in."""
        configs = (node.disk.image.history[-1] for node in self.nodes.values())
        return max(configs, key=lambda config: config.epoch)

    def members(self) -> list[Node]:
        """The nodes that belong, by the newest epoch."""
        return [self.nodes[name] for name in sorted(self.latest().everyone)]
