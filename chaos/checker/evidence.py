"""What a run left, as values: read once, never changed.

Everything here comes from files (see chaos/history.py and chaos/dump.py), so a run can be judged
again by anybody, on another machine, years later. Names of nodes are those of the files; a node id
names a machine, an origin a machine in one incarnation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from chaos.history import FAULTS, HISTORY, Event, Fault, lines

Lines: TypeAlias = Iterable[Mapping[str, Any]]
OrderKey: TypeAlias = tuple[int, str, int]
"""(lamport, origin, seq). Origins are compared as text: parts of fixed length, so it is the order
of (lamport, node id, incarnation, seq)."""


class Unreadable(ValueError):  # noqa: N818 - it says what the files are
    """A directory that is no evidence, or damaged evidence."""


@dataclass(frozen=True, slots=True)
class LogOp:
    """One op as it stands in one node's log."""

    origin: str
    seq: int
    lamport: int
    kind: str
    record: str
    chain: str
    body_sha256: str
    body: Any = None
    "The decoded body; None if it was purged, withheld or never there."
    idem: str = ""
    epoch: int = 0
    wall_us: int = 0
    author: str | None = None

    @property
    def dot(self) -> str:
        """Its name, as in write_ids."""
        return f"{self.origin}:{self.seq}"

    @property
    def order_key(self) -> OrderKey:
        """The total order of versions."""
        return (self.lamport, self.origin, self.seq)

    def part(self, name: str) -> Mapping[str, Any]:
        """One part of an edit's body (set, over, untag, count); empty if it says nothing."""
        found = self.body.get(name) if isinstance(self.body, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags that it adds."""
        found = self.body.get("tag") if isinstance(self.body, Mapping) else None
        return tuple(found or ())


@dataclass(frozen=True, slots=True)
class State:
    """What one node holds at the end."""

    name: str
    head: Mapping[str, Any]
    records: Mapping[str, Mapping[str, Any]]
    log: tuple[LogOp, ...] = ()
    first: Mapping[str, int] = field(default_factory=dict)
    "Per origin: where its log begins here. What is before came in a snapshot, or was truncated."
    logged: frozenset[str] = frozenset()
    "The names of the ops in its log."

    @property
    def node_id(self) -> str:
        """Of the machine."""
        return str(self.head.get("node_id", ""))

    @property
    def have(self) -> Mapping[str, int]:
        """How far it has taken in each log."""
        return self.head.get("have") or {}

    def has(self, dot: str) -> bool:
        """Whether it has taken in an op, be it in its log or in a snapshot."""
        if dot in self.logged:
            return True
        origin, _, seq = dot.rpartition(":")
        have = self.have.get(origin, 0)
        return seq.isdecimal() and int(seq) <= have and int(seq) < self.first.get(origin, have + 1)


@dataclass(frozen=True, slots=True)
class Ack:
    """What one node once confirmed to another one: the prefix of a log on its disk."""

    t_ns: int
    to: str
    origin: str
    seq: int
    incarnation: str
    "Of the one who confirms."


@dataclass(frozen=True, slots=True)
class Served:
    """What one node once told another one."""

    t_ns: int
    to: str
    "A fingerprint or a node id."
    epoch: int
    "That the one who answered lived in."
    what: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a run left."""

    events: tuple[Event, ...]
    faults: tuple[Fault, ...] = ()
    states: Mapping[str, State] = field(default_factory=dict)
    acks: Mapping[str, tuple[Ack, ...]] = field(default_factory=dict)
    served: Mapping[str, tuple[Served, ...]] = field(default_factory=dict)

    @property
    def is_simulated(self) -> bool:
        """Whether all of it happened in the simulator."""
        return bool(self.events) and all(event.via == "sim" for event in self.events)

    @property
    def newest(self) -> Mapping[str, Any]:
        """The head of a node that lives in the newest epoch."""
        heads = [state.head for state in self.states.values()]
        return max(heads, key=lambda head: head.get("epoch", 0), default={})

    @property
    def members(self) -> tuple[State, ...]:
        """What those hold that belong at the end."""
        belong = self.newest.get("members")
        found = [s for s in self.states.values() if not belong or s.node_id in belong]
        return tuple(sorted(found, key=lambda state: state.name))


def load(directory: Path) -> Evidence:
    """Read what a run left. Raises Unreadable."""
    if not (directory / HISTORY).exists():
        raise Unreadable(f"there is no {HISTORY}")
    names = [HISTORY, FAULTS, *sorted(path.name for path in directory.glob("*.*.jsonl"))]
    try:
        return parsed({name: list(lines(directory / name)) for name in names})
    except (OSError, ValueError) as error:
        raise Unreadable(str(error)) from error


def parsed(files: Mapping[str, Lines]) -> Evidence:
    """The evidence in these lines, by names of files. Raises Unreadable."""
    name = ""
    try:
        states: dict[str, State] = {}
        acks: dict[str, tuple[Ack, ...]] = {}
        served: dict[str, tuple[Served, ...]] = {}
        for name, told in files.items():
            kind, _, node = name.removesuffix(".jsonl").partition(".")
            if kind == "state":
                states[node] = _state(node, told, files.get(f"log.{node}.jsonl"))
            elif kind == "acks":
                acks[node] = tuple(_ack(one) for one in told if "seq" in one)
                served[node] = tuple(_served(one) for one in told if "served" in one)
        name = HISTORY
        events = tuple(_event(one) for one in files.get(HISTORY, ()))
        name = FAULTS
        faults = tuple(_fault(one) for one in files.get(FAULTS, ()))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise Unreadable(f"{name}: {error!r}") from error
    return Evidence(events, faults, states, acks, served)


def _event(given: Mapping[str, Any]) -> Event:
    lists = {name: tuple(given.get(name) or ()) for name in ("write_ids", "acked")}
    return Event(**{**given, **lists})


def _fault(given: Mapping[str, Any]) -> Fault:
    return Fault(**{**given, "nodes": tuple(given.get("nodes") or ())})


def _state(name: str, told: Lines, log: Lines | None) -> State:
    if log is None:
        raise Unreadable(f"there is no log.{name}.jsonl")
    all_of_it = iter(told)
    head = next(all_of_it, None)
    if head is None or "have" not in head:
        raise Unreadable(f"state.{name}.jsonl does not begin with its head")
    ops = tuple(_op(one) for one in log)
    first: dict[str, int] = {}
    for op in ops:
        first[op.origin] = min(op.seq, first.get(op.origin, op.seq))
    records = {one["id"]: one for one in all_of_it}
    return State(name, head, records, ops, first, frozenset(op.dot for op in ops))


def _op(one: Mapping[str, Any]) -> LogOp:
    return LogOp(
        one["origin"], one["seq"], one["lamport"], one["kind"], one["record"], one["chain"],
        one["body_sha256"], one.get("body"), one.get("idem") or "", one.get("epoch", 0),
        one.get("wall_us", 0), one.get("author"),
    )  # fmt: skip


def _ack(one: Mapping[str, Any]) -> Ack:
    return Ack(one["t_ns"], one["to"], one["origin"], one["seq"], one["incarnation"])


def _served(one: Mapping[str, Any]) -> Served:
    return Served(one["t_ns"], one["served"], one["epoch"], one["what"])
