"""Print the verdict on a run's directory.

Exit code: 0 everything holds, 1 something is broken, 2 the directory cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from chaos.checker import Unreadable, healing, judge, load, table


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m chaos.checker", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--json", action="store_true", help="for programs")
    asked = parser.parse_args(argv)
    try:
        seen = load(asked.directory)
    except Unreadable as error:
        print(f"{asked.directory}: {error}", file=sys.stderr)
        return 2
    checks = judge(seen)
    holds = all(check.holds for check in checks)
    if asked.json:
        told = {
            "holds": holds,
            "checks": [{**asdict(check), "holds": check.holds} for check in checks],
            "healing": [asdict(one) for one in healing(seen)],
        }
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        print(table(checks))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
