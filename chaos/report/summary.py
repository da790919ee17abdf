"""The verdict for programs, and for a report that is made again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from chaos.checker import Check
from chaos.report import plain
from chaos.report.facts import Facts
from chaos.report.timeline import Timeline

VERDICT: Final = "verdict.json"


def summary(facts: Facts, checks: Sequence[Check], line: Timeline) -> dict[str, Any]:
    """Everything that the page says, but the picture."""
    return {
        "holds": plain.holds(checks),
        "facts": asdict(facts),
        "writes": {
            "acknowledged": line.acknowledged,
            "refused": line.refused,
            "unknown": line.unknown,
        },
        "checks": [{**asdict(check), "holds": check.holds} for check in checks],
        "faults": [
            {
                "number": one.number,
                "fault": one.fault,
                "nodes": one.nodes,
                "begin_s": one.begin_s,
                "end_s": one.end_s,
                "writes_again_after_s": one.writes_again_after_s,
                "level_after_s": one.level_after_s,
                "within": one.within or None,
                "detail": dict(one.detail),
            }
            for one in line.strikes
        ],
        "longest_open": [asdict(one) for one in line.longest],
    }


def told_before(directory: Path) -> tuple[Check, ...]:
    """The checks of a verdict that stands there already; none if there is none. ValueError if it
    is damaged."""
    path = directory / VERDICT
    if not path.exists():
        return ()
    try:
        given = json.loads(path.read_text(encoding="utf-8"))["checks"]
        return tuple(
            Check(str(one["name"]), int(one["tried"]), tuple(one["broken"]), str(one["note"]))
            for one in given
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{VERDICT}: {error!r}") from error
