"""A run in four figures, for campaigns to add up. What is judged is judged by the checks."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.checker.case import Case
from chaos.checker.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of deeds, and the share of records that are the same everywhere."""

    acknowledged: int = 0
    unknown: int = 0
    lost: int = 0
    "Acknowledged, with an op that some member does not have."
    convergence: float = 0.0


def tally(seen: Evidence) -> Tally:
    """Count."""
    case = Case(seen)
    writes = [deed for deed in case.deeds if deed.f != "count"]
    lost = sum(
        any(not state.has(dot) for dot in deed.write_ids for state in case.members)
        for deed in case.written
    )
    return Tally(
        acknowledged=sum(deed.end == "ok" for deed in writes),
        unknown=sum(deed.end == "info" for deed in writes),
        lost=lost,
        convergence=_share(case),
    )


def _share(case: Case) -> float:
    """Of all records that any member has, those with one hash at every member."""
    hashes = [
        {record_id: record.get("hash") for record_id, record in state.records.items()}
        for state in case.members
    ]
    every = set().union(*hashes) if hashes else set()
    alike = sum(len({one.get(record_id) for one in hashes}) == 1 for record_id in every)
    return alike / len(every) if every else 0.0
