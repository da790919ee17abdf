"""Who may do what only one should do: expire what is past its time.

Two janitors at once do no harm, since what they write overwrites only what they have seen. One
whose clock is wrong would: it would expire what still has days to live. So a node that cannot
compare its clock with anybody's does nothing, unless it is a cluster by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aimem_sync.members import Config

OFFSET_US_MAX: Final = 5_000_000
"""How far the janitor's clock may be from the median of the others. Machines that keep time at
all stay within a tenth of this."""


def is_janitor(me: str, config: Config, near: Mapping[str, int | None]) -> bool:
    """Whether this node is the one. `near` is every member in reach with its clock's offset."""
    if me not in config.voters or any(n < me for n in config.voters if n in near):
        return False
    if config.everyone == {me}:
        return True
    offsets = sorted(offset for offset in near.values() if offset is not None)
    # Of an even number both middle ones must be near: one wild clock out of two says nothing.
    middle = offsets[(len(offsets) - 1) // 2 : len(offsets) // 2 + 1]
    return bool(middle) and all(abs(offset) <= OFFSET_US_MAX for offset in middle)
