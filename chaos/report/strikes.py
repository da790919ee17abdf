"""What was done to whom, when, and how long it was felt: a bar a fault, a lane a node.

A fault is taken away at one moment and felt until a later one, so a strike has three parts: while
it lasts, until every node confirms writes again, and until all nodes hold the same. Times are
seconds since the first line of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chaos.history import Fault

UNITS: Final = {"_ms": "ms", "_s": "s"}
WHOLE_CLUSTER: Final = "cluster"
"""The lane of what strikes no node in particular."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault, from when it began."""

    number: int
    fault: str
    nodes: tuple[str, ...]
    begin_s: float
    end_s: float | None = None
    "When it was taken away; None if it never was."
    healed_s: float | None = None
    "When every node confirmed a write again."
    level_s: float | None = None
    "When all nodes held the same."
    within: int = 0
    "The number of the strike that this one was a part of; 0 of none. Then healing is told there."
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def writes_again_after_s(self) -> float | None:
        """From when it was taken away."""
        return _between(self.end_s, self.healed_s)

    @property
    def level_after_s(self) -> float | None:
        """From when it was taken away."""
        return _between(self.end_s, self.level_s)

    @property
    def whole(self) -> bool:
        """Whether it was taken away, and everything that it did to the cluster is over."""
        if self.end_s is None:
            return False
        return bool(self.within) or (self.healed_s is not None and self.level_s is not None)

    def felt_until(self, end_s: float) -> float:
        """The last moment that a lane must show; `end_s`: where the axis ends."""
        if self.end_s is None or not self.whole:
            return end_s
        return max(self.end_s, self.healed_s or 0.0, self.level_s or 0.0)


@dataclass(frozen=True, slots=True)
class Lane:
    """One node, and what struck it, in rows within which nothing overlaps."""

    name: str
    rows: tuple[tuple[Strike, ...], ...]


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def strikes_of(
    faults: Iterable[Fault], first_ns: int
) -> tuple[tuple[Strike, ...], tuple[tuple[float, str, str], ...]]:
    """Every fault, in the order in which they began; and what was noted: when, of which, what."""
    found: list[Strike] = []
    notes: list[tuple[float, str, str]] = []
    for one in sorted(faults, key=lambda one: (one.t_ns, one.i)):
        at = (one.t_ns - first_ns) / 1e9
        if one.phase == "begin":
            found.append(Strike(len(found) + 1, one.fault, one.nodes, at, detail=one.detail))
        elif one.phase == "end":
            place = _begun(found, one)
            if place is None:
                notes.append((at, one.fault, "ended without having begun"))
            else:
                was = found[place]
                detail = {**was.detail, **one.detail}
                found[place] = replace(was, end_s=at, nodes=one.nodes or was.nodes, detail=detail)
        elif one.phase == "note":
            notes.append((at, one.fault, words(one.detail)))
        else:
            ended = [
                (was.end_s, place)
                for place, was in enumerate(found)
                if was.fault == one.fault and was.end_s is not None
            ]
            # The one taken away last: an earlier one was part of another fault, see _placed.
            if ended:
                place = max(ended)[1]
                if one.phase == "healed":
                    found[place] = replace(found[place], healed_s=at)
                else:
                    found[place] = replace(found[place], level_s=at)
    return tuple(_placed(strike, found) for strike in found), tuple(notes)


def _begun(found: Sequence[Strike], ended: Fault) -> int | None:
    """Which strike this is the end of: the same fault at the same nodes, if there are several. A
    node that joins has no name when it begins to."""
    still = [at for at, one in enumerate(found) if one.fault == ended.fault and one.end_s is None]
    same = [at for at in still if set(found[at].nodes) == set(ended.nodes)]
    return next(iter(same or still), None)


def _placed(strike: Strike, every: Sequence[Strike]) -> Strike:
    """With the strike that it was a part of, if its own healing was not told."""
    if strike.healed_s is not None or strike.level_s is not None:
        return strike
    for other in every:
        # What never ended can only be a part of what never ended either.
        encloses = other.begin_s <= strike.begin_s and (
            other.end_s is None or (strike.end_s is not None and other.end_s >= strike.end_s)
        )
        if other.number < strike.number and other.fault != strike.fault and encloses:
            return replace(strike, within=other.number)
    return strike


def lanes(strikes: Iterable[Strike], nodes: set[str], end_s: float) -> tuple[Lane, ...]:
    """A lane for each of these nodes and for each that was struck, in alphabetical order. What
    struck no node in particular has one of its own, above."""
    struck: dict[str, list[Strike]] = {name: [] for name in nodes}
    cluster: list[Strike] = []
    for strike in strikes:
        for name in strike.nodes:
            struck.setdefault(name, []).append(strike)
        if not strike.nodes:
            cluster.append(strike)
    found = [Lane(name, _rows(struck[name], end_s)) for name in sorted(struck)]
    if cluster:
        found.insert(0, Lane(WHOLE_CLUSTER, _rows(cluster, end_s)))
    return tuple(found)


def _rows(strikes: Iterable[Strike], end_s: float) -> tuple[tuple[Strike, ...], ...]:
    """Each strike in the first row that is free when it begins."""
    rows: list[list[Strike]] = []
    for strike in strikes:
        for row in rows:
            if row[-1].felt_until(end_s) <= strike.begin_s:
                row.append(strike)
                break
        else:
            rows.append([strike])
    return tuple(map(tuple, rows))


def words(detail: Mapping[str, Any]) -> str:
    """What was noted of a fault, as a person says it. How long it lasted is told elsewhere."""
    return "; ".join(_named(name, value) for name, value in detail.items() if name != "seconds")


def _named(name: str, value: Any) -> str:
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            return f"{name.removesuffix(ending).replace('_', ' ')}: {_word(value)} {unit}"
    return f"{name.replace('_', ' ')}: {_word(value)}"


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_word(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_word, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
