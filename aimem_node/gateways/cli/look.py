"""How a terminal wants things: colours, width, and a value in words.

Stored text may hold terminal escapes, so control characters are shown and never sent. Widths
are counted in terminal cells, of which a Chinese character takes two and an accent none.
"""

from __future__ import annotations

import json
import os
import shutil
import textwrap
import time
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

WIDTH_MAX = 100
WIDTH_MIN = 20
EMPTY: tuple[Any, ...] = ("", None, [], {})
_STYLES = {"bold": "1", "dim": "2", "tag": "36", "good": "32", "warn": "33"}


class Look:
    """How a terminal wants it: colours, width."""

    def __init__(self, colours: bool = False, width: int = 80) -> None:
        self.colours = colours
        self.width = width

    @classmethod
    def of(cls, out: TextIO) -> Look:
        """The look for a stream: colours only on a terminal, and not if NO_COLOR is set."""
        on_terminal = out.isatty()
        colours = (
            on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        width = min(shutil.get_terminal_size((WIDTH_MAX, 24)).columns, WIDTH_MAX)
        return cls(colours, width if on_terminal else WIDTH_MAX)

    def paint(self, style: str, text: str) -> str:
        """Text in a style, if there are colours."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colours and text else text


def plain(text: Any) -> str:
    """Text that a terminal shows and does not obey, in characters that can be encoded."""
    return "".join(
        char if char in "\n\t" or _is_shown(ord(char)) else "\ufffd" for char in str(text)
    )


def _is_shown(code: int) -> bool:
    """No control character, no half of a surrogate pair, nothing that turns the direction."""
    return not (
        code < 32
        or 127 <= code < 160
        or 0xD800 <= code <= 0xDFFF
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
    )


def cells(text: str) -> int:
    """How many cells of a terminal line a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def padded(text: str, width: int) -> str:
    """Text filled up to a width in cells."""
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> str:
    """Text on one line, cut to a width in cells with an ellipsis."""
    said = " ".join(text.split())
    if cells(said) <= width:
        return said
    kept, used = "", 1
    for char in said:
        used += cells(char)
        if used > width:
            break
        kept += char
    return kept.rstrip() + "…"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Text in lines of a width, each after the indent. Lines that fit stay as they are."""
    room = max(WIDTH_MIN, width - len(indent))
    lines: list[str] = []
    for part in text.expandtabs(4).splitlines():
        if cells(part) <= room:
            lines.append(part)
        elif part.isascii():
            lines += textwrap.wrap(part, room, break_long_words=False, break_on_hyphens=False)
        else:
            lines += _wrapped_wide(part, room)
    return [(indent + line).rstrip() for line in lines]


def _wrapped_wide(text: str, room: int) -> list[str]:
    """Like textwrap for text whose characters differ in width, and may come without spaces."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and cells(line) + 1 + cells(word) <= room:
            line += " " + word
            continue
        if line:
            lines.append(line)
        line = ""
        for char in word:
            # A long ASCII word is an address or a path and is left whole, to be copied.
            if cells(line) + cells(char) > room and not word.isascii():
                lines.append(line)
                line = ""
            line += char
    return [*lines, line] if line else lines


def short(value: Any, name: str = "") -> str:
    """A value on one line; its name tells a size or a duration from a number."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_bytes"):
        return size(value)
    if isinstance(value, int) and name.endswith("_secs"):
        return duration(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return moment(value) or plain(value)
    if isinstance(value, list):
        return ", ".join(short(part) for part in value)
    if isinstance(value, dict):
        if "outcome" in value:
            return outcome(value)
        if value.keys() == {"name", "candidates"}:
            return f"{plain(value['name'])} {value['candidates']}"
        if value.keys() == {"id", "title"}:
            return f"{plain(value['title'])} ({plain(value['id'])[:8]})"
        if name in ("metadata", "factors"):
            return plain(json.dumps(value, ensure_ascii=False))
        said = {key: part for key, part in value.items() if part not in EMPTY}
        return " ".join(f"{key}={short(part, key)}" for key, part in said.items())
    return plain(value)


def outcome(write: dict[str, Any]) -> str:
    """What became of a write, in words."""
    if not write.get("write_ids", True) and not write.get("replayed"):
        return "nothing had to change"
    replayed = ", already done before" if write.get("replayed") else ""
    return (
        f"{write['outcome']}, on {write.get('acks', 0)} of {write.get('needed', 0)} disks{replayed}"
    )


def moment(value: Any, seconds: bool = False) -> str:
    """2026-11-22T18:00:31.5Z as people here write it, in local time; "" for what is no time."""
    text = str(value or "")
    if not (len(text) >= 20 and text[4] == text[7] == "-" and text[10] == "T" and text[-1] == "Z"):
        return ""
    from calendar import timegm

    try:
        parsed = time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
        return clock(timegm(parsed) * 1_000_000, seconds)
    except (ValueError, OverflowError, OSError):
        return ""


def clock(at_us: int, seconds: bool = False) -> str:
    """A time in microseconds since the epoch, in local time."""
    form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    try:
        return time.strftime(form, time.localtime(at_us // 1_000_000))
    except (ValueError, OverflowError, OSError):
        return f"{at_us} µs"


def duration(seconds: int) -> str:
    """Seconds as "2 h 5 min"."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, secs = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (secs, "s")]
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2]) or "0 s"


def size(count: Any) -> str:
    """Bytes as "1.5 MB"."""
    left = float(count or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if left < 1000 or unit == "GB":
            return f"{left:.0f} {unit}" if unit == "B" else f"{left:.1f} {unit}"
        left /= 1000
    raise AssertionError("the last unit takes every size")
