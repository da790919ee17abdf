"""Reads that wait until this node has what their session has already seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Origin
from aimem_sync.effects import Effect, RefuseRead, ServeRead
from aimem_sync.events import ReadWanted
from aimem_sync.tokens import Verdict

Judge: TypeAlias = Callable[[Cursor], tuple[Verdict, tuple[Range, ...]]]
"""tokens.judge, with what this node knows filled in."""


@dataclass(slots=True)
class Reads:
    """All reads that wait, in the order in which they came."""

    waiting: dict[int, ReadWanted] = field(default_factory=dict)

    def admit(self, wanted: ReadWanted) -> None:
        """Let a read wait; `settle` serves it at once if it need not."""
        self.waiting[wanted.read] = wanted

    def settle(self, now_us: int, judge: Judge) -> tuple[list[Effect], set[Origin]]:
        """Serve and refuse what can be now; also the logs that the others wait for."""
        done: list[Effect] = []
        wanted: set[Origin] = set()
        for read in list(self.waiting.values()):
            verdict, ranges = judge(read.after)
            if verdict is Verdict.SERVE:
                done.append(ServeRead(read.read))
            elif now_us >= read.deadline_us:
                # Also what seems lost waits so long: its last copy may be on a disk that is away.
                done.append(RefuseRead(read.read, ranges, lost=verdict is Verdict.LOST))
            else:
                wanted.update(gap.origin for gap in ranges)
                continue
            del self.waiting[read.read]
        return done, wanted

    def next_deadline_us(self) -> int | None:
        """When to look again at the latest."""
        return min((read.deadline_us for read in self.waiting.values()), default=None)
