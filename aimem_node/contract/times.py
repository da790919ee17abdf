"""Times between RFC 3339 text and whole microseconds since 1970 in UTC.

Only RFC 3339 is read. Python's own reader also takes week dates and times without an offset,
and a time without an offset means another moment on every machine.
"""

import re
from datetime import UTC, datetime, timedelta

from aimem_node.contract.errors import Code, Failure

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all arithmetic here is in UTC by definition
_MICROSECOND = timedelta(microseconds=1)

TIME_US_MIN = (datetime.min - _EPOCH) // _MICROSECOND  # noqa: DTZ901
"""0001-01-01T00:00:00Z, the earliest that RFC 3339 and protobuf can both say."""
TIME_US_MAX = (datetime.max - _EPOCH) // _MICROSECOND  # noqa: DTZ901
"""9999-12-31T23:59:59.999999Z, the latest."""

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


def show_time(time_us: int) -> str:
    """As 2026-01-31T12:00:00Z, with three or six decimals when they are not all zero."""
    text = (_EPOCH + timedelta(microseconds=time_us)).isoformat()
    if text.endswith("000") and len(text) == 26:
        return text[:-3] + "Z"
    return text + "Z"


def read_time(text: str) -> int:
    """The moment that RFC 3339 text names. What is finer than a microsecond is cut off.

    Raises Failure INVALID_ARGUMENT with the path "$".
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise _not_a_time(text)
    *whole, decimals, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = map(int, whole)
    leap = second == 60
    try:
        at = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError:
        raise _not_a_time(text) from None
    if sign and (int(hours) > 23 or int(minutes) > 59):
        raise _not_a_time(text)
    offset_s = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1) if sign else 0
    time_us = (at.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    time_us += (leap - offset_s) * 1_000_000 + int((decimals or "0").ljust(6, "0")[:6])
    return check_time(time_us)


def check_time(time_us: int) -> int:
    """The same time. Raises Failure when no calendar of ours reaches it."""
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise Failure(Code.INVALID_ARGUMENT, "the time is not between the years 1 and 9999", "$")
    return time_us


def _not_a_time(text: str) -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT,
        f"{text[:40]!a} is not an RFC 3339 time",
        "$",
        next="Write it like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00.",
    )
