"""A store in memory behind the interface of the core: what is on disk, and what is on its way.

Jobs are done in the order in which they came, in groups, each group at the moment its fsync ends;
before that nothing of it can be seen. A crash therefore is nothing but forgetting the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar

from aimem_sync.change import Change, body_for
from aimem_sync.cursor import Cursor, Range
from aimem_sync.deeds import name_of
from aimem_sync.digest import record_hash
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import Collect, Effect, Install, Keep, KeepConfig, KeepVote, Truncate, Vote
from aimem_sync.events import Event, Installed, Kept, NotKept, NotWritten, Truncated, Wrote
from aimem_sync.lamport import next_lamport, witness
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Proof
from aimem_sync.merge import collect, join, state_of
from aimem_sync.messages import Snapshot
from aimem_sync.op import Op, Stamp
from aimem_sync.snapshot import plan
from aimem_sync.state import RecordState, decode_state, encode_state

SAID: dict[bytes, RecordState] = {}
"""What each op says, by its chain: the same for all nodes, so it is worked out once."""


def said(op: Op) -> RecordState:
    """merge.state_of, remembered."""
    found = SAID.get(op.chain)
    if found is None:
        if len(SAID) > 20_000:
            SAID.clear()
        found = SAID[op.chain] = state_of(op)
    return found


@dataclass(slots=True)
class Log:
    """One origin's ops above the floor."""

    floor: int = 0
    ops: list[Op] = field(default_factory=list)

    def read(self, first: int, last: int) -> tuple[Op, ...]:
        return tuple(self.ops[max(0, first - self.floor - 1) : last - self.floor])


@dataclass(slots=True)
class Image:
    """All that a power cut leaves."""

    logs: dict[Origin, Log] = field(default_factory=dict)
    heads: dict[Origin, Head] = field(default_factory=dict)
    states: dict[str, RecordState] = field(default_factory=dict)
    keys: dict[str, Dot] = field(default_factory=dict)
    lamport: int = 0
    history: list[Config] = field(default_factory=list)
    proofs: dict[int, Proof] = field(default_factory=dict)

    def bare(self) -> Image:
        """A new disk that knows who belongs, and nothing else."""
        return Image(history=list(self.history), proofs=dict(self.proofs))

    def copy(self) -> Image:
        logs = {origin: Log(log.floor, list(log.ops)) for origin, log in self.logs.items()}
        return Image(
            logs, dict(self.heads), dict(self.states), dict(self.keys), self.lamport,
            list(self.history), dict(self.proofs),
        )  # fmt: skip

    def have(self) -> Cursor:
        return Cursor({origin: head.seq for origin, head in self.heads.items()})

    def floor(self) -> Cursor:
        return Cursor({origin: log.floor for origin, log in self.logs.items()})

    def covers(self, dot: Dot) -> bool:
        head = self.heads.get(dot.origin)
        return head is not None and head.seq >= dot.seq

    def fold(self, op: Op) -> None:
        """Take what an op says into its record."""
        known = self.states.get(op.record_id)
        self.states[op.record_id] = said(op) if known is None else join(known, said(op))

    def put(self, op: Op) -> None:
        """Append an op to its log and fold it."""
        log = self.logs.setdefault(op.origin, Log())
        log.ops.append(op)
        self.heads[op.origin] = Head(op.seq, op.chain)
        self.lamport = self.witness(op)
        if op.request_key:
            self.keys.setdefault(op.request_key, op.dot)
        self.fold(op)

    def witness(self, op: Op) -> int:
        return witness(self.lamport, op.lamport)

    def root(self) -> bytes:
        """One hash of all that can be seen."""
        shown = sorted(self.digest().items())
        return sha256(b"".join(name.encode() + seen for name, seen in shown)).digest()

    def digest(self) -> dict[str, bytes]:
        """What can be seen of each record."""
        shown = {name: record_hash(state) for name, state in self.states.items()}
        return {name: seen for name, seen in shown.items() if any(seen)}


@dataclass(frozen=True, slots=True)
class WriteJob:
    """A client's wish on its way to being stamped."""

    request: int
    change: Change
    key: str
    needed: int = 0
    eligible: frozenset[str] | None = None
    "What only the transaction finds out: W, and which nodes may hold it."


