"""Numbers, amounts, dates and versions as words: whether they are some, and whether two are equal.

30 seconds are half a minute, and 1 GB is said to be 1000 MB by some and 1024 by others: nobody
contradicts the other by that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aimem_node.operations.statements import stem

_NUMBER: Final = re.compile(r"[v#~]?[$€£]?(\d+(?:[.:/-]\d+)*)(st|nd|rd|th|[a-zµ]{1,3}|%)?")
_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?")
_ISO: Final = re.compile(r"\d{4}-\d{1,2}(-\d{1,2})?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_TIME: Final = re.compile(r"\d{1,2}:\d{2}(am|pm)?|\d{1,2}(am|pm)")
_YEAR: Final = re.compile(r"(19|20)\d\d")


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


_CALENDAR: Final = _stems(
    "january february march april june july august september october november december jan feb mar"
    " apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday"
    " noon midnight am pm q1 q2 q3 q4 spring summer autumn winter"
) | {"may"}
_SIZES: Final[dict[str, dict[str, float]]] = {
    "time": {
        "ms millisecond milliseconds": 0.001, "s sec secs second seconds": 1,
        "min mins minute minutes": 60, "h hr hrs hour hours": 3_600, "d day days": 86_400,
        "week weeks": 604_800, "month months": 2_629_800, "year years": 31_557_600,
    },
    "size": {"byte bytes b": 1, "kb kib": 1e3, "mb mib": 1e6, "gb gib": 1e9, "tb tib": 1e12},
    "length": {"mm": 0.001, "cm": 0.01, "m meter meters": 1, "km kilometers": 1_000},
    "mass": {"g gram grams": 1, "kg kilogram kilograms": 1_000},
    "share": {"% percent": 1},
    "dollars": {"$ usd dollar dollars": 1},
    "euros": {"€ eur euro euros": 1},
}  # fmt: skip
_UNITS: Final = {
    stem(word): (dimension, size)
    for dimension, sizes in _SIZES.items()
    for words, size in sizes.items()
    for word in words.split()
}
_APPROXIMATE: Final = _stems(
    "about around roughly approximately circa nearly almost least most more less up over under"
    " between to than fewer another additional extra first last next some per"
)
_CLOSE: Final = 1.05
"""Amounts in different units that differ by less are one: 1 GB is 1024 MB."""


def is_quantity(token: str) -> bool:
    """Whether a stem is a number, a date, a time or a version."""
    return bool(_NUMBER.fullmatch(token)) or token in _CALENDAR


def are_quantities(tokens: Sequence[str]) -> bool:
    """Whether a few words are an amount or a date, with units, and nothing else."""
    return any(map(is_quantity, tokens)) and all(
        is_quantity(token) or token in _UNITS or token in ("of", "at") for token in tokens
    )


def are_dates(tokens: Sequence[str]) -> bool:
    """Whether they say when."""
    return any(
        token in _CALENDAR or _ISO.fullmatch(token) or _TIME.fullmatch(token)
        or _YEAR.fullmatch(token)
        for token in tokens
    )  # fmt: skip


def are_equal(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two amounts are the same, said in other units or with other signs."""
    a, b = _amount(one), _amount(other)
    if a is not None and b is not None:
        if a[0] == b[0]:
            return a[1] == b[1] or (one[1:] != other[1:] and _is_close(a[1], b[1]))
        return not a[0] or not b[0]  # one lacks its unit: it may be any
    return sorted(map(_bare, one)) == sorted(map(_bare, other))


def is_approximate(tokens: Sequence[str]) -> bool:
    """Whether a number among these words is a bound or a guess, or one of several."""
    return not _APPROXIMATE.isdisjoint(tokens) and not _APPROXIMATE.isdisjoint(
        set(tokens) - {"to", "first", "last"}
    )


def _is_close(one: float, other: float) -> bool:
    low, high = sorted((one, other))
    return low > 0 and high / low < _CLOSE


def _amount(tokens: Sequence[str]) -> tuple[str, float] | None:
    """Dimension and size; None if it is no single number."""
    matches = [_NUMBER.fullmatch(token) for token in tokens]
    if matches[0] is None or any(matches[1:]) or not _PLAIN.fullmatch(matches[0][1]):
        return None
    signs = [sign for sign in tokens[0] if sign in "$€"]
    units = [*signs, *([matches[0][2]] if matches[0][2] else []), *tokens[1:]]
    known = [_UNITS[unit] for unit in units if unit in _UNITS]
    if len(known) != len(units) or len(known) > 1:
        return None
    dimension, size = known[0] if known else ("", 1.0)
    return dimension, float(matches[0][1]) * size


def _bare(token: str) -> str:
    return re.sub(r"(?<=\d)(st|nd|rd|th)$", "", token.lstrip("v#~"))
