"""(e) Counters: at least what was surely counted, at most what may have been.

Recalls are counted in memory and told to the log once a minute, so a node that dies may take up to
a minute of them along: a documented price. What it counted is then no part of the lower bound. A
count that was written as an op of its own is acknowledged like any other write and always is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from chaos.checker.case import Case, Deed
from chaos.checker.check import Check
from chaos.history import Event, Fault

PEACEFUL: Final = (
    "partition", "drop", "reset", "loss", "slow", "stalled", "pause", "clock",
    "wrong-key", "forged", "rotate",
)  # fmt: skip
"""Beginnings of names of faults that end no process. Whatever else strikes a node may."""
ENDS_COUNTING: Final = ("delete", "archive", "purge")


def counters(case: Case) -> Check:
    """Each record's count lies between the two."""
    crashed = crashed_nodes(case.seen.faults)
    least: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for deed in case.deeds:
        if deed.f == "count":
            _count(deed, crashed, least, most)
    broken = []
    for record in sorted(most):
        ended = any(case.done_to(record, *ENDS_COUNTING))
        for state in case.members:
            if record not in state.records:
                continue  # which is not a matter of counting
            found = int(state.records[record].get("access_count", 0))
            if found < least[record] and not (ended and not _was_written(case, record)):
                broken.append(f"{record} at {state.name}: {found}, at least {least[record]}")
            if found > most[record]:
                broken.append(f"{record} at {state.name}: {found}, at most {most[record]}")
    note = f"{sum(least.values())} surely counted, {sum(most.values())} perhaps"
    if crashed:
        note += f"; recalls at {', '.join(sorted(crashed))} may be lost, since it ended"
    return Check("(e) counts are neither short nor over", len(most), tuple(broken), note)


def crashed_nodes(faults: Iterable[Fault]) -> frozenset[str]:
    """Nodes that may have ended without a goodbye."""
    return frozenset(
        name for one in faults if not one.fault.startswith(PEACEFUL) for name in one.nodes
    )


def _count(deed: Deed, crashed: frozenset[str], least: Counter[str], most: Counter[str]) -> None:
    times = int(deed.value.get("times", 1))
    surely = [told for told in deed.oks if told.write_ids or told.node not in crashed]
    if surely:
        least[deed.key] += times
    for attempt in deed.attempts:
        if attempt.told is not None and attempt.told.seen:
            for record in _recalled(attempt.told):
                most[record] += times
        elif attempt.end != "fail":
            most[attempt.asked.key or ""] += times


def _recalled(told: Event) -> Iterable[str]:
    """What a recall brought, and so counted: perhaps other memories than it was meant for."""
    return [told.key or ""] if isinstance(told.seen, dict) else [str(one) for one in told.seen]


def _was_written(case: Case, record: str) -> bool:
    """Whether all counts of a record are ops of their own."""
    return all(deed.write_ids or deed.end != "ok" for deed in case.done_to(record, "count"))
