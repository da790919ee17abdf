"""What lies on the plane's desk: who waits for what, and what happened so far."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aimem_sync.effects import Answer
from aimem_sync.events import WriteWanted, Wrote


@dataclass(slots=True)
class Asked:
    """A write that somebody waits for."""

    wanted: WriteWanted
    stamp: Callable[[int], None]
    "Begin the work: the core has said that it may."
    answer: asyncio.Future[Answer]
    begun: bool = False
    wrote: Wrote | None = None


@dataclass(slots=True)
class Download:
    """A snapshot on its way here."""

    pull_id: int
    done: int = 0
    total: int = 0
    installed: bool = False
    "It is in place, or was given up."


@dataclass(slots=True)
class Tallies:
    """What happened since the start, for metrics."""

    notes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    "Peers that were not let in or not believed, by reason."
