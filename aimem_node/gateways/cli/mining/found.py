"""What a format's reader finds in a source, and the few texts and times that all readers share.

A reader never raises for one bad conversation: it yields an `Unfit` that says where, and goes on.
Text from elsewhere holds control characters and halves of emoji that no memory may hold, so all
of it passes through `plain`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aimem_node.contract.errors import Failure
from aimem_node.contract.times import TIME_US_MAX, TIME_US_MIN, read_time

TITLE_BYTES_MAX = 100
"""A title is made from the first line when there is none; the rest of it is in the content."""
MILLISECONDS_FROM = 100_000_000_000
"""A number of seconds above this is one of milliseconds: as seconds it would be the year 5138."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"\s+")
_SECONDS = re.compile(r"-?\d{1,12}(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that somebody said."""

    role: str
    text: str
    at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation, or a note when it has no messages."""

    where: str
    "For people: the file, and the line or the index in it."
    key: str
    "Names it within its format, and stays the same when it grows."
    title: str
    messages: tuple[Message, ...] = ()
    text: str = ""
    "Of a note."
    session: str = ""
    "What it is part of; the key when empty."
    at_us: int | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    "Fields of the memory that the source states itself, as the contract's JSON has them."
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class Unfit:
    """Something that is left out."""

    where: str
    reason: str
    broken: bool = True
    "False for what is left out on purpose, and is no damage."


class Unreadable(Exception):  # noqa: N818 - it says what the file is
    """A file that cannot be read, or not to its end. Says why."""


def plain(text: str) -> str:
    """The same text without what a memory may not hold. Blank ends are cut off."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub("", text)
    if not text.isascii():
        # Half of a surrogate pair is left where a text was cut in the middle of an emoji.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.strip()


def one_line(text: str, bytes_max: int = TITLE_BYTES_MAX) -> str:
    """The first line that says something, shortened at a word where possible."""
    first = next((line for line in plain(text).split("\n") if line.strip()), "")
    first = _SPACES.sub(" ", first).strip()
    if len(first.encode()) <= bytes_max:
        return first
    kept = first.encode()[: bytes_max - 3].decode(errors="ignore")
    head, space, _ = kept.rpartition(" ")
    return (head if space and len(head) > len(kept) // 2 else kept).rstrip() + "…"


def moment(value: Any) -> int | None:
    """Microseconds since 1970 of a time as exports write it; None for what is none.

    Numbers are seconds or milliseconds. Text is RFC 3339, which without an offset means UTC here,
    or seconds.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _of_number(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        whole, _, decimals = text.partition(".")
        time_us = abs(int(whole)) * 1_000_000 + int(decimals[:6].ljust(6, "0"))
        return _within(-time_us if text.startswith("-") else time_us)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        text += "T00:00:00"
    for attempt in (text, text + "Z", text.removesuffix(" UTC") + "Z"):
        try:
            return read_time(attempt)
        except Failure:
            continue
    return None


def _of_number(value: int | float) -> int | None:
    if not -1e15 < value < 1e15:  # also not a number, and infinite
        return None
    seconds = value / 1000 if abs(value) > MILLISECONDS_FROM else value
    return _within(round(seconds * 1_000_000))


def _within(time_us: int) -> int | None:
    return time_us if TIME_US_MIN <= time_us <= TIME_US_MAX else None


def tags_of(*words: Any) -> tuple[str, ...]:
    """Words as tags: clean, short enough, each once."""
    kept: dict[str, None] = {}
    for word in words:
        if not isinstance(word, str | int | float) or isinstance(word, bool):
            continue
        tag = one_line(str(word), 128)
        if tag:
            kept[tag] = None
    return tuple(kept)


def facts_of(value: Any) -> dict[str, Any]:
    """Foreign metadata as it may be kept: clean texts, and nothing nested beyond reason."""
    cleaned = _cleaned(value, 0)
    return cleaned if isinstance(cleaned, dict) else {}


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return plain(value)
    if depth >= 8 and isinstance(value, dict | list):
        return plain(json.dumps(value, default=str))
    if isinstance(value, dict):
        kept = {plain(str(key)): _cleaned(part, depth + 1) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in (None, "")}
    if isinstance(value, list):
        return [_cleaned(part, depth + 1) for part in value]
    if isinstance(value, float) and not -1e308 < value < 1e308:
        return str(value)
    if isinstance(value, int | float) or value is None:
        return value
    return plain(str(value))


def text_of(value: Any) -> str:
    """The value if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing of anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
