"""How far each log has been taken in: one number per origin, and that is all of it.

This is enough because logs are taken in without gaps. It replaces timestamps and Lamport numbers
as the place to continue from; both of those skip late-comers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from aimem_sync.dot import Dot, Origin
from aimem_sync.faults import Duplicate, Gap, OpFault


class Relation(Enum):
    """How one cursor stands to another."""

    EQUAL = "equal"
    "Both cover the same ops."
    AHEAD = "ahead"
    "Covers all the other does, and more."
    BEHIND = "behind"
    "The other covers all this does, and more."
    CONCURRENT = "concurrent"
    "Each covers something the other does not."


@dataclass(frozen=True, slots=True)
class Range:
    """Ops `first` to `last` of one log, both included."""

    origin: Origin
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """An immutable version vector. Origins never heard of stand at 0 and are not listed."""

    seqs: Mapping[Origin, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(self.seqs.values()):
            listed = {origin: seq for origin, seq in self.seqs.items() if seq}
            object.__setattr__(self, "seqs", listed)
        assert all(seq > 0 for seq in self.seqs.values())

    def __hash__(self) -> int:
        return hash(frozenset(self.seqs.items()))

    def __iter__(self) -> Iterator[tuple[Origin, int]]:
        """(origin, last sequence) of every log heard of, in the order of origins."""
        return iter(sorted(self.seqs.items()))

    def __len__(self) -> int:
        return len(self.seqs)

    def get(self, origin: Origin) -> int:
        """The last sequence of that log which is covered; 0 if none."""
        return self.seqs.get(origin, 0)

    def covers(self, dot: Dot) -> bool:
        return dot.seq <= self.seqs.get(dot.origin, 0)

    def advance(self, dot: Dot) -> Cursor:
        """The cursor once that op is taken in. It must be the next of its log.

        Raises Gap or Duplicate otherwise.
        """
        have = self.get(dot.origin)
        if dot.seq > have + 1:
            raise Gap(have)
        if dot.seq <= have:
            raise Duplicate(dot.seq)
        return Cursor({**self.seqs, dot.origin: dot.seq})

    def merge(self, other: Cursor) -> Cursor:
        """What either covers: the higher number of each log."""
        merged = dict(self.seqs)
        for origin, seq in other.seqs.items():
            if seq > merged.get(origin, 0):
                merged[origin] = seq
        return Cursor(merged)

    def meet(self, other: Cursor) -> Cursor:
        """What both cover: the lower number of each log."""
        return Cursor({o: min(seq, other.get(o)) for o, seq in self.seqs.items()})

    def missing_from(self, other: Cursor) -> tuple[Range, ...]:
        """What this covers and `other` lacks: the ranges to send to it, in the order of origins."""
        return tuple(
            Range(origin, other.get(origin) + 1, seq)
            for origin, seq in self
            if seq > other.get(origin)
        )

    def dominates(self, other: Cursor) -> bool:
        """Whether this covers all that `other` does. A cursor dominates itself."""
        return all(seq <= self.get(origin) for origin, seq in other.seqs.items())

    def compare(self, other: Cursor) -> Relation:
        ahead, behind = self.dominates(other), other.dominates(self)
        if ahead and behind:
            return Relation.EQUAL
        if ahead:
            return Relation.AHEAD
        return Relation.BEHIND if behind else Relation.CONCURRENT

    def encode(self) -> str:
        """Text: the last dot of every log, in order, with commas; empty if nothing is covered."""
        return ",".join(f"{origin}:{seq}" for origin, seq in self)

    @staticmethod
    def decode(text: str) -> Cursor:
        """Read what `encode` wrote. Raises OpFault, also for a log named twice."""
        dots = [Dot.parse(part) for part in text.split(",")] if text else []
        seqs = {dot.origin: dot.seq for dot in dots}
        if len(seqs) != len(dots):
            raise OpFault("a cursor names one log twice")
        return Cursor(seqs)
