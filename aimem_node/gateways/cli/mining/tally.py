"""What became of everything that was mined, for people and for programs (promise G8)."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any, TextIO

from aimem_node.gateways.cli import failures
from aimem_node.gateways.cli.mining.found import Unfit

SHOWN_MAX = 10
KEPT_MAX = 1_000
"""Broken places that are named in full; beyond that they are counted."""


class Tally:
    """Counts, and the names of what is missing."""

    def __init__(self, format_name: str, dry_run: bool) -> None:
        self.format = format_name
        self.dry_run = dry_run
        self.found = 0
        "Conversations and notes, whatever became of them."
        self.memories = 0
        "Memories they make."
        self.stored = 0
        self.updated = 0
        self.unchanged = 0
        self.archived = 0
        self.twins = 0
        self.skipped: Counter[str] = Counter()
        self.broken_count = 0
        self.broken: list[Unfit] = []
        self.refused: list[tuple[str, str, failures.CallFailure]] = []
        self.stopped: failures.CallFailure | None = None
        self.interrupted = False
        self.unaccounted = 0
        "Memories that were sent and of which the node said nothing."
        self.waiting_pages = 0
        self.waiting_updates = 0
        "Memories, new and changed, that go in only once somebody has approved it."
        self.pending: dict[str, Any] | None = None

    def leave_out(self, unfit: Unfit) -> None:
        """Count in what a reader could not use."""
        self.found += 1
        if not unfit.broken:
            self.skipped[unfit.reason] += 1
            return
        self.broken_count += 1
        if len(self.broken) < KEPT_MAX:
            self.broken.append(unfit)

    def refuse(self, where: str, title: str, failure: failures.CallFailure) -> None:
        """Count in what the node would not have. What was erased there is gone on purpose."""
        if failure.code == "CONFLICT" and "erased" in failure.message:
            self.skipped["erased from the node for good"] += 1
        else:
            self.refused.append((where, title, failure))

    @property
    def is_complete(self) -> bool:
        """Whether all that could be read and was wanted is there."""
        missing = self.broken_count or self.refused or self.waiting or self.unaccounted
        return not (missing or self.stopped or self.interrupted)

    @property
    def waiting(self) -> int:
        """Memories that wait for approval."""
        return self.waiting_pages + self.waiting_updates

    @property
    def exit_code(self) -> int:
        """Of the command: 0 only if it is complete and on enough nodes."""
        if self.stopped is not None:
            return self.stopped.exit_code or 1
        if self.interrupted:
            return 130
        if self.refused:
            return self.refused[0][2].exit_code or 1
        if self.broken_count or self.unaccounted:
            return failures.EXITS["CORRUPT"]
        return failures.PENDING_EXIT if self.pending is not None else 0

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "format": self.format,
            "dry_run": self.dry_run,
            "found": self.found,
            "memories": self.memories,
            "stored": self.stored,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "archived": self.archived,
            "duplicates": self.twins,
            "skipped": dict(self.skipped),
            "waiting": self.waiting,
            "broken": self.broken_count,
            "broken_at": [{"at": one.where, "reason": one.reason} for one in self.broken],
            "refused": [
                {"at": where, "name": title} | failure.to_json()
                for where, title, failure in self.refused
            ],
            "complete": self.is_complete,
        }

    def show(self, out: TextIO, as_json: bool) -> None:
        """Write the summary to `out`, and what is missing to stderr."""
        if as_json:
            out.write(json.dumps(self.to_json(), ensure_ascii=False) + "\n")
        else:
            out.write(self._sentence() + "\n")
        named = [] if self.stopped is not None and self.stopped.code == "CORRUPT" else self.broken
        for unfit in named[:SHOWN_MAX]:
            failures.note(f"cannot be read: {unfit.where}: {unfit.reason}")
        if self.broken_count > SHOWN_MAX:
            failures.note(f"cannot be read: {self.broken_count - SHOWN_MAX} more, see --json")
        for where, title, failure in self.refused[:SHOWN_MAX]:
            failures.note(f"refused: {where} ({title}): {failure.sentence()}")
        if len(self.refused) > SHOWN_MAX:
            failures.note(f"refused: {len(self.refused) - SHOWN_MAX} more, see --json")
        if self.stopped is not None:
            self.stopped.show(sys.stderr)
        if self.unaccounted:
            failures.note(f"the node did not say what became of {self.unaccounted} memories")
        if self.stopped is not None or self.interrupted:
            failures.note("stopped before the end. Run it again: it goes on from here")
        if self.pending is not None and self.exit_code == failures.PENDING_EXIT:
            failures.note(failures.pending(self.pending))

    def _sentence(self) -> str:
        would = "would be " if self.dry_run else ""
        noun = "memory" if self.stored == 1 else "memories"
        lines = [
            f"{self.found:,} read: {self.stored:,} {noun} {would}stored, "
            f"{self.updated:,} {would}updated, {self.unchanged:,} unchanged"
        ]
        if self.waiting:
            lines.append(f"{self.waiting:,} wait for approval and are not in yet")
        if self.archived:
            lines.append(f"{self.archived:,} are in the archive and stay there")
        if self.twins:
            lines.append(f"{self.twins:,} say the same as another")
        lines += [f"{times:,} left out: {reason}" for reason, times in self.skipped.most_common()]
        return "\n".join(lines)
