"""The dates that a question speaks of, and how well a moment fits them.

"In May", "on 5 June 2023", "2022-01-14": a year, a month and a day, as far as they are given. What
a memory says was said on some day, and people ask for it by that day; nothing of it stands in the
text. "yesterday" and the like are the caller's to work out: only it knows what day it means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            # English, German, French, Spanish, Italian, Portuguese.
            "january jan januar janvier enero gennaio janeiro",
            "february feb februar février febrero febbraio fevereiro",
            "march mar märz mars marzo março",
            "april apr avril abril aprile",
            "may mai mayo maggio maio",
            "june jun juni juin junio giugno junho",
            "july jul juli juillet julio luglio julho",
            "august aug août agosto",
            "september sep sept septembre septiembre settembre setembro",
            "october oct oktober octobre octubre ottobre outubro",
            "november nov novembre noviembre novembro",
            "december dec dezember décembre diciembre dicembre dezembro",
        ),
        1,
    )
    for name in names.split()
}
_ALSO_WORDS: Final = frozenset({"may", "mar", "march", "mars", "sept", "jan", "mai"})
"""Months that are other words as well: meant only beside a number or after a preposition."""
_BEFORE_MONTH: Final = re.compile(
    r"(?:\b(?:in|of|on|during|since|until|till|by|before|after|early|late|mid|last|next|this"
    r"|im|seit|bis|vor|nach|en|de|di|em|a)|\d(?:st|nd|rd|th)?\.?,?)[\s-]*$"
)
_AFTER_MONTH: Final = re.compile(r"^[\s,.-]*(?:de\s+)?\d")
_WORD: Final = re.compile(r"[^\W\d_]+")
_ISO: Final = re.compile(r"\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b")
_YEAR: Final = re.compile(r"\b((?:19|20)\d\d)\b")
_DAY: Final = re.compile(r"(?<![\d:.-])\b(\d{1,2})(?:st|nd|rd|th|\.)?(?![\d:-])\b")
_NEAR_CHARS: Final = 12
_WEIGHTS: Final = (1.0, 1.5, 1.0)
"""Of the year, the month and the day."""


@dataclass(frozen=True, slots=True)
class AskedDates:
    """What a question says of when; all empty if it says nothing."""

    years: frozenset[int]
    months: frozenset[int]
    days: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.years or self.months)

    def fit(self, at_us: int) -> float:
        """How much of what was asked for this moment (UTC) has: 0 to 1."""
        try:
            moment = datetime.fromtimestamp(at_us / 1_000_000, UTC)
        except (OverflowError, OSError, ValueError):
            return 0.0
        parts = (
            (self.years, moment.year),
            (self.months, moment.month),
            # A day belongs to its month: the fifth of another month is another day.
            (self.days, moment.day if moment.month in self.months else 0),
        )
        asked = sum(weight for weight, (given, _) in zip(_WEIGHTS, parts, strict=True) if given)
        met = sum(
            weight for weight, (given, is_) in zip(_WEIGHTS, parts, strict=True) if is_ in given
        )
        return met / asked if asked else 0.0


def asked_dates(text: str) -> AskedDates:
    """The dates in a question; of several the union."""
    text = text.casefold()
    years = {int(year) for year in _YEAR.findall(text)}
    months: set[int] = set()
    days: set[int] = set()
    for year, month, day in _ISO.findall(text):
        years.add(int(year))
        months.add(int(month))
        days |= {int(day)} if day else set()
    for word in _WORD.finditer(text):
        month_number = _MONTHS.get(word.group())
        if month_number is None or not _is_month(text, word):
            continue
        months.add(month_number)
        near = text[max(0, word.start() - _NEAR_CHARS) : word.end() + _NEAR_CHARS]
        days |= {int(day) for day in _DAY.findall(near) if 1 <= int(day) <= 31}
    return AskedDates(
        frozenset(years), frozenset(month for month in months if 1 <= month <= 12), frozenset(days)
    )


def _is_month(text: str, word: re.Match[str]) -> bool:
    if word.group() not in _ALSO_WORDS:
        return True
    return bool(
        _BEFORE_MONTH.search(text[: word.start()]) or _AFTER_MONTH.match(text[word.end() :])
    )
