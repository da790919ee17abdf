"""What was measured, what was promised, and whether the one keeps the other.

Percentiles are nearest-rank: every figure shown was really measured, none is interpolated.
With fewer than 100 measurements the p99 is therefore the slowest of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed."""
    assert values, "nothing was measured"
    assert 0 < share <= 1
    return sorted(values)[math.ceil(share * len(values)) - 1]


@dataclass(frozen=True, slots=True)
class Spread:
    """How a duration is distributed, in milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, waited_ms: Sequence[float]) -> "Spread":
        """The spread of at least one measurement."""
        return cls(
            count=len(waited_ms),
            p50_ms=percentile(waited_ms, 0.50),
            p95_ms=percentile(waited_ms, 0.95),
            p99_ms=percentile(waited_ms, 0.99),
            max_ms=max(waited_ms),
        )


Rule = Literal["at most", "exactly", "at least"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: a value in its unit, beside the goal it has to keep."""

    what: str
    value: float
    unit: str
    """"ms p95", "MB", "bytes", "tools", ..."""
    goal: float | None = None
    """Shown for information when absent."""
    rule: Rule = "at most"
    spread: Spread | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is kept; None when there is none."""
        if self.goal is None:
            return None
        if self.rule == "exactly":
            return self.value == self.goal
        return self.value >= self.goal if self.rule == "at least" else self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        """For --json, in plain values."""
        found: dict[str, Any] = {
            "what": self.what,
            "value": round(self.value, 3),
            "unit": self.unit,
            "goal": self.goal,
            "rule": self.rule,
            "met": self.met,
        }
        if self.spread is not None:
            found |= {
                "count": self.spread.count,
                "p50_ms": round(self.spread.p50_ms, 3),
                "p95_ms": round(self.spread.p95_ms, 3),
                "p99_ms": round(self.spread.p99_ms, 3),
                "max_ms": round(self.spread.max_ms, 3),
            }
        return found


def timed(what: str, waited_ms: Sequence[float], goal_p95_ms: float | None) -> Figure:
    """A figure for a duration, held against its 95th percentile."""
    spread = Spread.of(waited_ms)
    return Figure(what, spread.p95_ms, "ms p95", goal_p95_ms, spread=spread)
