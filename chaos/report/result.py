"""One run in one line: what a campaign remembers of it, and adds up.

A line that is not exactly what was written raises: a campaign that skips a damaged line has made
fewer runs than it says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final

CHECK_FIELDS: Final = {"name": str, "tried": int, "broken": int, "holds": bool, "note": str}


def now() -> str:
    """The date and time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of one run."""

    fault: str
    "The class that struck, or mixed."
    seed: int
    nodes: int
    w: int
    "Members that had to confirm a write."
    cycles: int
    "Faults that struck and healed."
    acknowledged: int
    "Writes that a client was told are done."
    unknown: int
    "Writes of which no client ever knew."
    lost: int
    "Acknowledged writes that are not there."
    convergence: float
    "The share of records that are the same on all nodes."
    healed_s: tuple[float, ...]
    "Per cycle: from the end of the fault until every node confirmed a write again."
    level_s: tuple[float, ...]
    "Per cycle: until all nodes held the same."
    checks: tuple[dict[str, Any], ...]
    "name, tried, broken (how many), holds, note."
    holds: bool
    seconds: float
    commit: str
    hold_s_max: float
    jobs: int = 1
    "Runs that the campaign made at a time, this one among them: how long things took is worth"
    " little where several clusters shared a processor."
    note: str = ""
    directory: str = ""
    "Where its evidence was kept; empty if it was not."
    date: str = field(default_factory=now)
    "When it was made: a campaign goes on over days, and says so."

    def as_json(self) -> str:
        """One line, without its end."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> RunResult:
        """The run in a line that as_json made. Raises ValueError that says what is wrong."""
        given = json.loads(line)
        if not isinstance(given, dict):
            raise ValueError("a run is not an object")
        names = {one.name for one in fields(cls)}
        if given.keys() != names:
            raise ValueError(f"a run has not {sorted(names ^ given.keys())}, or should not")
        for name in ("seed", "nodes", "w", "cycles", "acknowledged", "unknown", "lost", "jobs"):
            _expect(name, given[name], int)
        for name in ("fault", "commit", "note", "directory", "date"):
            _expect(name, given[name], str)
        _expect("holds", given["holds"], bool)
        for name in ("convergence", "seconds", "hold_s_max"):
            given[name] = _figure(name, given[name])
        for name in ("healed_s", "level_s"):
            _expect(name, given[name], list)
            given[name] = tuple(_figure(name, one) for one in given[name])
        _expect("checks", given["checks"], list)
        given["checks"] = tuple(_check(one) for one in given["checks"])
        return cls(**given)


def _expect(name: str, value: object, kind: type) -> None:
    if type(value) is not kind:
        raise ValueError(f"{name} is {value!r}, not of type {kind.__name__}")


def _figure(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, not a number")
    return float(value)


def _check(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping) or given.keys() != CHECK_FIELDS.keys():
        raise ValueError(f"a check has {given!r}, not {', '.join(CHECK_FIELDS)}")
    for name, kind in CHECK_FIELDS.items():
        _expect(f"of a check, {name}", given[name], kind)
    return dict(given)
