"""Many seeds, one after the other: `python -m tests.sim.campaign --seeds 2000 --first 1`.

Each run has a safety phase, in which anything may go wrong, and a liveness phase: all is healed
and the members must become level in bounded time. Exits with 1 if an invariant was violated.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.sim.clients import Clients, Operators
from tests.sim.nemesis import Nemesis
from tests.sim.oracles import Violation
from tests.sim.world import MS, SECOND, World

LEVEL_WITHIN_US = 12 * SECOND
"""Virtual time from the heal to all members level (I16). Five is the aim; snapshots, elections and
an operator's late wish may come one after the other."""

RARE = (
    "snapshot installed", "snapshot with own tail", "snapshot refused", "stale epoch", "gap",
    "truncated", "collected", "pending", "not_written", "unknown", "read refused", "restored",
    "wiped", "evict", "join", "not kept: disk full", "change lost", "a key that opens nothing",
    "a beat of an earlier incarnation", "an ack of an earlier incarnation",
)  # fmt: skip
"""Paths that a tame nemesis would never enter. Counted, and bounded from below in the tests."""


@dataclass
class Run:
    """What came of one seed."""

    seed: int
    violation: str = ""
    trace: str = ""
    ops: int = 0
    reads: int = 0
    level_us: int = 0
    notes: Counter[str] = field(default_factory=Counter)


def one(seed: int, make: Callable[..., World] = World) -> Run:
    """One seed, from the beginning to the verdict."""
    draw = Random(seed * 7919)
    nodes = draw.choice((2, 3, 3, 3, 4, 5))
    world = make(seed, nodes, spare=draw.choice((0, 1, 1)), retained_ops=draw.choice((3, 10, 40)))
    until_us = draw.choice((5, 8, 12)) * SECOND
    run = Run(seed)
    try:
        clients = Clients(
            world, draw.choice((2, 3, 5)), w_any=draw.random() < 0.3, pending=draw.choice((0, 0.5))
        )
        if clients.w_any:
            nemesis = Nemesis(world, Operators(world), until_us)
            nemesis.losses_left = 0
        else:
            nemesis = Nemesis(world, Operators(world), until_us)
        world.run(until_us)
        nemesis.end(clients)
        run.level_us = settle(world, nemesis)
        # What is collected late must change nothing, and a decree under way may still pass.
        world.run(world.now_us + 4 * SECOND)
        settle(world, nemesis)
        world.oracles.verdict()
        run.reads = clients.reads
    except Violation as found:
        run.violation = str(found)
    run.trace = world.trace.hexdigest()
    run.ops = len(world.oracles.ops)
    run.notes = world.notes
    return run


def settle(world: World, nemesis: Nemesis) -> int:
    """Wait until all members are level. How long it took, in microseconds of virtual time."""
    began_us = world.now_us
    while why := world.oracles.level():
        if world.now_us >= began_us + LEVEL_WITHIN_US:
            world.oracles.fail("I16", f"not level {LEVEL_WITHIN_US // SECOND} s after: {why}")
        world.run(world.now_us + 100 * MS)
        nemesis.raise_all()
    return world.now_us - began_us


def several(seeds: list[int]) -> list[Run]:
    return [one(seed) for seed in seeds]


def summary(runs: list[Run], seconds: float) -> str:
    """The runs as a page."""
    notes: Counter[str] = Counter()
    for run in runs:
        notes.update(run.notes)
    bad = [run for run in runs if run.violation]
    levels = sorted(run.level_us for run in runs if not run.violation) or [0]
    ops = sum(run.ops for run in runs)
    lines = [
        f"runs {len(runs)}   ops {ops}   committed {notes['committed']}"
        f"   reads {sum(r.reads for r in runs)}   {len(runs) / seconds:.1f} runs/s",
        f"level after the heal: median {levels[len(levels) // 2] / 1e6:.1f} s,"
        f" p95 {levels[len(levels) * 95 // 100] / 1e6:.1f} s, last {levels[-1] / 1e6:.1f} s",
        f"messages per op {notes['messages'] / max(1, ops):.1f}",
        "rare paths:",
        *(f"  {name:36} {notes[name]:8}" for name in RARE),
        f"violations {len(bad)}",
        *(f"  seed {run.seed}: {run.violation}" for run in bad[:20]),
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", type=Path, help="remember here which seeds are done")
    asked = parser.parse_args()
    first, last = asked.first, asked.first + asked.seeds
    if asked.resume is not None and asked.resume.exists():
        first = max(first, int(asked.resume.read_text(encoding="utf-8")))
        print(f"going on from seed {first}")
    began = time.monotonic()
    runs: list[Run] = []
    with ProcessPoolExecutor(asked.jobs) as pool:
        for start in range(first, last, 400):
            seeds = list(range(start, min(last, start + 400)))
            parts = [seeds[i : i + 20] for i in range(0, len(seeds), 20)]
            for part in pool.map(several, parts):
                runs += part
            if asked.resume is not None:
                asked.resume.write_text(str(seeds[-1] + 1), encoding="utf-8")
            bad = sum(1 for run in runs if run.violation)
            if asked.seeds > 400:
                print(f"seed {seeds[-1]}: {bad} violations", flush=True)
    print(summary(runs, time.monotonic() - began))
    return 1 if any(run.violation for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
