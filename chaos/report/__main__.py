"""Judge a run again, and write its report: report.html and verdict.json in its directory.

What only the run itself could see (that every fault struck, that nobody was let in) is taken over
from the verdict that stands there; without one it is missing, and nothing is said of it.

Exit code: 0 everything holds, 1 something is broken, 2 the directory cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chaos.checker import LEFT_OUT, Check, Evidence, judge, load, table
from chaos.report import PAGE, Facts, plain, write_report
from chaos.report.facts import UNKNOWN, told
from chaos.report.summary import told_before


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m chaos.report", description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args(argv).directory
    try:
        seen = load(directory)
        checks = (*_of_the_run(told_before(directory)), *judge(seen))
        write_report(directory, told(directory) or _facts(directory, seen), checks)
    except (OSError, ValueError) as error:
        print(f"{directory}: {error}", file=sys.stderr)
        return 2
    print(table(checks))
    print(f"\n{directory / PAGE}")
    return 0 if plain.holds(checks) else 1


def _of_the_run(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Those that no judge makes: their names have no letter."""
    return tuple(one for one in checks if not one.name.startswith("(") and one.name != LEFT_OUT)


def _facts(directory: Path, seen: Evidence) -> Facts:
    """As far as the evidence tells."""
    struck = list(dict.fromkeys(one.fault for one in seen.faults))
    times = [one.t_ns for one in seen.events] + [one.t_ns for one in seen.faults]
    seconds = (max(times) - min(times)) / 1e9 if times else 0.0
    w = max((event.w or 0 for event in seen.events), default=0)
    return Facts(
        f"Chaos: {directory.resolve().name}", ", ".join(struck) or "none", -1, len(seen.states), w,
        UNKNOWN, UNKNOWN, UNKNOWN, seconds, f"python -m chaos.checker {directory.name}",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
