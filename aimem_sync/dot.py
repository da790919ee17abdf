"""The names of things: who made a log, and which op of it is meant.

An origin is not a machine. It is a machine *in one incarnation*: a node restored from a backup
comes back under a new one, because continuing the old log from an old image would give two ops
one name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX

_NODE_ID = re.compile(r"[0-9a-f]{32}")
_INCARNATION = re.compile(r"[0-9a-f]{16}")
_SEQ = re.compile(r"[1-9][0-9]{0,15}")
ORIGINS_REMEMBERED = 4096
"""Parsed origins kept at hand. A team has tens; the same few appear in every row."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Who made a log: a node in one incarnation. Raises OpFault if either part is malformed."""

    node_id: str
    "32 lowercase hex digits: 16 random bytes, permanent."
    incarnation: str
    "16 lowercase hex digits: 8 random bytes, new at every restore."

    def __post_init__(self) -> None:
        if not (_NODE_ID.fullmatch(self.node_id) and _INCARNATION.fullmatch(self.incarnation)):
            raise OpFault(f"not an origin: {self.node_id[:40]!r}.{self.incarnation[:40]!r}")

    def __hash__(self) -> int:
        return hash(self.incarnation)  # 64 random bits, and a str remembers its hash

    def __str__(self) -> str:
        return f"{self.node_id}.{self.incarnation}"

    @staticmethod
    def parse(text: str) -> Origin:
        """Read "node_id.incarnation"; the same text gives the same object. Raises OpFault."""
        return _origin(text)


@lru_cache(ORIGINS_REMEMBERED)
def _origin(text: str) -> Origin:
    node_id, _, incarnation = text.partition(".")
    return Origin(node_id, incarnation)


@dataclass(frozen=True, slots=True, order=True)
class Dot:
    """The name of one op: the `seq`-th of its origin, counted from 1."""

    origin: Origin
    seq: int

    def __hash__(self) -> int:
        return hash((self.origin.incarnation, self.seq))

    def __str__(self) -> str:
        return f"{self.origin}:{self.seq}"

    @staticmethod
    def parse(text: str) -> Dot:
        """Read "node_id.incarnation:seq". Raises OpFault, also for a spelling we would not use."""
        origin, _, digits = text.rpartition(":")
        if not _SEQ.fullmatch(digits) or (seq := int(digits)) > NUMBER_MAX:
            raise OpFault(f"not a dot: {text[:80]!r}")
        return Dot(_origin(origin), seq)
