"""The number that orders conflicts, and only that.

It is never a catch-up cursor: two logs interleave in Lamport order in ways that a single
high-water mark skips. Sequences drive catch-up (see cursor).
"""

from __future__ import annotations

from aimem_sync.faults import LamportFault
from aimem_sync.limits import LAMPORT_JUMP_MAX, NUMBER_MAX


def next_lamport(seen: int) -> int:
    """The number of a new op, where `seen` is the highest ever seen or used here (0 if none)."""
    assert seen >= 0
    if seen >= NUMBER_MAX:
        raise LamportFault(f"the numbers are used up at {seen}")
    return seen + 1


def witness(seen: int, incoming: int) -> int:
    """The highest number seen once `incoming` is taken in. Raises LamportFault out of bounds."""
    assert seen >= 0
    if not 1 <= incoming <= NUMBER_MAX:
        raise LamportFault(f"{incoming} is not between 1 and {NUMBER_MAX}")
    if incoming - seen > LAMPORT_JUMP_MAX:
        raise LamportFault(f"{incoming} leaps more than {LAMPORT_JUMP_MAX} above {seen}")
    return max(seen, incoming)
