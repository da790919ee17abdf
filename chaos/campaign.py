"""Many runs, until every class of faults has struck often enough, and the report of them all.

    make chaos                                   # 200 cycles of every class, half with 5 nodes
    make chaos ARGS="--cycles 20 --fault kill"
    make chaos-smoke                             # each class once, a few minutes

What was done is kept line by line in a directory, so a campaign that was interrupted goes on where
it was; runs of other code do not count. Broken runs are kept whole, and the campaign goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from chaos import needs
from chaos.faults import CLASSES
from chaos.report import (
    WHOLE,
    RunResult,
    campaign_markdown,
    campaign_page,
    commit,
    same_code,
)
from chaos.run import BROKEN, CANNOT, HOLDS, INTERRUPTED, Plan, make, told
from chaos.side_by_side import side_by_side

RESULTS: Final = "results.jsonl"
PER_RUN: Final = 34
"""Cycles on one cluster, before its nodes are stopped and all that they hold is compared."""
SIZES: Final = {3: 2, 5: 1}
"""How the cycles of a class are shared: a cluster of five costs twice the processor of one of
three, so each size gets about the same time."""
DOC: Final = Path("docs/chaos-report.md")
PAGE: Final = Path("docs/chaos-report.html")
SMOKE: Final = (
    (3, ("partition-one", "drop", "loss", "stalled-link", "half-open", "forged-op")),
    (3, ("kill", "kill-at-commit", "power-cut", "fsync-error", "slow-disk", "combined")),
    (3, ("disk-full", "old-backup", "destroyed-disk", "join-leave", "revoked-key")),
    (5, ("partition-halves", "partition-ring", "partition-one-way", "reset", "slow-link", "kill")),
    (3, ("upgrade", "evict", "rotate", "wrong-key", "pause", "clock-jump", "clock-drift")),
)
"""Every class at least once, in as few clusters as they fit into."""
JOBS: Final = 1 + 2 * len(os.sched_getaffinity(0))
"""Runs at a time: a cluster under these clients keeps a third to two thirds of a core busy."""
SMOKE_HOLD_S: Final = 2.0
SMOKE_S_MAX: Final = 480.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much there is to do."""

    cycles: int
    "Of every class, shared by the sizes as SIZES says."
    faults: tuple[str, ...]
    sizes: tuple[int, ...]
    hold_s_max: float
    alone: bool = False
    "Only runs that had the machine to themselves count."

    def rest(self, done: Iterable[RunResult]) -> list[Plan]:
        """The runs that are still to be made, in turns over the classes: a campaign that is cut
        short has seen all of them about equally often."""
        struck: dict[tuple[str, int], int] = {}
        runs: dict[tuple[str, int], int] = {}
        for one in done:
            key = (one.fault, one.nodes)
            if one.jobs == 1 or not self.alone:
                struck[key] = struck.get(key, 0) + one.cycles
            runs[key] = runs.get(key, 0) + 1
        plans: list[tuple[int, Plan]] = []
        parts = sum(SIZES[size] for size in self.sizes)
        for size in self.sizes:
            share = -(-self.cycles * SIZES[size] // parts)
            for fault in self.faults:
                left = share - struck.get((fault, size), 0)
                turn = runs.get((fault, size), 0)
                while left > 0:
                    count = min(PER_RUN, left)
                    seed = size * 1_000_000 + list(CLASSES).index(fault) * 10_000 + turn
                    plans.append((turn, Plan((fault,) * count, size, seed, self.hold_s_max)))
                    left -= count
                    turn += 1
        return [plan for _turn, plan in sorted(plans, key=lambda one: one[0])]


class Kept:
    """The lines of the runs that were made, in a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._file = directory / RESULTS

    def read(self, counts: Callable[[str], bool]) -> list[RunResult]:
        """Those of commits that count. Raises ValueError with the number of a damaged line."""
        found = []
        lines = self._file.read_text("utf-8").splitlines() if self._file.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                found.append(RunResult.from_json(line))
            except ValueError as error:
                raise ValueError(f"{self._file}, line {number}: {error}") from None
        return [one for one in found if counts(one.commit)]

    def add(self, result: RunResult) -> None:
        """Put one more down, at once."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(result.as_json() + "\n")
            file.flush()
            os.fsync(file.fileno())


def write_pages(results: Sequence[RunResult], doc: Path, page: Path) -> None:
    """The report of a campaign, for reading in the repository and in a browser."""
    doc.write_text(campaign_markdown(results), encoding="utf-8")
    page.write_text(campaign_page(results), encoding="utf-8")


def in_words(seconds: float) -> str:
    """A duration for people."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def campaign(wanted: Wanted, kept: Kept, seconds_max: float, jobs: int = 1) -> list[RunResult]:
    """Make what is still to be made, within this time; all that there is then. Each run is kept as
    soon as it is made."""
    now = commit()
    results = kept.read(lambda made_at: same_code(made_at, now))
    plans = wanted.rest(results)
    total = sum(len(plan.faults) for plan in plans)
    say(f"{total} cycles to go in {len(plans)} runs, {len(results)} runs made before")
    began, struck = time.monotonic(), 0

    def in_time() -> Iterator[Plan]:
        for plan in plans:
            if time.monotonic() - began > seconds_max:
                say("the time is up; the same command goes on")
                return
            yield plan

    for plan, made, checks in side_by_side(in_time(), jobs):
        struck += len(plan.faults)
        result = replace(made, jobs=jobs)
        kept.add(result)
        results.append(result)
        left = (time.monotonic() - began) / struck * (total - struck)
        word = "holds" if result.holds else "BROKEN"
        say(f"[{struck}/{total}] {plan.title}, {plan.size} nodes, seed {plan.seed}: {word};"
            f" about {in_words(left)} to go")  # fmt: skip
        if not result.holds:
            say(told(plan, result, checks))
    return results


def smoke(seed: int, kept: Kept) -> int:
    """Every class that this machine can inject, once; the exit code."""
    every = [name for _, names in SMOKE for name in names]
    lacking = needs.left_out(every)
    for name, why in lacking.items():
        say(f"left out: {name}: {why}")
    began = time.monotonic()
    results = []
    for turn, (size, names) in enumerate(SMOKE):
        faults = tuple(name for name in names if name not in lacking)
        if not faults:
            continue
        plan = Plan(faults, size, seed + turn, SMOKE_HOLD_S)
        say(f"{size} nodes: {', '.join(faults)}")
        result, checks = make(plan, kept.directory / f"run-{turn + 1}")
        results.append(result)
        if not result.holds:
            say(told(plan, result, checks))
    seconds = time.monotonic() - began
    print(smoke_table(results))
    print(f"{sum(one.cycles for one in results)} faults of {len(set(every) - set(lacking))} classes"
          f" in {seconds:.0f} s; evidence and reports: {kept.directory}")  # fmt: skip
    if seconds > SMOKE_S_MAX:
        print(f"it took longer than {SMOKE_S_MAX:.0f} s", file=sys.stderr)
    return HOLDS if results and all(one.holds for one in results) else BROKEN


def smoke_table(results: Sequence[RunResult]) -> str:
    """One line for each cluster."""
    lines = [f"{'nodes':>5} {'faults':>6} {'acknowledged':>12} {'lost':>5} {'the same':>9}"
             f" {'writes again':>13} {'level':>7}"]  # fmt: skip
    for one in results:
        again, level = max(one.healed_s, default=0.0), max(one.level_s, default=0.0)
        word = "" if one.holds else "  BROKEN"
        lines.append(
            f"{one.nodes:>5} {one.cycles:>6} {one.acknowledged:>12} {one.lost:>5}"
            f" {one.convergence:>9.3f} {again:>11.2f} s {level:>5.2f} s{word}"
        )
    return "\n".join(lines)


def say(what: str) -> None:
    """Progress, at once, beside what may be piped somewhere."""
    print(what, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """0 if every run holds, 1 if one is broken, 2 if a fault cannot be injected here."""
    parser = argparse.ArgumentParser("python -m chaos.campaign", description=main.__doc__)
    parser.add_argument("--smoke", action="store_true", help="every class once, in a few minutes")
    parser.add_argument("--cycles", type=int, default=WHOLE, help="of every class")
    parser.add_argument(
        "--timed", type=int, default=9, help="of these made one at a time, for the times"
    )
    parser.add_argument("--fault", action="append", choices=list(CLASSES), metavar="CLASS")
    parser.add_argument("--size", action="append", type=int, choices=SIZES)
    parser.add_argument("--hold", type=float, default=30.0, help="seconds that a fault may last")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="then stop; go on later"
    )
    parser.add_argument("--jobs", type=int, default=JOBS, help="runs at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the smoke runs")
    parser.add_argument("--keep", type=Path, default=Path(".bench/chaos"), metavar="DIR")
    parser.add_argument("--write-doc", action="store_true", help=f"write {DOC} and {PAGE}")
    asked = parser.parse_args(argv)
    try:
        if asked.smoke:
            return smoke(asked.seed, Kept(asked.keep / "smoke"))
        faults = tuple(asked.fault or CLASSES)
        if needs.told_of_lacking(faults):
            return CANNOT
        sizes, kept = tuple(asked.size or SIZES), Kept(asked.keep)
        ends = time.monotonic() + asked.minutes * 60
        timed = Wanted(asked.timed, faults, sizes, asked.hold, alone=True)
        campaign(timed, kept, ends - time.monotonic())
        wanted = Wanted(asked.cycles, faults, sizes, asked.hold)
        results = campaign(wanted, kept, ends - time.monotonic(), asked.jobs)
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except ValueError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return CANNOT
    print(campaign_markdown(results))
    if asked.write_doc:
        write_pages(results, DOC, PAGE)
    return HOLDS if results and all(one.holds for one in results) else BROKEN


if __name__ == "__main__":
    sys.exit(main())
