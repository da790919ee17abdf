"""Recalls that are counted on this node and not yet in the log.

Two rooms need the words: operations add to the count and show it, a follower keeps and flushes
it. What a recall does to a memory is neither's business here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Touch:
    """How often a memory was recalled since the last flush, and when last."""

    times: int
    at_us: int


class Touches(Protocol):
    """The node's own count of recalls, not yet in the log."""

    def add(self, recalled: Mapping[str, int | None], now_us: int) -> None:
        """Count one recall of each record id; the values are when their lives end, if ever."""
        ...

    def of(self, record_id: str) -> Touch | None:
        """What is counted and not yet flushed."""
        ...
