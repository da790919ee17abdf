"""The first answer to a request, on its way to other nodes beside the last op of that request.

Whoever asks again, with the same key and at whatever node, gets this answer and makes no second
memory. It is no part of the log: it hangs from no chain, is given up with age and is erased with
the records that it speaks of, so every node takes it as a courtesy and never as a fact.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from aimem_sync.dot import Dot
from aimem_sync.faults import OpFault
from aimem_sync.limits import TEXT_BYTES_MAX, WALL_US_MAX

RESPONSE_BYTES_MAX: Final = 2 << 20
"""What an answer of this version may hold: a page of memories is as large at most."""
RECORDS_MAX: Final = 10_000
SHA_BYTES: Final = 32

_FORM: Final = 1
_U16 = struct.Struct(">H")
_FIXED = struct.Struct(">QII")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request, and what it hangs on."""

    dot: Dot
    "The last op that the request made."
    author: str
    request_key: str
    request_sha256: bytes
    "32 bytes, or none."
    response: bytes
    "As the store keeps it with the key."
    at_us: int
    record_ids: tuple[str, ...]
    "All records whose text the answer may hold."

    def encode(self) -> bytes:
        """As it travels: form, dot, author, key, hash, time, and the two long parts at the end."""
        texts = [str(self.dot), self.author, self.request_key]
        return b"".join(
            (
                bytes((_FORM,)),
                *map(_text, texts),
                _U16.pack(len(self.request_sha256)),
                self.request_sha256,
                _FIXED.pack(self.at_us, len(self.record_ids), len(self.response)),
                *map(_text, self.record_ids),
                self.response,
            )
        )

    @staticmethod
    def decode(encoded: bytes) -> Answer:
        """Read what `encode` wrote, and nothing else. Raises OpFault."""
        reader = _Reader(encoded)
        try:
            dot = Dot.parse(reader.text())
            author, request_key = reader.text(), reader.text()
            request_sha256 = reader.take(reader.u16())
            at_us, records, size = _FIXED.unpack(reader.take(_FIXED.size))
            sound = (
                len(request_sha256) in (0, SHA_BYTES)
                and request_key != ""
                and at_us <= WALL_US_MAX
                and records <= RECORDS_MAX
                and size <= RESPONSE_BYTES_MAX
            )
            if not sound:
                raise OpFault("not an answer: a part is out of bounds")
            record_ids = tuple([reader.text() for _ in range(records)])
            response = reader.take(size)
        except (struct.error, UnicodeDecodeError) as cause:
            raise OpFault(f"not an answer: {cause}") from cause
        reader.end()
        return Answer(dot, author, request_key, request_sha256, response, at_us, record_ids)


def dot_of(encoded: bytes) -> Dot:
    """Which op an encoded answer travels beside, without reading the rest. Raises OpFault."""
    try:
        return Dot.parse(_Reader(encoded).text())
    except (struct.error, UnicodeDecodeError) as cause:
        raise OpFault(f"not an answer: {cause}") from cause


class _Reader:
    """Takes one part after the other."""

    def __init__(self, encoded: bytes) -> None:
        if encoded[:1] != bytes((_FORM,)):
            raise OpFault("not an answer of a form that this version reads")
        self._encoded = encoded
        self._at = 1

    def take(self, size: int) -> bytes:
        part = self._encoded[self._at : self._at + size]
        if len(part) != size:
            raise OpFault("not an answer: cut short")
        self._at += size
        return part

    def u16(self) -> int:
        return int(_U16.unpack(self.take(2))[0])

    def text(self) -> str:
        size = self.u16()
        if size > TEXT_BYTES_MAX:
            raise OpFault(f"not an answer: {size} bytes of text")
        return self.take(size).decode()

    def end(self) -> None:
        if self._at != len(self._encoded):
            raise OpFault("not an answer: something stands after it")


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > TEXT_BYTES_MAX:
        raise OpFault(f"{len(encoded)} bytes of text; at most {TEXT_BYTES_MAX} fit")
    return _U16.pack(len(encoded)) + encoded
