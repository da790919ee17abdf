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


def read_cursor(kind: str, text: str | None, numbers: int) -> tuple[int, ...] | None:
    """The keyset position of so many numbers, or None for the first page.

    Raises INVALID_ARGUMENT for anything that write_cursor did not make for this kind.
    """
    if not text:
        return None
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        parts = None
    fits = isinstance(parts, list) and parts[:1] == [kind] and len(parts) == 1 + numbers
    if not fits or not all(_is_key(part) for part in parts[1:]):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "this is not a cursor of this operation",
            path="$.cursor",
            next="Give next_cursor of the page before, unchanged.",
        )
    return tuple(parts[1:])


def _is_key(part: Any) -> bool:
    """Whether it is a number that SQLite can compare: a whole one of 64 bits."""
    return type(part) is int and -(1 << 63) <= part < 1 << 63
