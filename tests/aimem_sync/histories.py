"""Histories that could have happened: several origins, each writing from what it has seen.

Concurrency is not put in by hand. Replicas write through `body_for` from their own state, and
logs are delivered late, in part, and without regard for causes (only in order within each log),
so ops overwrite exactly what their writers knew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from hypothesis import strategies as st

from aimem_sync.change import Change, body_for
from aimem_sync.cursor import Cursor
from aimem_sync.lamport import next_lamport, witness
from aimem_sync.log import Head, admit, append
from aimem_sync.merge import RecordState, apply
from aimem_sync.op import Kind, Op, Origin, Stamp

RECORD = "0f6b2c1e-record"
ORIGINS = (
    Origin("a" * 32, "1" * 16),
    Origin("b" * 32, "1" * 16),
    Origin("b" * 32, "2" * 16),  # the second node again, in another incarnation
    Origin("c" * 32, "0" * 16),
)


def toy_sign(origin: Origin, chain: bytes) -> bytes:
    """Stands in for the key of `origin`."""
    return sha256(str(origin).encode() + chain).digest()


@dataclass
class Replica:
    """One origin with what it has seen so far."""

    origin: Origin
    head: Head = field(default_factory=Head)
    lamport: int = 0
    have: Cursor = field(default_factory=Cursor)
    states: dict[str, RecordState] = field(default_factory=dict)
    seen: list[Op] = field(default_factory=list)
    heads: dict[Origin, Head] = field(default_factory=dict)

    def write(self, change: Change, request: str = "") -> Op:
        """`request`: the name of what this is done for, which another may do for it again."""
        body = (
            body_for(change, self.states.get(change.record_id), self.origin, request)
            if change.kind in {Kind.EDIT, Kind.PURGE}
            else b"from a newer version"
        )
        self.lamport = next_lamport(self.lamport)
        op = append(
            self.heads.get(self.origin, Head()),
            Stamp(self.lamport, 1_000_000 + self.lamport, 1),
            change.kind,
            change.record_id,
            body,
            f"user:{self.origin.node_id[0]}",
            "",
            self.origin,
            lambda chain: toy_sign(self.origin, chain),
        )
        self.take(op)
        return op

    def take(self, op: Op) -> None:
        self.heads[op.origin] = admit(self.heads.get(op.origin, Head()), op)
        self.have = self.have.advance(op.dot)
        self.lamport = witness(self.lamport, op.lamport)
        self.states[op.record_id] = apply(self.states.get(op.record_id), op)
        self.seen.append(op)


@dataclass
class History:
    """What was written, and how far each replica has come."""

    replicas: list[Replica]
    ops: list[Op] = field(default_factory=list)

    def log(self, origin: Origin) -> list[Op]:
        return [op for op in self.ops if op.origin == origin]

    def missing(self, replica: Replica) -> list[Op]:
        return [op for op in self.ops if not replica.have.covers(op.dot)]


def fold(ops: Iterable[Op], state: RecordState | None = None) -> RecordState | None:
    for op in ops:
        state = apply(state, op)
    return state


times = st.sampled_from([100, 200, 300])
lives = st.one_of(
    st.just({"is": "live"}),
    st.just({"is": "deleted"}),
    st.builds(lambda at: {"is": "archived", "reason": "gone", "at": at, "expires_at": None}, times),
    st.builds(
        lambda at: {"is": "archived", "reason": "ttl_expired", "at": at, "expires_at": at}, times
    ),
)
written = st.fixed_dictionaries(
    {},
    optional={
        "body": st.sampled_from([{"title": "x", "content": "y"}, {"title": "z"}, {"title": "é"}]),
        "priority": st.sampled_from([1, 5, 1.0]),
        "tier": st.sampled_from(["short", "mid", "long"]),
        "expires_at": st.one_of(st.none(), times),
        "accessed_at": times,
        "life": lives,
    },
)
names = st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple)
edits = st.builds(
    Change,
    record_id=st.just(RECORD),
    type=st.just("memory"),
    set=written,
    tag=names,
    untag=names,
    count=st.dictionaries(st.just("access"), st.integers(0, 3)),
)
strange = st.just(Change(RECORD, "memory", kind="kind-of-tomorrow"))
purges = st.just(Change(RECORD, "memory", kind=Kind.PURGE))
changes = st.one_of(edits, edits, edits, edits, edits, strange)


@st.composite
def histories(
    draw: st.DrawFn,
    changes: st.SearchStrategy[Change] = changes,
    origins_max: int = 4,
    steps_max: int = 16,
) -> History:
    count = draw(st.integers(2, origins_max))
    history = History([Replica(origin) for origin in ORIGINS[:count]])
    replica_at = st.integers(0, count - 1)
    for _ in range(draw(st.integers(2, steps_max))):
        replica = history.replicas[draw(replica_at)]
        if draw(st.booleans()):
            history.ops.append(replica.write(draw(changes)))
            continue
        origin = history.replicas[draw(replica_at)].origin
        held = replica.have.get(origin)
        for op in history.log(origin)[held : held + draw(st.integers(1, 4))]:
            replica.take(op)
    return history
