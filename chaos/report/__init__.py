"""Reports on runs, for somebody who was not there: of one run, and of a whole campaign.

    python -m chaos.report DIR      # judge a run again, and write its report

A report is a page in one file, and the same verdict as JSON beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chaos.checker import Check
from chaos.history import events, faults, lines
from chaos.report.campaign_page import WHOLE, campaign_markdown, campaign_page
from chaos.report.facts import FACTS, Facts, commit, hardware, same_code
from chaos.report.page import run_page
from chaos.report.result import RunResult
from chaos.report.summary import VERDICT, summary
from chaos.report.timeline import timeline

PAGE: Final = "report.html"

__all__ = [
    "WHOLE",
    "Facts",
    "RunResult",
    "campaign_markdown",
    "campaign_page",
    "commit",
    "hardware",
    "same_code",
    "write_report",
]


def write_report(directory: Path, facts: Facts, checks: Sequence[Check]) -> None:
    """Write report.html, verdict.json and facts.json beside a run's evidence. What it did not leave
    is said to be missing. Raises ValueError if a line of its history is damaged."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [path.name.split(".")[1] for path in directory.glob("state.*.jsonl")]
    line = timeline(list(events(directory)), list(faults(directory)), names)
    line = line.named(_names(directory))
    whole = json.dumps(summary(facts, checks, line), ensure_ascii=False, indent=1, default=str)
    (directory / PAGE).write_text(run_page(facts, checks, line), encoding="utf-8")
    (directory / VERDICT).write_text(whole + "\n", encoding="utf-8")
    (directory / FACTS).write_text(facts.as_json(), encoding="utf-8")


def _names(directory: Path) -> dict[str, str]:
    """What nodes are called, by the ids that ops carry."""
    heads = {path: next(lines(path), {}) for path in directory.glob("state.*.jsonl")}
    return {
        str(head["node_id"]): path.name.split(".")[1]
        for path, head in heads.items()
        if "node_id" in head
    }
