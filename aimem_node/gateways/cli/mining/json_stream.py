"""Read JSON of any size piece by piece: an array's elements, or one value after the other.

Exports are single arrays of gigabytes, so no more than one element is held at a time. A broken
element costs itself and not the rest: its end is found by counting brackets outside of strings
(in an array), or by the next line that begins with a brace (in a sequence of values).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

CHUNK_BYTES = 1 << 20
VALUE_CHARS_MAX = 64 << 20
"""One conversation. The largest seen in the wild are a fifth of it."""
SNIFF_CHARS = 1 << 16
"""How far from its beginning an object may name the list that it wraps."""

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[-+0-9.eE]*")
_OUTSIDE = re.compile(r'["{}\[\]]')
_INSIDE = re.compile(r'["\\]')
_SCALAR_END = re.compile(r"[,\]}\s]")
_NEXT_VALUE = re.compile(r"\n[ \t\r]*(?=\{)")
_DECODER = json.JSONDecoder()


class Readable(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Value:
    """One element, and where it stands: "index 7" or "line 7"."""

    where: str
    value: Any


@dataclass(frozen=True, slots=True)
class Broken:
    """An element that cannot be read."""

    where: str
    reason: str


class _Bad(Exception):  # noqa: N818 - it says what the value is
    """This value is broken; the reader stands behind it."""


class _Cut(Exception):  # noqa: N818 - it says what the text is
    """The text ends inside this value."""


class _Span:
    """Finds the end of a value without understanding it, in as many pieces as it comes."""

    def __init__(self) -> None:
        self._depth = 0
        self._kind = ""
        self._in_string = False
        self._skip = 0

    def end(self, text: str, at: int) -> int:
        """Where the value ends in this text, which goes on from the one before; -1 if later."""
        if not self._kind and at < len(text):
            self._kind = text[at] if text[at] in '{["' else "scalar"
            if self._kind == "scalar":
                at += 1  # whatever it is, it must not be found again
        if self._kind == "scalar":
            found = _SCALAR_END.search(text, at)
            return found.start() if found else -1
        at += self._skip
        self._skip = 0
        while True:
            found = (_INSIDE if self._in_string else _OUTSIDE).search(text, at)
            if found is None:
                self._skip = max(0, at - len(text))
                return -1
            at = found.end()
            char = found.group()
            if char == "\\":
                at += 1
            elif char == '"':
                self._in_string = not self._in_string
            else:
                self._depth += 1 if char in "{[" else -1
            if not self._in_string and self._depth <= 0:
                return at


class Reader:
    """The text of one file."""

    def __init__(
        self, file: Readable, chunk_bytes: int = CHUNK_BYTES, value_max: int = VALUE_CHARS_MAX
    ) -> None:
        self._file = file
        self._chunk_bytes = chunk_bytes
        self._value_max = value_max
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = ""
        self._at = 0
        self._ended = False
        self._line = 1
        "Of the first character of the text held."

    def values(self, *members: str) -> Iterator[Value | Broken]:
        """The elements of the array that the file is, or that one of these members of its object
        is, or else the values that stand in it one after the other, such as JSON lines."""
        first = self._peek()
        if first == "[":
            self._at += 1
            yield from self._array()
        elif first == "{" and members and self._wraps(members):
            self._at += 1
            yield from self._object(members)
        else:
            yield from self._sequence()

    def _wraps(self, members: tuple[str, ...]) -> bool:
        while len(self._text) - self._at < SNIFF_CHARS and self._more():
            pass
        names = "|".join(re.escape(name) for name in members)
        begin = self._text[self._at : self._at + SNIFF_CHARS]
        return re.search(rf'"(?:{names})"\s*:\s*\[', begin) is not None

    def _array(self) -> Iterator[Value | Broken]:
        index = 0
        while True:
            char = self._peek()
            if char == "]":
                self._at += 1
                return
            if char == ",":
                self._at += 1
                continue
            where = f"index {index}"
            if not char:
                yield Broken(where, "the file ends inside the list")
                return
            try:
                yield Value(where, self._value())
            except _Bad as bad:
                yield Broken(where, str(bad))
            except _Cut:
                yield Broken(where, "the file ends in the middle of it")
                return
            index += 1

    def _object(self, members: tuple[str, ...]) -> Iterator[Value | Broken]:
        while True:
            char = self._peek()
            if char == "}":
                return
            if char == ",":
                self._at += 1
                continue
            try:
                if not char:
                    raise _Cut
                name = self._value()
                if self._peek() != ":":
                    raise _Bad("a name without a value")
                self._at += 1
                begin = self._peek()
                if name in members and begin == "[":
                    self._at += 1
                    yield from self._array()
                else:
                    self._value()
            except _Bad as bad:
                yield Broken("the top level", str(bad))
            except _Cut:
                yield Broken("the top level", "the file ends in the middle of it")
                return

    def _sequence(self) -> Iterator[Value | Broken]:
        while self._peek():
            where = f"line {self._line_here()}"
            try:
                value, end = self._decoded_or_next()
            except _Bad as bad:
                yield Broken(where, str(bad))
                continue
            self._at = end
            yield Value(where, value)

    def _decoded_or_next(self) -> tuple[Any, int]:
        """A value and its end. Raises _Bad, standing before the value on a later line."""
        reason = ""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if self._ended or not self._is_open(value, end):
                    return value, end
            except (ValueError, RecursionError) as error:
                reason = _said(error)
            later = _NEXT_VALUE.search(self._text, self._at)
            if reason and later is not None:
                self._at = later.end()
                raise _Bad(reason)
            if len(self._text) - self._at > self._value_max:
                reason = f"it is larger than {self._value_max >> 20} MiB"
                self._at = len(self._text) - 1
                self._more()
            elif not self._more():
                reason = reason or "it is no JSON"
                self._at = len(self._text)
                raise _Bad(reason)

    def _value(self) -> Any:
        """The value that begins here. Raises _Bad behind it, and _Cut."""
        span, scanned = _Span(), 0
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if self._ended or not self._is_open(value, end):
                    self._at = end
                    return value
                reason = ""
            except (ValueError, RecursionError) as error:
                reason = _said(error)
            if reason:
                end = span.end(self._text, self._at + scanned)
                if end >= 0:
                    self._at = end
                    raise _Bad(reason)
                scanned = len(self._text) - self._at
                if scanned > self._value_max:
                    self._pass_by(span)
                    raise _Bad(f"it is larger than {self._value_max >> 20} MiB")
            if not self._more():
                self._at = len(self._text)
                raise _Cut

    def _pass_by(self, span: _Span) -> None:
        while True:
            self._at = len(self._text)
            if not self._more():
                raise _Cut
            end = span.end(self._text, self._at)
            if end >= 0:
                self._at = end
                return

    def _is_open(self, value: Any, end: int) -> bool:
        """Whether a number may go on where the text held ends."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        found = _NUMBER.match(self._text, end)
        return found is not None and found.end() == len(self._text)

    def _peek(self) -> str:
        """The next character that is no space; none at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _line_here(self) -> int:
        self._forget()
        return self._line

    def _forget(self) -> None:
        self._line += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :]
        self._at = 0

    def _more(self) -> bool:
        """Read on: as much as is held, so that what is tried again is twice as long."""
        if self._ended:
            return False
        self._forget()
        raw = self._file.read(max(self._chunk_bytes, len(self._text)))
        self._ended = not raw
        self._text += self._decoder.decode(raw, final=self._ended)
        return True


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON: {error.msg}"
    return "nested too deeply" if isinstance(error, RecursionError) else f"no JSON: {error}"
