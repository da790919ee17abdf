"""What every member has on disk: the only thing that may ever be forgotten.

Age says nothing about it. A member that is away holds all of this back until it returns or is
evicted, and so does one that came back under a new incarnation and has not been heard of since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aimem_sync.cursor import Cursor


def stable(members: Iterable[str], adverts: Mapping[str, Cursor]) -> Cursor:
    """What all members, voters and learners, have said to have. Nothing if one was silent.

    `adverts` are by node id and include this node's own. Each is bound to the present incarnation
    of its node.
    """
    lowest: Cursor | None = None
    for node_id in members:
        advert = adverts.get(node_id)
        if advert is None:
            return Cursor()
        lowest = advert if lowest is None else lowest.meet(advert)
    return lowest if lowest is not None else Cursor()


def collectable(members: Iterable[str], me: str, adverts: Mapping[str, Cursor]) -> Cursor:
    """Up to where the names of overwritten versions may be forgotten here.

    Besides being stable, nothing concurrent may still be on its way: this node has all that the
    adverts speak of. Empty otherwise.
    """
    those = list(members)
    mine = adverts.get(me, Cursor())
    if not all(mine.dominates(adverts[node]) for node in those if node in adverts):
        return Cursor()
    return stable(those, adverts)


def truncation(stable_now: Cursor, have: Cursor, retained_ops: int) -> Cursor:
    """Up to where bodies may be given up: stable, and not among the last `retained_ops`."""
    return Cursor(
        {
            origin: upto
            for origin, seq in stable_now
            if (upto := min(seq, have.get(origin) - retained_ops)) > 0
        }
    )
