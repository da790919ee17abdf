"""Break the node itself in every known way, and see that the campaign notices.

    make chaos-mutants                            # all of them, some minutes each
    make chaos-mutants ARGS="--only duplicate-ack"

Each build of chaos/seams/broken.py is put under the class of faults that is meant for it, with one
seed after the other, until a check fails that says something about the node. A run that could not
be made says nothing, and does not count. A build that survives its runs fails the command: the
class is too tame, or the checker is blind.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from chaos import needs
from chaos.checker import Check
from chaos.run import BROKEN as SURVIVED
from chaos.run import CANNOT, HOLDS, INTERRUPTED, Plan, make
from chaos.seams.broken import BROKEN, Broken

RUNS_MAX: Final = 4
HOLD_S: Final = 3.0
OF_THE_RUN: Final = ("the run", "every fault", "(j)")
"""Beginnings of checks that also fail where a run could not be made."""
STOPPED: Final = "it never came to this"
"""How a run ends in which the nodes never came to hold the same, or never served again."""


@dataclass(frozen=True, slots=True)
class Caught:
    """How one build fared."""

    broken: Broken
    seed: int
    "That caught it; 0 if none did."
    checks: tuple[str, ...]
    "The checks that failed then."
    seconds: float


def telling(checks: Iterable[Check]) -> tuple[str, ...]:
    """Of a run's checks those that failed and say something about the node."""
    failed = [check for check in checks if check.broken]
    stopped = [one for one in failed if any(said.startswith(STOPPED) for said in one.broken)]
    about = [one for one in failed if not one.name.startswith(OF_THE_RUN)]
    return tuple(one.name for one in (*about, *stopped))


def chase(broken: Broken, runs_max: int) -> Caught:
    """Run it until it is caught."""
    began = time.monotonic()
    for seed in range(1, runs_max + 1):
        plan = Plan(
            (broken.caught_by,) * broken.cycles, broken.size, seed, HOLD_S, broken=broken.name
        )
        _, checks = make(plan)
        if found := telling(checks):
            return Caught(broken, seed, found, time.monotonic() - began)
    return Caught(broken, 0, (), time.monotonic() - began)


def row(one: Caught) -> str:
    """One line of the table."""
    said = f"seed {one.seed}: {'; '.join(one.checks)}" if one.seed else "SURVIVED"
    return f"{one.broken.name:<22} {one.broken.caught_by:<18} {one.seconds:>5.0f} s  {said}"


def main(argv: list[str] | None = None) -> int:
    """0 if every build is caught, 1 if one survives, 2 if a class cannot be injected here."""
    parser = argparse.ArgumentParser("python -m chaos.mutants", description=main.__doc__)
    parser.add_argument("--only", action="append", choices=list(BROKEN), metavar="NAME")
    parser.add_argument("--runs", type=int, default=RUNS_MAX, help="before one has survived")
    asked = parser.parse_args(argv)
    wanted = [BROKEN[name] for name in asked.only or BROKEN]
    if needs.told_of_lacking({one.caught_by for one in wanted}):
        return CANNOT
    found = []
    try:
        for one in wanted:
            print(f"{one.name}: {one.what}", file=sys.stderr, flush=True)
            found.append(chase(one, asked.runs))
            print(row(found[-1]), flush=True)
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    alive = [one.broken.name for one in found if not one.seed]
    print(f"{len(found) - len(alive)} of {len(found)} caught"
          + (f"; alive: {', '.join(alive)}" if alive else ""))  # fmt: skip
    return SURVIVED if alive else HOLDS


if __name__ == "__main__":
    sys.exit(main())
