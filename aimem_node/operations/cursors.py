"""Where a page ended, as text that a caller hands back. Opaque to callers, checked on return."""

import base64
import json
from typing import Any

from aimem_node.contract.errors import Code, Failure


def write_cursor(kind: str, after: tuple[Any, ...] | None) -> str:
    """Text for a keyset position; empty at the end."""
    if after is None:
        return ""
    text = json.dumps([kind, *after], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(
    kind: str, text: str | None, numbers: int, texts: int = 0
) -> tuple[Any, ...] | None:
    """The keyset position of so many numbers and then so many texts; None for the first page.

    Raises INVALID_ARGUMENT for anything that write_cursor did not make for this kind.
    """
    if not text:
        return None
    parts = _parts(text)
    fits = isinstance(parts, list) and parts[:1] == [kind] and len(parts) == 1 + numbers + texts
    if not fits or not (
        all(_is_key(part) for part in parts[1 : 1 + numbers])
        and all(_is_text(part) for part in parts[1 + numbers :])
    ):
        raise _strange()
    return tuple(parts[1:])


def read_words_cursor(kind: str, text: str | None, words: int) -> tuple[str, ...] | None:
    """The same for a position of so many texts."""
    if not text:
        return None
    parts = _parts(text)
    fits = isinstance(parts, list) and parts[:1] == [kind] and len(parts) == 1 + words
    if not fits or not all(_is_word(part) for part in parts):
        raise _strange()
    return tuple(parts[1:])


def _is_word(part: Any) -> bool:
    """Whether it is text that SQLite can compare. JSON can spell halves of characters."""
    return isinstance(part, str) and not any("\ud800" <= each <= "\udfff" for each in part)


def _parts(text: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None


def _strange() -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT,
        "this is not a cursor of this operation",
        path="$.cursor",
        next="Give next_cursor of the page before, unchanged.",
    )


def _is_key(part: Any) -> bool:
    """Whether it is a number that SQLite can compare: a whole one of 64 bits."""
    return type(part) is int and -(1 << 63) <= part < 1 << 63


def _is_text(part: Any) -> bool:
    """Whether it is text that SQLite can compare: half a character is none."""
    return isinstance(part, str) and part.isprintable()
