"""What clients know to be there: each for itself, and all of them together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

T = TypeVar("T")
WAITING_MAX = 20
"""Requests that are kept in mind. On a lone node nobody may approve any of them."""


@dataclass(slots=True)
class Known:
    """A memory that a client stored, as it left it."""

    id: str
    word: str
    "Stands in its title and nowhere else."
    life: Literal["live", "archived", "deleted"] = "live"


@dataclass(frozen=True, slots=True)
class Stated:
    """A link that a client made and has not ended."""

    id: str
    source_id: str
    target_id: str
    relation: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for a vote."""

    id: str
    node: str
    "Where it was asked for: nobody there may approve it."
    token: str
    "Of who asked. Whoever hears it sees the request on any node."


@dataclass(slots=True)
class Board:
    """What all clients share. One event loop, so no lock."""

    root: str
    "The namespace that holds all of a run."
    shared: list[Known] = field(default_factory=list)
    waiting: deque[Waiting] = field(default_factory=lambda: deque(maxlen=WAITING_MAX))

    @property
    def votes(self) -> str:
        """The namespace in which nothing is stored without approval."""
        return f"{self.root}/votes"


@dataclass(slots=True)
class Own:
    """What one client has made."""

    label: str
    namespace: str
    known: list[Known] = field(default_factory=list)
    stated: list[Stated] = field(default_factory=list)
    asked: int = 0
    "Deeds so far; makes titles and request keys unlike any other."

    def those(self, life: str) -> list[Known]:
        """The memories that are live, archived or deleted."""
        return [one for one in self.known if one.life == life]


def pick(those: Sequence[T], at: float) -> T:
    """One of several, by a number in [0, 1)."""
    return those[int(at * len(those))]
