"""What goes wrong in a run: drawn from the seed, some of it in each run and all of it in many.

A run draws which faults it has at all ("swarm"), since runs with a few faults at full strength
reach corners that runs with everything at once never see. Disks may be lost less often than W
nodes hold a write: more than that nobody promises.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.clients import Clients, Operators
from tests.sim.world import MS, SECOND, Node, World


class Nemesis:
    """The faults of one run."""

    def __init__(self, world: World, operators: Operators, clients: Clients, until_us: int) -> None:
        self.world = world
        self.clients = clients
        self.rng = world.rng
        self.operators = operators
        self.until_us = until_us
        self.losses_left = world.first.majority - 1
        rng = self.rng
        kinds: list[Callable[[], None]] = [
            self.partition, self.one_way, self.crash, self.crash_all, self.lossy, self.slow_disk,
            self.disk_full, self.clock_jump, self.isolate, self.absence, self.restore, self.wipe,
            self.evict, self.join, self.rotate, self.failing_disk, self.mute, self.old_image,
        ]  # fmt: skip
        self.kinds = [kind for kind in kinds if rng.random() < 0.45] or [self.crash]
        self.pace_us = rng.choice((300 * MS, 700 * MS, 1_500 * MS))
        world.after(rng.randint(100 * MS, SECOND), self._strike)
        if world.rng.random() < 0.5:
            world.net.twice = 0.1
        for name in sorted(world.first.everyone):
            world.after(rng.randint(SECOND, 5 * SECOND), self._photograph, name)

    def _photograph(self, name: str) -> None:
        node = self.world.nodes[name]
        node.images.append((node.disk.image.copy(), node.disk.origin))
        if self.world.now_us < self.until_us:
            self.world.after(self.rng.randint(SECOND, 4 * SECOND), self._photograph, name)

    def _strike(self) -> None:
        if self.world.now_us >= self.until_us:
            return
        self.rng.choice(self.kinds)()
        self.world.after(self.rng.randint(self.pace_us // 3, self.pace_us), self._strike)

    def _any(self) -> str:
        return self.rng.choice(sorted(self.world.latest().everyone))

    def _for(self) -> int:
        return self.rng.choice((200, 800, 2_000, 4_000)) * MS

    def partition(self) -> None:
        names = sorted(self.world.nodes)
        side = set(self.rng.sample(names, self.rng.randint(1, len(names) - 1)))
        self._block([(a, b) for a in names for b in names if (a in side) != (b in side)])

    def one_way(self) -> None:
        names = sorted(self.world.latest().everyone)
        if len(names) > 1:
            a, b = self.rng.sample(names, 2)
            self._block([(a, b)])

    def isolate(self) -> None:
        one = self._any()
        others = [n for n in sorted(self.world.nodes) if n != one]
        self._block([(one, n) for n in others] + [(n, one) for n in others])

    def _block(self, pairs: list[tuple[str, str]]) -> None:
        self.world.net.blocked.update(pairs)
        self.world.after(self._for(), self._unblock, pairs)

    def _unblock(self, pairs: list[tuple[str, str]]) -> None:
        self.world.net.blocked.difference_update(pairs)

    def crash(self) -> None:
        self._down(self._any(), self._for())

    def crash_all(self) -> None:
        for name in sorted(self.world.latest().everyone):
            self._down(name, self.rng.randint(100 * MS, SECOND))

    def absence(self) -> None:
        """Away until the others have truncated their logs."""
        self._down(self._any(), 5 * SECOND)

    def _down(self, name: str, for_us: int) -> None:
        if self.world.nodes[name].core is not None:
            self.world.crash(name)
            self.world.after(for_us, self.world.start, name)

    def lossy(self) -> None:
        net = self.world.net
        net.loss = self.rng.choice((0.0, 0.02, 0.1, 0.3))
        net.twice = self.rng.choice((0.0, 0.05, 0.2))
        net.latency_us = self.rng.choice(
            ((MS, 8 * MS), (MS, 120 * MS), (20 * MS, 60 * MS), (5 * MS, 1_500 * MS))
        )

    def slow_disk(self) -> None:
        node = self.world.nodes[self._any()]
        node.fsync_us = self.rng.choice(((500, 6 * MS), (20 * MS, 200 * MS), (200 * MS, SECOND)))

    def disk_full(self) -> None:
        disk = self.world.nodes[self._any()].disk
        disk.full = True
        self.world.after(self._for(), self._room, disk)

    def _room(self, disk: object) -> None:
        disk.full = False  # type: ignore[attr-defined]

    def clock_jump(self) -> None:
        self.world.nodes[self._any()].skew_us = self.rng.choice((0, 3_600, 86_400)) * SECOND

    def _may_lose(self) -> bool:
        if self.losses_left <= 0:
            return False
        self.losses_left -= 1
        return True

    def restore(self) -> None:
        node = self.world.nodes[self._any()]
        if node.images and self._may_lose():
            self.world.notes["restored"] += 1
            self.world.restore(node.node_id, self.rng.choice(node.images)[0])
            self.world.after(self._for(), self.world.start, node.node_id)

    def old_image(self) -> None:
        """Put an old disk back without our tools, while clients go on."""
        node = self.world.nodes[self._any()]
        known = [(i, o) for i, o in node.images if o == node.disk.origin]
        if known and self._may_lose():
            self.world.notes["old image"] += 1
            image, origin = self.rng.choice(known)
            self.world.restore(node.node_id, image, renew=False, origin=origin)
            self.world.after(self._for(), self.world.start, node.node_id)

    def wipe(self) -> None:
        if self._may_lose():
            node = self.world.nodes[self._any()]
            self.world.notes["wiped"] += 1
            self.world.restore(node.node_id, node.disk.image.bare())
            self.world.after(self._for(), self.world.start, node.node_id)

    def evict(self) -> None:
        config = self.world.latest()
        if len(config.voters) > 2 and not self.operators.wanted and self._may_lose():
            self.operators.want("evict", self._any())

    def join(self) -> None:
        if self.world.spares and not self.operators.wanted:
            self.operators.want("join", self.world.spares.pop(0))

    def rotate(self) -> None:
        if not self.operators.wanted:
            self.operators.want("rotate", self._any())

    def failing_disk(self) -> None:
        """The next commit of a node fails and ends it. Some of it may be there nevertheless."""
        self.world.nodes[self._any()].failing = True

    def mute(self) -> None:
        """A node's log cannot be read by others for a while: its pages are empty."""
        self.world.nodes[self._any()].mute_until_us = self.world.now_us + self._for()

    def end(self) -> None:
        """Heal everything: whoever belongs must now become level."""
        world = self.world
        world.net.heal()
        self.clients.stopped = True
        self.operators.stopped = True
        for node in world.nodes.values():
            node.disk.full = node.failing = False
            node.mute_until_us = 0
            node.fsync_us = (500, 6 * MS)
        self.raise_all()

    def raise_all(self) -> None:
        """Start whoever belongs and is down; one decided on at the last moment has its chain yet
        to be given."""
        world = self.world
        for node in world.members():
            if self._is_stranded(node):
                world.notes["stranded"] += 1
                world.crash(node.node_id)
                self.operators.give_chain(node.node_id)
            if node.core is None:
                if node.disk.image.history[-1].member(node.node_id) is None:
                    self.operators.give_chain(node.node_id)
                world.start(node.node_id)

    def _is_stranded(self, node: Node) -> bool:
        """Whether an old disk image knows no key that is still in use: an operator must help."""
        known = node.disk.image.history[-1]
        others = [n for n in self.world.members() if n is not node]
        return bool(others) and not any(known.node_of(n.fingerprint) for n in others)
