"""Many runs added up, by class of faults and number of nodes, and held against what is promised.

A goal is met by figures, never by their absence: a cycle without a healing time counts as one that
never healed, and a class without runs meets nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from chaos.checker.reading import rank
from chaos.report.result import RunResult

LEVEL_P95_S_MAX: Final = 5.0
"""From when a fault is taken away until all nodes hold the same."""
WRITES_AGAIN_S_MAX: Final = 2.0
"""Until writes are confirmed again. We time until *every* node does, the goal asks for less."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Some durations, in seconds; of none all three are None."""

    count: int
    p50: float | None
    p95: float | None
    max: float | None
    missing: int = 0
    "Cycles that have none: the cluster never came so far, or the run ended first."

    @classmethod
    def of(cls, values: Sequence[float], missing: int = 0) -> Spread:
        """Nearest-rank percentiles."""
        if not values:
            return cls(0, None, None, None, missing)
        return cls(len(values), rank(values, 0.5), rank(values, 0.95), max(values), missing)


@dataclass(frozen=True, slots=True)
class Sum:
    """Some runs together."""

    fault: str
    nodes: int
    runs: int
    cycles: int
    acknowledged: int
    unknown: int
    lost: int
    convergence: float
    "Of the worst run."
    healed: Spread
    level: Spread
    quiet_healed: Spread
    "Of the runs that say how long things take: see undisturbed."
    quiet_level: Spread
    broken: int
    "Runs that do not hold."
    seconds: float

    @classmethod
    def of(cls, runs: Sequence[RunResult], fault: str = "all", nodes: int = 0) -> Sum:
        """`nodes`: 0 if they are of several sizes."""
        quiet = undisturbed(runs)
        healed, level = attrgetter("healed_s"), attrgetter("level_s")
        return cls(
            fault, nodes, len(runs), sum(one.cycles for one in runs),
            sum(one.acknowledged for one in runs), sum(one.unknown for one in runs),
            sum(one.lost for one in runs), min((one.convergence for one in runs), default=0.0),
            _spread(runs, healed), _spread(runs, level), _spread(quiet, healed),
            _spread(quiet, level),
            sum(not one.holds for one in runs), sum(one.seconds for one in runs),
        )  # fmt: skip


def undisturbed(runs: Sequence[RunResult]) -> Sequence[RunResult]:
    """Those that say how long things take: the ones that had the machine to themselves, if there
    are some of every class and size. Else all of them: a few quick ones speak for no others."""
    alone = [one for one in runs if one.jobs == 1]
    kinds = {(one.fault, one.nodes) for one in runs}
    return alone if {(one.fault, one.nodes) for one in alone} == kinds else runs


def _spread(runs: Sequence[RunResult], times_s: Callable[[RunResult], Sequence[float]]) -> Spread:
    missing = sum(max(0, begun(one) - len(times_s(one))) for one in runs)
    return Spread.of([s for one in runs for s in times_s(one)], missing)


def planned(run: RunResult) -> int:
    """How often it was meant to be struck, as far as its checks tell."""
    wanted: list[int] = [
        one["tried"] for one in run.checks if one["name"].startswith("every fault struck")
    ]
    return max([run.cycles, *wanted])


def begun(run: RunResult) -> int:
    """Cycles that it began. One that was never over is not among its `cycles`, and would otherwise
    leave the times of those that healed to speak for all."""
    return min(run.cycles + 1, planned(run))


def by_class(runs: Sequence[RunResult]) -> list[Sum]:
    """One sum for each class and size, in the order in which they first appear, by size."""
    found: dict[tuple[int, str], list[RunResult]] = {}
    for one in runs:
        found.setdefault((one.nodes, one.fault), []).append(one)
    faults = list(dict.fromkeys(one.fault for one in runs))
    keys = sorted(found, key=lambda key: (faults.index(key[1]), key[0]))
    return [Sum.of(found[key], key[1], key[0]) for key in keys]


@dataclass(frozen=True, slots=True)
class CheckSum:
    """One check over all runs that have it."""

    name: str
    runs: int
    tried: int
    broken: int
    failed_runs: int


def by_check(runs: Sequence[RunResult]) -> list[CheckSum]:
    """In the order of the checks."""
    found: dict[str, list[tuple[int, int, bool]]] = {}
    for run in runs:
        for one in run.checks:
            told = (one["tried"], one["broken"], one["holds"])
            found.setdefault(one["name"], []).append(told)
    return [
        CheckSum(
            name, len(all_of_it), sum(tried for tried, _, _ in all_of_it),
            sum(broken for _, broken, _ in all_of_it), sum(not holds for _, _, holds in all_of_it),
        )
        for name, all_of_it in found.items()
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise."""

    what: str
    short: str
    "For a narrow column."
    promised: str
    figure: Callable[[Sum], str]
    met: Callable[[Sum], bool]


def seconds(value: float | None) -> str:
    """To the hundredth; rounded up, so that what misses a goal never looks as if it met it."""
    return "–" if value is None else f"{math.ceil(round(value * 100, 6)) / 100:.2f} s"


def share(value: float) -> str:
    """Three digits, rounded down: 1.000 is said of what is exactly 1."""
    return f"{math.floor(round(value * 1000, 9)) / 1000:.3f}"


GOALS: Final = (
    Goal("acknowledged operations lost", "lost", "0", lambda s: f"{s.lost:,}",
         lambda s: s.runs > 0 and s.lost == 0),
    Goal("convergence after healing, worst run", "convergence", "exactly 1.000",
         lambda s: share(s.convergence),
         lambda s: s.runs > 0 and s.convergence == 1.0),
    Goal("all nodes hold the same, p95", "all level", f"≤ {LEVEL_P95_S_MAX:g} s",
         lambda s: seconds(s.quiet_level.p95) + _missing(s.quiet_level),
         lambda s: _within(s.quiet_level, s.quiet_level.p95, LEVEL_P95_S_MAX)),
    Goal("every node confirms writes again, longest", "writes again",
         f"≤ {WRITES_AGAIN_S_MAX:g} s",
         lambda s: seconds(s.quiet_healed.max) + _missing(s.quiet_healed),
         lambda s: _within(s.quiet_healed, s.quiet_healed.max, WRITES_AGAIN_S_MAX)),
    Goal("runs that do not hold", "runs broken", "0", lambda s: f"{s.broken:,} of {s.runs:,}",
         lambda s: s.runs > 0 and s.broken == 0),
)  # fmt: skip


def _within(spread: Spread, figure: float | None, most: float) -> bool:
    return figure is not None and figure <= most and not spread.missing


def _missing(spread: Spread) -> str:
    return f", and no time in {spread.missing:,}" if spread.missing else ""


def missed(one: Sum) -> list[Goal]:
    """The goals that it does not meet."""
    return [goal for goal in GOALS if not goal.met(one)]


def command(run: RunResult) -> str:
    """How to make a run again; empty of mixed ones, whose faults are not among their figures."""
    if run.fault == "mixed":
        return ""
    return (
        f"python -m chaos.run --fault {run.fault} --cycles {planned(run)}"
        f" --size {run.nodes} --seed {run.seed} --hold {run.hold_s_max:g}"
    )
