"""Which pairs of nodes a fault lies between. In a pair the first sends and the other hears."""

from __future__ import annotations

from collections.abc import Sequence

Pairs = list[tuple[str, str]]


def every(names: Sequence[str]) -> Pairs:
    """All of them, both ways."""
    return [(one, other) for one in names for other in names if one != other]


def one_off(names: Sequence[str], alone: str) -> Pairs:
    """Between one node and all others."""
    return [pair for pair in every(names) if alone in pair]


def one_way(names: Sequence[str], alone: str, *, deaf: bool) -> Pairs:
    """Towards one node from all others, which it then does not hear; or, if it is not `deaf`, from
    it to them."""
    return [pair for pair in every(names) if pair[deaf] == alone]


def parted(groups: Sequence[Sequence[str]]) -> Pairs:
    """Between nodes of different groups."""
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    return [
        (one, other) for one, other in every(list(group_of)) if group_of[one] != group_of[other]
    ]


def ring(names: Sequence[str]) -> Pairs:
    """Between all but neighbours in this order. Of three nodes, where all would be neighbours, the
    first and the last are none: else nothing would be cut."""
    count = len(names)
    closed = count > 3
    near = {frozenset((names[at], names[(at + 1) % count])) for at in range(count - (not closed))}
    return [pair for pair in every(names) if frozenset(pair) not in near]
