"""Where a page ended, as text that a caller hands back. Opaque to callers, checked on return."""

import base64
import binascii
import json
from typing import Any

from aimem_node.contract.errors import Code, Failure


def write_cursor(kind: str, after: tuple[Any, ...] | None) -> str:
    """Text for a keyset position; empty at the end."""
    if after is None:
        return ""
    text = json.dumps([kind, *after], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(kind: str, text: str | None) -> tuple[Any, ...] | None:
    """The keyset position, or None for the first page. Raises INVALID_ARGUMENT for foreign text."""
    if not text:
        return None
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        parts = None
    if not isinstance(parts, list) or not parts or parts[0] != kind:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "this is not a cursor of this operation",
            path="$.cursor",
            next="Give next_cursor of the page before, unchanged.",
        )
    return tuple(parts[1:])