@dataclass
class Disk:
    """The store of one node. `watch` is told of every op before it is put in place."""

    origin: Origin
    image: Image
    votes: dict[int, Vote] = field(default_factory=dict)
    "Kept beside the key, outside every backup: a restored node must not forget what it promised."
    watch: Callable[[Disk, Op, WriteJob | None], None] = lambda disk, op, job: None
    full: bool = False
    checks: ClassVar[bool] = True
    "Whether the store looks for itself, as the real one does, at what it is told to append."
    queue: list[Effect | WriteJob] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)

    def epoch(self) -> int:
        return self.image.history[-1].epoch

    def do(self, group: list[Effect | WriteJob], wall_us: int) -> list[Event]:
        """One transaction: the fsync has ended, all of it is there (or was refused)."""
        events: list[Event] = []
        for job in group:
            event = self._one(job, wall_us)
            if event is not None:
                events.append(event)
        return events

    def _one(self, job: Effect | WriteJob, wall_us: int) -> Event | None:
        match job:
            case WriteJob():
                return self._write(job, wall_us)
            case Keep(ticket, ops):
                return self._keep(ticket, ops)
            case KeepVote(ticket, vote):
                if self.full:
                    return NotKept(ticket, "disk full")
                self.votes[vote.epoch] = vote
                return Kept(ticket)
            case KeepConfig(ticket, configs, proofs):
                if self.full:
                    return NotKept(ticket, "disk full")
                for config, proof in zip(configs, proofs, strict=True):
                    if config.epoch == self.epoch() + 1:
                        self.image.history.append(config)
                        self.image.proofs[config.epoch] = proof
                return Kept(ticket)
            case Install(snapshot):
                return self._install(snapshot)
            case Truncate(upto):
                return self._truncate(upto)
            case Collect(stable):
                self._collect(stable)
        return None

    def _write(self, job: WriteJob, wall_us: int) -> Event:
        if self.full:
            return NotWritten(job.request, "disk full")
        head = self.image.heads.get(self.origin, Head())
        known = self.known(job.key)
        if known is not None:
            return Wrote(job.request, known, head, job.needed, job.eligible)
        body = self._body(job, self.image.states.get(job.change.record_id))
        stamp = Stamp(next_lamport(self.image.lamport), wall_us, self.epoch())
        op = append(
            head, stamp, job.change.kind, job.change.record_id, body, "user:sim", job.key,
            self.origin, unsigned,
        )  # fmt: skip
        self.watch(self, op, job)
        self.image.put(op)
        return Wrote(job.request, op.dot, Head(op.seq, op.chain), job.needed, job.eligible)

    def _body(self, job: WriteJob, state: RecordState | None) -> bytes:
        """What the op of a job says of a record that stands like this."""
        return body_for(job.change, state, self.origin, name_of("user:sim", job.key, ""))

    def known(self, key: str) -> Dot | None:
        """The op that a request key made."""
        return self.image.keys.get(key)

    def _keep(self, ticket: int, ops: tuple[Op, ...]) -> Event:
        if self.full:
            return NotKept(ticket, "disk full")
        if self.checks and not self._continues(ops):
            return NotKept(ticket, "not the next ops")
        for op in ops:
            if self.checks and self.image.covers(op.dot):
                continue
            self.watch(self, op, None)
            self.image.put(op)
        return Kept(ticket)

    def _continues(self, ops: tuple[Op, ...]) -> bool:
        ends = {origin: head.seq for origin, head in self.image.heads.items()}
        for op in ops:
            if op.seq > ends.get(op.origin, 0) + 1:
                return False
            ends[op.origin] = max(op.seq, ends.get(op.origin, 0))
        return True

    def _install(self, snapshot: Snapshot) -> Event:
        image = self.image
        theirs = Cursor({origin: head.seq for origin, head in snapshot.heads.items()})
        decided = plan(image.have(), image.floor(), theirs)
        if decided.refused:
            self.noted.append("snapshot refused")
            return Installed(image.heads, image.floor(), decided.refused)
        tail = [op for r in decided.tail for op in self.read(r)]
        fresh = image.bare()
        fresh.lamport = max(image.lamport, snapshot.lamport)
        fresh.states = {name: decode_state(name, row) for name, row in snapshot.records.items()}
        fresh.keys = {**snapshot.request_keys, **image.keys}
        for origin, head in snapshot.heads.items():
            fresh.logs[origin], fresh.heads[origin] = Log(head.seq), head
        level = {o for o, head in snapshot.heads.items() if image.have().get(o) == head.seq}
        for origin in level | {r.origin for r in decided.tail}:
            fresh.logs[origin], fresh.heads[origin] = image.logs[origin], image.heads[origin]
        for op in tail:
            fresh.fold(op)
        self.noted.append("snapshot with own tail" if tail else "snapshot installed")
        self.image = fresh
        return Installed(dict(fresh.heads), fresh.floor())

    def _truncate(self, upto: Cursor) -> Event:
        for origin, seq in upto:
            log = self.image.logs.get(origin)
            if log is not None and seq > log.floor:
                seq = min(seq, log.floor + len(log.ops))
                log.ops = log.ops[seq - log.floor :]
                log.floor = seq
                self.noted.append("truncated")
        return Truncated(self.image.floor())

    def _collect(self, stable: Cursor) -> None:
        for name, state in self.image.states.items():
            if state.overwritten or state.untagged:
                collected = collect(state, stable)
                if collected is not state:
                    self.image.states[name] = collected
                    self.noted.append("collected")

    def heads(self) -> dict[Origin, Head]:
        """Where the logs end, as a process finds it when it starts."""
        return dict(self.image.heads)

    def read(self, ops: Range) -> tuple[Op, ...]:
        """Ops of one log; fewer if some have been given up."""
        log = self.image.logs.get(ops.origin)
        if log is None or ops.first <= log.floor:
            return ()
        return log.read(ops.first, ops.last)

    def snapshot(self, pull_id: int) -> Snapshot:
        """The whole state as it travels."""
        image = self.image
        rows = {name: encode_state(state) for name, state in image.states.items()}
        return Snapshot(
            pull_id, dict(image.heads), image.floor(), image.lamport, rows, dict(image.keys)
        )


def unsigned(chain: bytes) -> bytes:
    return b""
