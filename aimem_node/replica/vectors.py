"""Vectors on their way between members: beside the ops, never in them.

A vector can be made again by whoever has the text, so it is signed by nobody and no log speaks of
it. It means something to one model only, and is asked for under that model's fingerprint.
"""

from dataclasses import dataclass
from typing import Final

ASKED_MAX: Final = 256
"""Texts in one question: with 384 numbers each, 200 KB of answer."""
FINGERPRINT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class VectorText:
    """One text of which a vector is wanted."""

    record_id: str
    mark: int
    "Names the text of the memory as it is now, on every node; see store/sameness."


@dataclass(frozen=True, slots=True)
class VectorAsk:
    """What one member asks another."""

    fingerprint: str
    "Of the model; 32 hex digits."
    texts: tuple[VectorText, ...]
    "At most ASKED_MAX."


@dataclass(frozen=True, slots=True)
class GivenVector:
    """A vector that another member has made."""

    record_id: str
    mark: int
    body: bytes
    "Half-precision numbers, little-endian."


@dataclass(frozen=True, slots=True)
class VectorAnswer:
    """What it is answered."""

    same_model: bool
    "Whether the one asked uses this model at all."
    vectors: tuple[GivenVector, ...] = ()
    "Those that are there and that the asker may hold."


@dataclass(frozen=True, slots=True)
class Progress:
    """How far this node is with vectors, as its follower last saw it."""

    vectors: int = 0
    "Live memories that have one."
    backlog: int = 0
    "Live memories that have none."
    lag_s: float = 0.0
    "For how long the first of the texts without a vector has waited."
    failing: int = 0
    "Texts that could not be embedded so far, and are tried again."
    why: str = ""
    "Why the last of them failed, or why nothing can be embedded."
    adopted: int = 0
    "Vectors of other members, since the start."
    index: str = ""
    "ready, loading or rebuilding; empty while nobody has wanted it."
