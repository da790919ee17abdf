"""Many seeds, one after the other: `python -m tests.sim.campaign --seeds 2000 --first 1`.

Each run has a safety phase, in which anything may go wrong, and a liveness phase: all is healed
and the members must become level in bounded time. Exits with 1 if an invariant was violated, or
if a thousand seeds have not entered the paths that they are there for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.sim.clients import Clients, Operators
from tests.sim.finale import FINALES
from tests.sim.nemesis import Nemesis
from tests.sim.oracles import Violation
from tests.sim.world import MS, SECOND, World

LEVEL_WITHIN_US = 12 * SECOND
"""Virtual time from the heal to all members level (I16). Five is the aim; snapshots, elections and
an operator's late wish may come one after the other."""

RARE = {
    "snapshot installed": 100,
    "snapshot with own tail": 25,
    "snapshot overtaken": 5,
    "snapshot refused": 20,
    "far behind": 100,
    "stale epoch": 200,
    "gap": 40,
    "truncated": 4_000,
    "collected": 10_000,
    "pending": 5_000,
    "not_written": 5_000,
    "unknown": 700,
    "read refused": 400,
    "read lost": 1,
    "restored": 50,
    "wiped": 80,
    "old image": 50,
    "evict": 40,
    "rejoin": 12,
    "join": 60,
    "rotate": 70,
    "not kept: disk full": 1_000,
    "commit failed": 250,
    "torn group": 30,
    "change lost": 700,
    "a key that opens nothing": 1_500,
    "a page that brought nothing": 150,
    "a slow member": 80,
    "a beat of another incarnation": 250,
    "an ack of another incarnation": 5,
    "fenced": 50,
    "real store": 10,
}
"""Paths that a tame nemesis would hardly enter, with the least count in a thousand seeds: about a
third of what they had when this was written."""


def tame(notes: Counter[str], seeds: int) -> list[str]:
    """The rare paths that so many seeds have entered too seldom. Only asked of a thousand."""
    if seeds < 1_000:
        return []
    return [name for name, least in RARE.items() if notes[name] < least * seeds // 1_000]


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


REAL_EVERY = 50
"""One seed in so many runs on the node's own store: it takes 20 times as long."""


def kind_of(seed: int) -> Callable[..., World]:
    """Which kind of disks a seed has."""
    if seed % REAL_EVERY:
        return World
    from tests.sim.real_disk import RealWorld

    return RealWorld


def one(
    seed: int, make: Callable[..., World] | None = None, clients: type[Clients] = Clients
) -> Run:
    """One seed, from the beginning to the verdict."""
    draw, run = Random(seed * 7919), Run(seed)
    nodes = draw.choice((2, 3, 3, 3, 4, 5))
    spare, retained_ops = draw.choice((0, 1, 1)), draw.choice((3, 10, 40))
    world = (make or kind_of(seed))(seed, nodes, spare=spare, retained_ops=retained_ops)
    try:
        run.level_us, run.reads = _live(world, draw, clients)
    except Violation as found:
        run.violation = str(found)
    except Exception as crashed:
        run.violation = f"crashed: {type(crashed).__name__}: {crashed}"
    finally:
        world.close()
    run.trace = world.trace.hexdigest()
    run.ops = len(world.oracles.ops)
    run.notes = world.notes
    return run


def _live(world: World, draw: Random, kind: type[Clients]) -> tuple[int, int]:
    """All of one run. How long it took to be level after the heal, and how many reads it served."""
    until_us = draw.choice((5, 8, 12)) * SECOND
    world.snapshot_lag_ops = draw.choice((0, 0, 20))
    world.sums_us = draw.choice((0, 0, 0, 700 * MS))
    batch_ops = draw.choice((256, 256, 2))
    for node in world.nodes.values():
        node.batch_ops = batch_ops
    world.prepare()
    finale = draw.choice((*FINALES, *[None] * 10))
    clients = kind(
        world, draw.choice((2, 3, 5)), w_any=draw.random() < 0.3, pending=draw.choice((0, 0.5))
    )
    nemesis = Nemesis(world, Operators(world), clients, until_us)
    if clients.w_any:
        nemesis.losses_left = 0
    world.run(until_us)
    nemesis.end()
    level_us = settle(world, nemesis)
    # What is collected late must change nothing, and a decree under way may still pass.
    world.run(world.now_us + 4 * SECOND)
    settle(world, nemesis)
    if finale is not None:
        finale(world, lambda: settle(world, nemesis))
    world.oracles.verdict()
    world.check()
    return level_us, clients.reads


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


@dataclass
class Total:
    """What came of all seeds so far."""

    runs: int = 0
    ops: int = 0
    reads: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    levels_us: list[int] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def add(self, run: Run) -> None:
        self.runs += 1
        self.ops += run.ops
        self.reads += run.reads
        self.notes.update(run.notes)
        if run.violation:
            self.violations.append(f"seed {run.seed}: {run.violation}")
        else:
            self.levels_us.append(run.level_us)

    def page(self, seconds: float) -> str:
        """The total, to be read."""
        notes, levels = self.notes, sorted(self.levels_us) or [0]
        lines = [
            f"runs {self.runs}   ops {self.ops}   committed {notes['committed']}"
            f"   reads {self.reads}   {self.runs / seconds:.1f} runs/s",
            f"level after the heal: median {levels[len(levels) // 2] / 1e6:.1f} s,"
            f" p95 {levels[len(levels) * 95 // 100] / 1e6:.1f} s, last {levels[-1] / 1e6:.1f} s",
            f"messages per op {notes['messages'] / max(1, self.ops):.1f}",
            "rare paths:",
            *(f"  {name:36} {notes[name]:8}" for name in RARE),
            *(f"too seldom: {name}" for name in tame(notes, self.runs)),
            f"violations {len(self.violations)}",
            *(f"  {words}" for words in self.violations[:20]),
        ]
        return "\n".join(lines)


def go_on(resume: Path | None, first: int) -> tuple[int, list[str]]:
    """Where an interrupted campaign was: the next seed, and the violations found before."""
    if resume is None or not resume.exists():
        return first, []
    kept = json.loads(resume.read_text(encoding="utf-8"))
    print(f"going on from seed {kept['next']}")
    return max(first, kept["next"]), kept["violations"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", type=Path, help="remember here which seeds are done")
    asked = parser.parse_args()
    last = asked.first + asked.seeds
    first, before = go_on(asked.resume, asked.first)
    began = time.monotonic()
    total = Total(violations=before)
    with ProcessPoolExecutor(asked.jobs) as pool:
        for start in range(first, last, 400):
            seeds = list(range(start, min(last, start + 400)))
            parts = [seeds[i : i + 20] for i in range(0, len(seeds), 20)]
            for part in pool.map(several, parts):
                for run in part:
                    total.add(run)
            if asked.resume is not None:
                asked.resume.parent.mkdir(exist_ok=True)
                kept = {"next": seeds[-1] + 1, "violations": total.violations}
                asked.resume.write_text(json.dumps(kept), encoding="utf-8")
            if asked.seeds > 400:
                print(f"seed {seeds[-1]}: {len(total.violations)} violations", flush=True)
    print(total.page(time.monotonic() - began))
    return 1 if total.violations or tame(total.notes, total.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
