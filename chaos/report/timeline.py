"""What was done to the cluster and what clients felt of it, on one axis of time.

Times are seconds since the first line of the run. A write is open from the first time it was asked
for until a client knew what became of it; one that nobody ever knew of is open to the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chaos.checker.case import Case, Deed
from chaos.checker.evidence import Evidence
from chaos.history import Event, Fault
from chaos.report.strikes import Lane, Strike, lanes, strikes_of

NOT_WRITES: Final = ("count", "read")
"""What is acknowledged without a word from other nodes."""
BINS_MAX: Final = 120
BIN_WIDTHS_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0)
STEPS_MAX: Final = 400
"""Of the curve of open writes: two pixels each. The most within each is drawn, so no peak hides."""
LONGEST_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class OpenDeed:
    """A write that was asked for and took its time."""

    f: str
    key: str
    node: str
    via: str
    asked_s: float
    settled_s: float | None
    "None if nobody ever knew."
    open_s: float
    attempts: int
    end: str
    write_ids: tuple[str, ...]
    during: tuple[int, ...]
    "The numbers of the strikes that it was open in."


@dataclass(frozen=True, slots=True)
class Timeline:
    """A whole run, ready to be drawn."""

    end_s: float
    strikes: tuple[Strike, ...] = ()
    notes: tuple[tuple[float, str, str], ...] = ()
    "When, of which fault, and what was noted."
    lanes: tuple[Lane, ...] = ()
    bin_s: float = 1.0
    rate: tuple[float, ...] = ()
    "Acknowledged writes a second, in bins of bin_s."
    pending: tuple[tuple[float, int], ...] = ()
    "From when on how many writes were asked for and not settled."
    longest: tuple[OpenDeed, ...] = ()
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0

    def named(self, names: Mapping[str, str]) -> Timeline:
        """With what nodes are called in place of their ids, in the names of ops."""
        longest = [
            replace(one, write_ids=tuple(_named(dot, names) for dot in one.write_ids))
            for one in self.longest
        ]
        return replace(self, longest=tuple(longest))


def timeline(
    events: Sequence[Event], faults: Sequence[Fault], names: Iterable[str] = ()
) -> Timeline:
    """Put it all on one axis. `names`: nodes that have a lane whatever happened to them."""
    times = [one.t_ns for one in events] + [one.t_ns for one in faults]
    if not times:
        return Timeline(0.0)
    first, end_s = min(times), (max(times) - min(times)) / 1e9
    strikes, notes = strikes_of(faults, first)
    deeds = [deed for deed in Case(Evidence(tuple(events))).deeds if deed.f not in NOT_WRITES]
    acks = [(deed.ok_ns - first) / 1e9 for deed in deeds if deed.end == "ok"]
    bin_s = next((w for w in BIN_WIDTHS_S if end_s / w <= BINS_MAX), BIN_WIDTHS_S[-1])
    opened = [_open(deed, first, end_s, strikes) for deed in deeds]
    nodes = {*names, *(one.node for one in events if one.node)}
    return Timeline(
        end_s, strikes, notes, lanes(strikes, nodes, end_s), bin_s, _rate(acks, bin_s, end_s),
        _pending(opened, end_s),
        tuple(sorted(opened, key=lambda one: -one.open_s)[:LONGEST_SHOWN]), len(acks),
        sum(deed.end == "fail" for deed in deeds), sum(deed.end == "info" for deed in deeds),
    )  # fmt: skip


def _rate(acks: Iterable[float], bin_s: float, end_s: float) -> tuple[float, ...]:
    counts = [0] * max(1, -int(-end_s // bin_s))
    for at in acks:
        counts[min(int(at // bin_s), len(counts) - 1)] += 1
    # The last bin is over before it is full; a rate over a sliver of time would be a spike.
    return tuple(count / bin_s for count in counts)


def _open(deed: Deed, first_ns: int, end_s: float, strikes: Iterable[Strike]) -> OpenDeed:
    asked = deed.attempts[0].asked
    answers = [one.told for one in deed.attempts if one.told is not None]
    settled: float | None = None
    if deed.end == "ok":
        settled = (deed.ok_ns - first_ns) / 1e9
    elif deed.end == "fail":
        settled = (max(one.t_ns for one in answers) - first_ns) / 1e9
    asked_s = (asked.t_ns - first_ns) / 1e9
    until = end_s if settled is None else settled
    named = [dot for one in answers for dot in one.write_ids]
    during = tuple(
        one.number
        for one in strikes
        if one.begin_s < until and (one.end_s is None or one.end_s > asked_s)
    )
    return OpenDeed(
        deed.f, deed.key, asked.node, asked.via, asked_s, settled, until - asked_s,
        len(deed.attempts), deed.end, tuple(dict.fromkeys(named)), during,
    )  # fmt: skip


def _pending(opened: Iterable[OpenDeed], end_s: float) -> tuple[tuple[float, int], ...]:
    """Steps. Where many fall into one place on the page, the highest of them is drawn there."""
    changes: list[tuple[float, int]] = []
    for one in opened:
        changes.append((one.asked_s, 1))
        if one.settled_s is not None:
            changes.append((one.settled_s, -1))
    width = end_s / STEPS_MAX or 1.0
    places: dict[int, tuple[int, int]] = {}
    count = 0
    for at, change in sorted(changes):
        most, _ = places.get(int(at // width), (count, count))
        count += change
        places[int(at // width)] = (max(most, count), count)
    steps: dict[float, int] = {0.0: 0}
    for place, (most, last) in places.items():
        steps[place * width] = most
        steps[min((place + 1) * width, end_s)] = last
    steps[end_s] = count
    return tuple(steps.items())


def _named(dot: str, names: Mapping[str, str]) -> str:
    origin, _, seq = dot.rpartition(":")
    node_id, _, incarnation = origin.partition(".")
    return f"{names[node_id]}.{incarnation[:4]}:{seq}" if node_id in names else dot
