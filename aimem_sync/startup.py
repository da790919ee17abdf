"""What a node that has just begun leaves alone: to write on in a log that may have gone further.

A disk that was put back whole to an older image cannot know it. Whoever held what came after can,
and says so in its first beat; but one write before that beat makes a second history of the log,
which no machine can mend. So the first writes wait until enough members have spoken that every
committed op of this log is held by one of them, and not for long: who is alone may go on alone.

The discovery phase of ZAB (Junqueira, Reed and Serafini 2011) asks the same question of a quorum
before a leader may propose anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from aimem_sync.events import WriteWanted
from aimem_sync.members import Config

GRACE_US: Final = 1_500_000
"""How long a node waits for others once it can hear them: three beats. Who is not in reach by then
is away, and nobody waits for those: it is also how long a write waits that says nothing of it."""


@dataclass(slots=True)
class Startup:
    """The writes that wait, and whom they wait for."""

    began_us: int | None = None
    "When others could first be heard, later by as long as this node was held up since."
    heard: set[str] = field(default_factory=set)
    "Members that have told how far they hold the own log, and agree with it."
    held: dict[int, WriteWanted] = field(default_factory=dict)
    "By request, in the order in which they came."
    is_over_for_good: bool = False

    def can_hear(self, now_us: int) -> None:
        """The way to others is open: from now on their silence counts."""
        if self.began_us is None:
            self.began_us = now_us

    def excuse(self, away_us: int) -> None:
        """This node was held up for so long, and could not have heard anybody."""
        if self.began_us is not None:
            self.began_us += away_us

    def is_over(self, now_us: int, config: Config, me: str) -> bool:
        """Whether the own log may be written to. Once it may, it may for good."""
        if not self.is_over_for_good:
            others = config.voters - {me}
            enough = min(len(others), len(config.voters) - config.majority + 1)
            late = self.began_us is not None and now_us >= self.began_us + GRACE_US
            self.is_over_for_good = late or len(others & self.heard) >= enough
        return self.is_over_for_good

    def too_late(self, now_us: int) -> list[WriteWanted]:
        """Take out the writes that nobody waits for any more."""
        gone = [wanted for wanted in self.held.values() if now_us >= wanted.deadline_us]
        for wanted in gone:
            del self.held[wanted.request]
        return gone

    def release(self) -> list[WriteWanted]:
        """Take out all of them."""
        released = list(self.held.values())
        self.held.clear()
        return released

    def wake_at_us(self) -> int | None:
        """When to look again at the latest; None if nothing waits."""
        if not self.held:
            return None
        first = min(wanted.deadline_us for wanted in self.held.values())
        return first if self.began_us is None else min(first, self.began_us + GRACE_US)
