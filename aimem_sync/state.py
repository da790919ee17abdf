"""All that is known of one record, and the row that keeps it.

A state is not the record a reader sees: it holds every version that nobody has overwritten, of
which a reader is shown one. It also remembers the *names* of what was overwritten, since an op
may arrive after the op that overwrote it.

Mappings here are ordinary dicts and are shared between states: never change one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aimem_sync.canon import Json, canonical_json
from aimem_sync.dot import Dot, Origin
from aimem_sync.op import OrderKey


@dataclass(frozen=True, slots=True)
class Version:
    """One value that one op wrote into one register."""

    dot: Dot
    lamport: int
    wall_us: int
    "The writer's clock, microseconds since the epoch. For people; nothing is ordered by it."
    author: str
    value: Json

    @property
    def order_key(self) -> OrderKey:
        """The total order of versions; the highest is shown where no other rule holds."""
        origin = self.dot.origin
        return (self.lamport, origin.node_id, origin.incarnation, self.dot.seq)


@dataclass(frozen=True, slots=True)
class RecordState:
    """One record as a function of the set of ops seen. Empty parts are never listed."""

    record_id: str
    type: str = ""
    "The record's type; empty if no edit has been seen yet, or it was purged."
    heads: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)
    "Per register: the versions that nobody has overwritten, newest first."
    overwritten: frozenset[tuple[str, Dot]] = frozenset()
    "(register, dot) of every version that some op overwrote, seen here or not. Until collected."
    tags: Mapping[str, frozenset[Dot]] = field(default_factory=dict)
    "Per tag: the add-dots that nobody has taken away."
    untagged: frozenset[tuple[str, Dot]] = frozenset()
    "(tag, add-dot) of every one that some op took away, seen here or not. Until collected."
    counters: Mapping[str, Mapping[Origin, int]] = field(default_factory=dict)
    "Per counter: the total of every origin that counted."
    purged: bool = False
    "Erased for good: nothing else is kept, and no later op brings it back."

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to see: such a state adds nothing to a digest.

        It may still have to be kept, for what it knows to be overwritten.
        """
        return not (self.heads or self.tags or self.counters or self.purged)


def encode_state(state: RecordState) -> bytes:
    """The state as a row: compact JSON, in which every origin and dot is written once.

    Equal states give equal bytes. o: origins; d: dots as [origin, seq], with [lamport, wall_us,
    author] behind those that wrote a head; all else refers to them by their index. h: heads,
    x: overwritten, t: tags, u: untagged, c: counters, p: purged.
    """
    stamps = {v.dot: v for versions in state.heads.values() for v in versions}
    named = {dot for _, dot in state.overwritten} | {dot for _, dot in state.untagged}
    dots = sorted(named.union(stamps, *state.tags.values()), key=_dot_key)
    counting = (origin for totals in state.counters.values() for origin in totals)
    origins = sorted({dot.origin for dot in dots}.union(counting), key=_origin_key)
    at_origin = {origin: at for at, origin in enumerate(origins)}
    at = {dot: index for index, dot in enumerate(dots)}
    row: dict[str, Json] = {"type": state.type}
    if origins:
        row["o"] = [str(origin) for origin in origins]
    if dots:
        row["d"] = [_dot_row(dot, at_origin[dot.origin], stamps.get(dot)) for dot in dots]
    if state.heads:
        row["h"] = {r: [[at[v.dot], v.value] for v in vs] for r, vs in state.heads.items()}
    if state.overwritten:
        row["x"] = _grouped(state.overwritten, at)
    if state.tags:
        row["t"] = {tag: sorted(at[dot] for dot in adds) for tag, adds in state.tags.items()}
    if state.untagged:
        row["u"] = _grouped(state.untagged, at)
    if state.counters:
        row["c"] = {
            name: [[at_origin[origin], total] for origin, total in sorted(totals.items())]
            for name, totals in state.counters.items()
        }
    if state.purged:
        row["p"] = 1
    return canonical_json(row)


def decode_state(record_id: str, encoded: bytes) -> RecordState:
    """Read a row that `encode_state` wrote.

    Rows are our own, not a peer's: a damaged one raises ValueError, LookupError or TypeError,
    and is mended by folding the log again.
    """
    row: Any = json.loads(encoded)
    origins = [Origin.parse(text) for text in row.get("o", ())]
    written = row.get("d", ())
    dots = [Dot(origins[entry[0]], entry[1]) for entry in written]
    return RecordState(
        record_id=record_id,
        type=row["type"],
        heads={
            register: tuple([_version(dots[at], written[at], value) for at, value in versions])
            for register, versions in row.get("h", {}).items()
        },
        overwritten=_ungrouped(row.get("x", {}), dots),
        tags={tag: frozenset([dots[at] for at in adds]) for tag, adds in row.get("t", {}).items()},
        untagged=_ungrouped(row.get("u", {}), dots),
        counters={
            name: {origins[at]: total for at, total in totals}
            for name, totals in row.get("c", {}).items()
        },
        purged="p" in row,
    )


def _dot_row(dot: Dot, origin_at: int, stamp: Version | None) -> list[Json]:
    if stamp is None:
        return [origin_at, dot.seq]
    return [origin_at, dot.seq, stamp.lamport, stamp.wall_us, stamp.author]


def _version(dot: Dot, entry: list[Any], value: Json) -> Version:
    _, _, lamport, wall_us, author = entry
    return Version(dot, lamport, wall_us, author, value)


def _grouped(pairs: Iterable[tuple[str, Dot]], at: Mapping[Dot, int]) -> dict[str, Json]:
    groups: dict[str, list[int]] = {}
    for name, dot in pairs:
        groups.setdefault(name, []).append(at[dot])
    return {name: sorted(group) for name, group in groups.items()}


def _ungrouped(groups: Mapping[str, list[int]], dots: list[Dot]) -> frozenset[tuple[str, Dot]]:
    return frozenset([(name, dots[at]) for name, group in groups.items() for at in group])


def _dot_key(dot: Dot) -> tuple[str, str, int]:
    return (dot.origin.node_id, dot.origin.incarnation, dot.seq)


def _origin_key(origin: Origin) -> tuple[str, str]:
    return (origin.node_id, origin.incarnation)
