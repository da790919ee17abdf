"""What lies on the plane's desk: who waits for what, and what happened so far."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aimem_sync.effects import Answer
from aimem_sync.events import WriteWanted, Wrote

T = TypeVar("T")


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


class Together(Generic[T]):
    """Hands on together what comes within one turn of the event loop, in the order it came in.

    The writes of one commit are reported one by one. Told so, the core would send the first on its
    own at once, and all others only when that one is answered.
    """

    def __init__(self, to: Callable[..., None]) -> None:
        """`to` is called with one argument for each, and never without any."""
        self._to = to
        self._loop = asyncio.get_running_loop()
        self._waiting: list[T] = []

    def add(self, one: T) -> None:
        """Hand this on, soon."""
        if not self._waiting:
            self._loop.call_soon(self.hand_on)
        self._waiting.append(one)

    def hand_on(self) -> None:
        """Hand on now what has come."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._to(*waiting)
