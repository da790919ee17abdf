"""The node's own store behind the interface of the simulated disk.

What the core reads and what it has kept goes through SQLite, with its transactions and its fsync;
an image in memory goes beside it as the model of what must be there, and the two are compared at
every start and in the end. Virtual time does not care how long a real commit takes, so such a run
leaves the same trace as any other of its seed. Logs are never truncated in these runs, and so no
snapshot is ever needed: those are tested with the store itself.
"""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_sync.cursor import Cursor, Range
from aimem_sync.digest import BUCKETS, Digest, bucket_of
from aimem_sync.dot import Origin
from aimem_sync.events import Event, Kept, NotKept, Truncated, Wrote
from aimem_sync.faults import PeerFault
from aimem_sync.lamport import next_lamport
from aimem_sync.log import Head, append
from aimem_sync.op import Op, Stamp, decode_op
from tests.sim.disk import Disk, Image, WriteJob, unsigned
from tests.sim.oracles import Violation
from tests.sim.world import World

KEEP_EVERYTHING = 1 << 40
READ_MS = 30_000
BATCH_BYTES = 1 << 20


class RealDisk(Disk):
    """A disk whose logs and records are in a Store."""

    def __init__(self, origin: Origin, image: Image, home: Path, **more: Any) -> None:
        self._home = home
        self._opened = 0
        self._store: Store | None = None
        super().__init__(origin, image, **more)

    @property
    def image(self) -> Image:
        """What must be in the store, and what a power cut leaves beside it."""
        return self._image

    @image.setter
    def image(self, image: Image) -> None:
        """Another disk: an old image put back, or an empty one."""
        self._image = image
        self.close()
        self._opened += 1
        for log in image.logs.values():
            for op in log.ops:
                self._do(_take, (op,))

    @property
    def store(self) -> Store:
        if self._store is None:
            to = self._home / f"{self.origin.node_id[-2:]}-{self._opened}"
            self._store = Store.open(to, _failed, readers=1)
        return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def heads(self) -> dict[Origin, Head]:
        """Where the logs end, from the file as it is found when it is opened anew."""
        self.close()
        found = self._see(lambda view: view.heads())
        if found != self.image.heads:
            raise Violation("I1: the real store has lost or made up ops")
        if self._see(lambda view: view.lamport()) != self.image.lamport:
            raise Violation("I15: the real store has another Lamport number")
        return found

    def differs(self) -> str:
        """How the records in the store are not the fold of its log; empty if they are."""
        digest = self._see(lambda view: view.digest())
        sums = Digest()
        for name, seen in self.image.digest().items():
            sums = sums.add(bucket_of(name), seen)
        buckets = digest.differing(sums)
        return f"{len(buckets)} of {BUCKETS} buckets differ" if buckets else ""

    def read(self, ops: Range) -> tuple[Op, ...]:
        found = self._see(
            lambda view: view.encoded_ops(ops.origin, ops.first, ops.last, BATCH_BYTES)
        )
        return tuple(decode_op(encoded) for encoded in found)

    def _write(self, job: WriteJob, wall_us: int) -> Event:
        known = self.known(job.key)
        if self.full or known is not None:
            return super()._write(job, wall_us)

        def stamp(session: WriteSession) -> Op:
            body = self._body(job, session.state(job.change.record_id))
            made = Stamp(next_lamport(session.lamport()), wall_us, self.epoch())
            op = append(
                session.head(self.origin), made, job.change.kind, job.change.record_id, body,
                "user:sim", job.key, self.origin, unsigned,
            )  # fmt: skip
            session.take(op)
            return op

        op = self._do(stamp)
        self.watch(self, op, job)
        self.image.put(op)
        return Wrote(job.request, op.dot, Head(op.seq, op.chain), job.needed, job.eligible)

    def _keep(self, ticket: int, ops: tuple[Op, ...]) -> Event:
        if self.full:
            return NotKept(ticket, "disk full")
        try:
            self._do(_take, ops)
        except PeerFault as fault:
            return NotKept(ticket, f"not the next ops: {fault}")
        for op in ops:
            if not self.image.covers(op.dot):
                self.watch(self, op, None)
                self.image.put(op)
        return Kept(ticket)

    def _truncate(self, upto: Cursor) -> Event:
        return Truncated(self.image.floor())

    def _collect(self, stable: Cursor) -> None:
        super()._collect(stable)
        self._do(_settle, stable)

    def _do(self, job: Any, *args: Any) -> Any:
        return self.store.writer.submit(lambda session: job(session, *args)).result()

    def _see(self, read: Any) -> Any:
        return self.store.readers.submit(read, READ_MS).result()


def _take(session: WriteSession, ops: tuple[Op, ...]) -> None:
    session.take_run(ops)


def _settle(session: WriteSession, stable: Cursor) -> None:
    session.settled = stable


def _failed(reason: str) -> None:
    raise AssertionError(reason)


class RealWorld(World):
    """A world of real disks, in a directory of its own. Close it."""

    def __init__(self, seed: int, nodes: int, **more: Any) -> None:
        self.home = Path(mkdtemp(prefix="aimem-sim-"))
        super().__init__(seed, nodes, **{**more, "retained_ops": KEEP_EVERYTHING})
        self.notes["real store"] += 1

    def disk(self, name: str, image: Image) -> Disk:
        origin = Origin(name, f"{self.rng.getrandbits(64):016x}")
        return RealDisk(origin, image, self.home, watch=self.oracles.op)

    def prepare(self) -> None:
        """No snapshots here."""
        self.snapshot_lag_ops = 0

    def close(self) -> None:
        for node in self.nodes.values():
            assert isinstance(node.disk, RealDisk)
            node.disk.close()
        rmtree(self.home, ignore_errors=True)

    def check(self) -> None:
        """The records of every member's store are what the ops say."""
        for node in self.members():
            assert isinstance(node.disk, RealDisk)
            wrong = node.disk.differs()
            if wrong:
                self.oracles.fail("I8", f"{node.node_id[-2:]}, real store: {wrong}")
