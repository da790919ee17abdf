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
    Digested,
    Disconnected,
    Event,
    Heard,
    ReadWanted,
    SnapshotProgress,
    Tick,
    WriteWanted,
    Wrote,
)
from aimem_sync.members import Config, Member
from aimem_sync.messages import Append, Message, Page, Snapshot, SnapshotWanted
from tests.sim.disk import Disk, Image, WriteJob
from tests.sim.keys import proves, signature
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
    images: list[tuple[Image, Origin]] = field(default_factory=list)
    "Old images of the disk, and the log that was written then."
    wake_us: int = -1
    fingerprint: str = ""
    "Of the key that it uses now. It lies beside the disk: no restore brings back an old one."
    failing: bool = False
    "The next commit ends the node: the disk says that it has failed, whatever it has done."
    mute_until_us: int = 0
    "Until then it answers pulls with nothing, as one whose log cannot be read."
    batch_ops: int = 256
    "How many ops fit the bytes of one message."
    in_flight: list[Effect | WriteJob] = field(default_factory=list)
    deaf_until_us: int = 0
    "Until then its process runs, and has not come to opening the way to others."


def node_name(number: int) -> str:
    return f"{number:032x}"


class World:
    """A cluster and all that happens to it."""

    def __init__(self, seed: int, nodes: int, *, spare: int = 0, retained_ops: int = 40) -> None:
        self.rng = Random(seed)
        self.now_us = 0
        self.retained_ops = retained_ops
        self.snapshot_lag_ops = 0
        self.snapshot_us = 0
        "How long a snapshot takes on its way, beside what the network does to it."
        self.sums_us = 0
        "How often each node sums up its state; 0 for never."
        self.owners: dict[str, str] = {}
        "Who owns each key that was ever made."
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
        members = tuple(Member(n, (self.new_key(n),)) for n in names[:nodes])
        self.first = Config(1, members)
        self.oracles.configs[1] = self.first
        self.spares = names[nodes:]
        for name in names:
            self.add(name)
        for name in names[:nodes]:
            self.start(name)

    def add(self, name: str) -> Node:
        """A machine that does not run yet."""
        disk = self.disk(name, Image(history=[self.first]))
        node = self.nodes[name] = Node(name, disk)
        first = f"key-{name[-2:]}"
        node.fingerprint = first if first in self.owners else self.new_key(name)
        return node

    def new_key(self, name: str) -> str:
        """Make a key for a node, beside those that it has."""
        made = sum(owner == name for owner in self.owners.values())
        fingerprint = f"key-{name[-2:]}" + ("" if not made else f"-{made}")
        self.owners[fingerprint] = name
        return fingerprint

    def disk(self, name: str, image: Image) -> Disk:
        """A disk with this on it, in a new incarnation."""
        return Disk(Origin(name, f"{self.rng.getrandbits(64):016x}"), image, watch=self.oracles.op)

    def prepare(self) -> None:
        """Before the first event of a run: the last word on how it is set up."""

    def check(self) -> None:
        """In the end, what only this kind of world can tell."""

    def close(self) -> None:
        """Leave nothing behind."""

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
                disk.origin, tuple(image.history), disk.heads(), image.floor(),
                dict(disk.votes), self.retained_ops, dict(image.proofs),
                lambda said: signature(node.fingerprint, said), proves, self.snapshot_lag_ops,
            )
        )  # fmt: skip
        self._tick(name, node.boot)
        if self.sums_us:
            self._sum(name, node.boot)

    def crash(self, name: str) -> None:
        """Cut the power: what no fsync has covered is gone, but for what went through early."""
        node = self.nodes[name]
        group = node.in_flight
        self._stop(node)
        if group and self.rng.random() < 0.3:
            self.notes["torn group"] += 1
            self._half_done(node, group)

    def _stop(self, node: Node) -> None:
        node.core = None
        node.boot += 1
        node.failing = False
        node.in_flight = []
        node.disk.queue.clear()
        self._mark(node.node_id, "crash")

    def _half_done(self, node: Node, group: list[Effect | WriteJob]) -> None:
        """Some of the transactions of a group are on disk, and nobody was told."""
        before = node.disk.image.have()
        node.disk.do(group[: self.rng.randint(0, len(group))], self.now_us + node.skew_us)
        node.disk.noted.clear()
        self.oracles.fsynced(node, before)

    def restore(
        self, name: str, image: Image, *, renew: bool = True, origin: Origin | None = None
    ) -> None:
        """Put an old image in place of the disk; the operator's tool mints a new incarnation.

        Without the tool (`renew` off) the node goes on as whoever wrote the image, `origin`.
        """
        node = self.nodes[name]
        self._stop(node)
        self.oracles.lost_disk(name)
        node.disk.image = image.copy()
        self.restart_lamport(node)
        if renew:
            self.renew(node)
        else:
            node.disk.origin = origin or node.disk.origin
            self.oracles.not_renewed(name)

    def renew(self, node: Node) -> None:
        incarnation = f"{self.rng.getrandbits(64):016x}"
        node.disk.origin = Origin(node.node_id, incarnation)

    def restart_lamport(self, node: Node) -> None:
        """A hook for a mutant."""

    def _tick(self, name: str, boot: int) -> None:
        node = self.nodes[name]
        if node.boot != boot or node.core is None:
            return
        self._time(node)
        self.after(TICK_US, self._tick, name, boot)

    def _sum(self, name: str, boot: int) -> None:
        node = self.nodes[name]
        if node.boot == boot and node.core is not None:
            image = node.disk.image
            self.step(node, Digested(image.have(), image.root()))
            self.after(self.sums_us, self._sum, name, boot)

    def step(self, node: Node, *events: Event) -> None:
        """Let something happen to a node, and do what it wants done."""
        core = node.core
        if core is None:
            return
        effects = core.step(self.now_us, *events)
        for event in events:
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
            self._time(node)

    def _time(self, node: Node) -> None:
        can_hear = self.now_us >= node.deaf_until_us
        self.step(node, Tick(self.now_us + node.skew_us, can_hear))

    # ---- effects ---------------------------------------------------------------------------------

    def _do(self, node: Node, effects: list[Effect]) -> None:
        disk = node.disk
        for effect in effects:
            match effect:
                case Send(to, message):
                    self.send(node, to, message)
                case SendAppend(to, ops, epoch, durable_upto):
                    found = disk.read(ops)[: node.batch_ops]
                    if found:
                        self.send(node, to, Append(epoch, found, durable_upto))
                case SendPage(to, pull_id, ranges):
                    found = tuple(op for r in ranges for op in disk.read(r))[: node.batch_ops]
                    mute = self.now_us < node.mute_until_us
                    self.send(node, to, Page(pull_id, () if mute else found))
                case SendSnapshot(to, pull_id):
                    self._send_snapshot(node, to, disk.snapshot(pull_id))
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
                    if what == "divergence":
                        self.oracles.fail("I7", "equal heads and different sums of the state")
        if disk.queue and not node.busy and node.core is not None:
            node.busy = True
            node.in_flight = disk.queue
            self.after(self.rng.randint(*node.fsync_us), self._fsynced, node.node_id, node.boot,
                       disk.queue)  # fmt: skip
            disk.queue = []

    def _send_snapshot(self, node: Node, to: str, snapshot: Snapshot) -> None:
        """Let it take its time; who waits for it sees the bytes arrive."""
        if not self.snapshot_us:
            self.send(node, to, snapshot)
            return
        for at_us in range(SECOND, self.snapshot_us, SECOND):
            self.after(at_us, self._progress, to, node.node_id, self.nodes[to].boot)
        self.after(self.snapshot_us, self.send, node, to, snapshot)

    def _progress(self, name: str, sender: str, boot: int) -> None:
        if self.nodes[name].boot == boot:
            self.step(self.nodes[name], SnapshotProgress(sender))

    def _fsynced(self, name: str, boot: int, group: list[Effect | WriteJob]) -> None:
        node = self.nodes[name]
        if node.boot != boot:
            return
        node.busy = False
        if node.failing:
            self.notes["commit failed"] += 1
            self._stop(node)
            self._half_done(node, group)
            self.after(self.rng.randint(200 * MS, SECOND), self.start, name)
            return
        node.in_flight = []
        before = node.disk.image.have()
        events = node.disk.do(group, self.now_us + node.skew_us)
        self.oracles.fsynced(node, before)
        for what in node.disk.noted:
            self.notes[what] += 1
        node.disk.noted.clear()
        for event in events:
            self._mark(name, type(event).__name__)
            if not isinstance(event, Wrote):
                self.step(node, event)
        written = [event for event in events if isinstance(event, Wrote)]
        if written:  # told together, as the plane does
            self.step(node, *written)
        self._do(node, [])

    def _fenced(self, node: Node, reason: str) -> None:
        """Do what the operator would: a new incarnation, and a new disk if the old one forked."""
        self.notes["fenced"] += 1
        old = node.disk.image
        self.crash(node.node_id)
        if "another history" in reason:
            self.notes["fork"] += 1
            self.oracles.lost_disk(node.node_id)
            node.disk.image = old.bare()
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
            self._dropped(self.owners[fingerprint], to, message)
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
        allow_pending: bool = False, eligible: frozenset[str] | None = None,
    ) -> int:  # fmt: skip
        """Ask a node to write. The answer comes by `on_answer`, or never if the node dies.

        Who may hold it is found out only where it is written, as with the namespaces of the node.
        """
        request = self.new_request()
        node = self.nodes[name]
        self.jobs[request] = WriteJob(request, change, key, needed, eligible)
        self.oracles.wanted(request, needed, self.now_us + wait_us, eligible)
        known: Dot | None = node.disk.known(key)
        wanted = WriteWanted(
            request, self.now_us + wait_us, needed, allow_pending or eligible is not None, known,
            eligible if known is not None else None,
        )  # fmt: skip
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
