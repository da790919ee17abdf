"""When a snapshot may take the place of what is here.

A snapshot looks like more knowledge, but it may also be less: its sender may lack ops that stand
only here. It is taken only if this node's own log can give back all that the snapshot lacks;
otherwise acknowledged writes would go with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Origin


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a snapshot."""

    tail: tuple[Range, ...]
    "Ops of the present log to be folded in again, on top of the snapshot."
    refused: tuple[Origin, ...]
    "Logs that would lose ops. If there are any, keep what is here and ask another member."


def plan(have: Cursor, floor: Cursor, snapshot_have: Cursor) -> Plan:
    """Whether a snapshot may be installed over `have`, whose bodies stand above `floor`."""
    tail = have.missing_from(snapshot_have)
    refused = tuple(r.origin for r in tail if floor.get(r.origin) >= r.first)
    return Plan(() if refused else tail, refused)


def is_useful(have: Cursor, snapshot_have: Cursor) -> bool:
    """Whether it brings anything at all: it may have been overtaken on its way."""
    return not have.dominates(snapshot_have)
