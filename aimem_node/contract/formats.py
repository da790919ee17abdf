"""The shapes that text may have, one function each.

A function returns the text as it is to be kept: trimmed where the ends carry no meaning, with
Windows line ends made plain. Otherwise it raises Failure INVALID_ARGUMENT with the path "$".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.json_text import check_json

NAMESPACE_CHARS_MAX = 512
RESERVED_AGENTS = frozenset({"system", "loopback", "node", "user", "token", "cert"})
"""Agent ids may neither be one of these nor begin with one and a colon, in any capitals, unless it
is the caller's own proven name."""
NAMESPACE_SEGMENTS_MAX = 8
"""Deep enough for org/unit/team/project and as much again; policies walk up every one of them."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_AGENT_ID = re.compile(r"[A-Za-z0-9_\-:@./]+", re.ASCII)
_WORD = re.compile(r"[a-z0-9_]+", re.ASCII)


def clean(text: str) -> str:
    """No control characters except newline and tab."""
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    found = _CONTROL.search(text)
    if found is not None:
        code = ord(found.group())
        raise refused(f"holds the control character U+{code:04X} at position {found.start()}")
    return text


def text(text: str) -> str:
    """Clean and not blank."""
    kept = clean(text)
    if not kept or kept.isspace():
        raise refused("must not be blank")
    return kept


def title(text: str) -> str:
    """Clean, trimmed, not empty, on one line."""
    kept = tag(text)
    if "\n" in kept:
        raise refused("must be one line")
    return kept


def tag(text: str) -> str:
    """Clean, trimmed, not empty."""
    kept = clean(text).strip()
    if not kept:
        raise refused("must not be blank")
    return kept


def namespace(text: str) -> str:
    """One to eight segments joined by '/'."""
    kept = tag(text)
    if len(kept) > NAMESPACE_CHARS_MAX:
        raise refused(f"is longer than {NAMESPACE_CHARS_MAX} characters")
    if "\\" in kept:
        raise refused("must not hold a backslash; segments are joined by '/'")
    if any(character.isspace() for character in kept):
        raise refused("must not hold spaces")
    segments = kept.split("/")
    if len(segments) > NAMESPACE_SEGMENTS_MAX:
        raise refused(f"has more than {NAMESPACE_SEGMENTS_MAX} segments")
    if any(segment in ("", ".", "..", "*") for segment in segments):
        # A star stands for everything below where namespaces are asked for: to forget the one
        # that is called a/* would be to forget all of a.
        raise refused("must not hold an empty segment, '.', '..' or '*'")
    return kept


def check_place(text: str) -> str:
    """A namespace that a caller can stand in."""
    place = namespace(text)
    if place != text or place.startswith("_"):
        raise refused("must not begin with an underscore, or with or end in a space")
    return place


def agent_id(text: str) -> str:
    """ASCII letters, digits and _ - : @ . /"""
    if not _AGENT_ID.fullmatch(text):
        raise refused("must be made of ASCII letters, digits and _ - : @ . /")
    return text


def word(text: str) -> str:
    """Lower-case letters, digits and underscores."""
    if not _WORD.fullmatch(text):
        raise refused("must be made of lower-case letters, digits and underscores")
    return text


def json_object(value: Any) -> Any:
    """A JSON object, at most 32 levels deep."""
    if not isinstance(value, Mapping):
        raise refused("must be a JSON object")
    check_json(dict(value))
    return value


def refused(why: str) -> Failure:
    """The failure for a value; the caller puts the field's name in front and its path around."""
    return Failure(Code.INVALID_ARGUMENT, why, "$")


FORMATS: Mapping[str, Callable[[Any], Any]] = {
    "clean": clean,
    "title": title,
    "text": text,
    "namespace": namespace,
    "agent_id": agent_id,
    "id": tag,
    "tag": tag,
    "json_object": json_object,
    "word": word,
}
"""By the words of the enum Format in surface.proto; a test compares the two."""

_NO = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"
_CLEAN = rf"[^{_NO}]*$"
_FILLED = rf"^(?=[\s\S]*\S){_CLEAN}"
_SEGMENT = rf"(?!(?:\.\.?|\*)(?:/|$))[^\s/\\{_NO}]+"
PATTERNS: Mapping[str, str] = {
    "clean": f"^{_CLEAN}",
    "title": rf"^(?=.*\S)[^\n{_NO}]*$",
    "text": _FILLED,
    "namespace": rf"^{_SEGMENT}(?:/{_SEGMENT}){{0,{NAMESPACE_SEGMENTS_MAX - 1}}}$",
    "agent_id": r"^[A-Za-z0-9_\-:@./]+$",
    "id": _FILLED,
    "tag": _FILLED,
    "word": r"^[a-z0-9_]+$",
}
"""The same shapes as regular expressions of ECMA-262, for descriptions of the API. They know
nothing of trimming: what is taken although a pattern refuses it is white space at either end, and
a Windows line end."""
