"""Many runs, until every class of faults has struck often enough, and the report of them all.

    make chaos                                   # 200 cycles of every class with 3 and with 5 nodes
    make chaos ARGS="--cycles 20 --fault kill"
    make chaos-smoke                             # each class once, a few minutes

What was done is kept line by line in a directory, so a campaign that was interrupted goes on where
it was; runs of another commit do not count. Broken runs are kept whole, and the campaign goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.faults import CLASSES
from chaos.report.result import RunResult
from chaos.run import Plan

RESULTS: Final = "results.jsonl"
PER_RUN: Final = 10
"""Cycles on one cluster, before its nodes are stopped and all that they hold is compared."""
SIZES: Final = (3, 5)
DOC: Final = Path("docs/chaos-report.md")
PAGE: Final = Path("docs/chaos-report.html")
SMOKE: Final = (
    (3, ("partition-one", "drop", "loss", "stalled-link", "half-open", "forged-op")),
    (3, ("kill", "kill-at-commit", "power-cut", "fsync-error", "slow-disk", "combined")),
    (3, ("disk-full", "old-backup", "destroyed-disk", "join-leave", "revoked-key")),
    (5, ("partition-halves", "partition-ring", "partition-one-way", "reset", "slow-link", "kill")),
    (3, ("upgrade", "evict", "rotate", "wrong-key", "pause", "clock-jump", "clock-drift")),
)
"""Every class once, in as few clusters as they fit into."""
SMOKE_HOLD_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much there is to do."""

    cycles: int
    faults: tuple[str, ...]
    sizes: tuple[int, ...]
    hold_s_max: float

    def rest(self, done: Iterable[RunResult]) -> list[Plan]:
        """The runs that are still to be made, in turns over the classes: a campaign that is cut
        short has seen all of them about equally often."""
        struck: dict[tuple[str, int], int] = {}
        runs: dict[tuple[str, int], int] = {}
        for one in done:
            key = (one.fault, one.nodes)
            struck[key] = struck.get(key, 0) + one.cycles
            runs[key] = runs.get(key, 0) + 1
        plans: list[tuple[int, Plan]] = []
        for size in self.sizes:
            for fault in self.faults:
                left = self.cycles - struck.get((fault, size), 0)
                turn = runs.get((fault, size), 0)
                while left > 0:
                    count = min(PER_RUN, left)
                    seed = size * 1_000_000 + list(CLASSES).index(fault) * 10_000 + turn
                    plans.append((turn, Plan((fault,) * count, size, seed, self.hold_s_max)))
                    left -= count
                    turn += 1
        return [plan for _turn, plan in sorted(plans, key=lambda one: one[0])]
