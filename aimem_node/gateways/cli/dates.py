"""A date alone, typed where a moment is asked for: the day as it is where it was typed.

Only the command line knows whose day is meant. Everywhere else a time names its offset.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TO_THE_END = ("until", "as_of")
"""Fields that mean a day as a whole: what was stored until it, and known on it."""


def meaning(field: dict[str, Any]) -> str:
    """What help says of a date alone."""
    part = "end" if field["name"] in TO_THE_END else "start"
    return f"A date alone is the {part} of that day, local time."


def moment(field: dict[str, Any], text: str) -> str:
    """The moment a date means, in UTC; any other text as it is, and no day of the calendar too."""
    day = _day(text)
    if day is None:
        return text
    if field["name"] not in TO_THE_END:
        began = _start(*day)
        return text if began is None else _shown(began) + "Z"
    year, month, number = day
    if _start(year, month, number) is None:
        return text
    next_days = (year, month, number + 1), (year, month + 1, 1), (year + 1, 1, 1)
    ends = next((at for at in (_start(*one) for one in next_days) if at is not None), None)
    return text if ends is None else _shown(ends - 1) + ".999999Z"


def _day(text: str) -> tuple[int, int, int] | None:
    parts = text.split("-")
    sizes = [len(part) for part in parts]
    if sizes != [4, 2, 2] or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    year, month, day = map(int, parts)
    return year, month, day


def _start(year: int, month: int, day: int) -> int | None:
    """When a day begins, in seconds since the epoch; None if there is no such day."""
    for hour in (0, 1):  # where clocks go forward at midnight, a day begins at one
        try:
            began = int(time.mktime((year, month, day, hour, 0, 0, 0, 0, -1)))
        except (OverflowError, ValueError):
            return None
        if time.localtime(began)[:3] == (year, month, day):
            return began
    return None


def _shown(seconds: int) -> str:
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
