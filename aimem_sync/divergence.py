"""Whether two members that have the same ops also have the same state.

They must: a state is a function of the ops. If they do not, one of the two disks or programs is
wrong, and no protocol will heal it: it is told to people, with the place where to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest


class Likeness(Enum):
    """How two states compare."""

    EQUAL = "equal"
    "Equal ops, equal states."
    UNKNOWN = "unknown"
    "One has ops that the other lacks, or nobody knows a sum: nothing can be said yet."
    DIVERGED = "diverged"
    "Equal ops and different states."


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing."""

    likeness: Likeness
    buckets: tuple[int, ...] = ()
    "Where they differ, in order, if they have diverged."


def compare_roots(have: Cursor, root: bytes, their_have: Cursor, their_root: bytes) -> Likeness:
    """The same by two roots alone, as a beat carries them."""
    if not (root and their_root) or have != their_have:
        return Likeness.UNKNOWN
    return Likeness.EQUAL if root == their_root else Likeness.DIVERGED


def compare(have: Cursor, digest: Digest, their_have: Cursor, theirs: Digest) -> Comparison:
    """Compare two states, each with the cursor it was summed at in one transaction."""
    likeness = compare_roots(have, digest.root(), their_have, theirs.root())
    if likeness is not Likeness.DIVERGED:
        return Comparison(likeness)
    return Comparison(likeness, tuple(digest.differing(theirs)))
