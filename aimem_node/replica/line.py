"""The one line that lets another machine join: where to go, whom to believe there, and a secret.

It is made to be pasted. Upper and lower case mean the same, spaces and line breaks that a
terminal or a chat put in are dropped, and a checksum tells a line that was damaged on the way
from one that is wrong. Whether it has expired is not for its reader to say: a joining machine's
clock may be off by years, and only the sponsor's counts.
"""

import base64
import binascii
import re
import struct
from dataclasses import dataclass, field
from typing import Final

from aimem_node.contract.errors import Code, Failure

VERSION: Final = 1
LINE_CHARS_MAX: Final = 8192
"""Of what is pasted. Our own are under 400; the rest is room for spaces and many addresses."""
INVITE_ID_BYTES: Final = 8
SECRET_BYTES: Final = 16
FINGERPRINT_BYTES: Final = 32
ADDRESSES_MAX: Final = 8
TEXT_BYTES_MAX: Final = 255
"""Of each text in it: its length is one byte."""

_WHOLE = re.compile(r"aim([0-9]{1,4})\.([a-z2-7]+)\.([0-9a-f]{8})")
_AGAIN = "Run `aimem-node invite` on a member of the cluster, and copy the whole line it prints."


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says."""

    cluster_id: str
    addresses: tuple[str, ...]
    "host:port of the sponsor's join listener, the likeliest first."
    fingerprint: str
    "SHA-256 of the certificate shown there, 64 hex digits."
    invite_id: str
    "16 hex digits."
    secret: bytes = field(repr=False)
    expires_us: int
    "By the sponsor's clock, microseconds since 1970, in whole seconds."
    name: str = ""
    "What the new machine is to be called; empty lets it choose."

    def __str__(self) -> str:
        """The line to print. Whoever has it can join once."""
        parts = [
            bytes([VERSION]),
            _text(self.cluster_id),
            bytes([len(self.addresses)]),
            *(_text(address) for address in self.addresses),
            _hex(self.fingerprint, FINGERPRINT_BYTES),
            _hex(self.invite_id, INVITE_ID_BYTES),
            self.secret,
            struct.pack(">Q", self.expires_us // 1_000_000),
            _text(self.name),
        ]
        assert len(self.secret) == SECRET_BYTES
        assert 1 <= len(self.addresses) <= ADDRESSES_MAX
        said = base64.b32encode(b"".join(parts)).decode("ascii").rstrip("=").lower()
        said = f"aim{VERSION}.{said}"
        return f"{said}.{_checksum(said)}"

    def is_over(self, now_us: int) -> bool:
        """Whether a clock says that it has expired. Only the sponsor's decides."""
        return now_us >= self.expires_us


def parse_line(pasted: str) -> Line:
    """Read a pasted line. Raises Failure INVALID_ARGUMENT that says what is wrong with it."""
    if len(pasted) > LINE_CHARS_MAX:
        raise _wrong(f"it is longer than {LINE_CHARS_MAX} characters")
    text = "".join(pasted.split()).lower()
    if not text:
        raise _wrong("it is empty")
    if not re.match(r"aim[0-9]{1,4}\.", text):
        raise _wrong(f"it begins with {text[:8]!r} and not with 'aim{VERSION}.'")
    if text.count(".") < 2:
        raise _wrong("its end is missing: it was cut short when it was copied")
    said, _, checksum = text.rpartition(".")
    found = _WHOLE.fullmatch(text)
    if found is None or _checksum(said) != checksum:
        raise _wrong("it was damaged when it was copied: its checksum does not fit")
    if int(found[1]) != VERSION:
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"the line is of version {found[1]}, and this aimem knows version {VERSION}",
            path="$.line",
            next="Bring this machine to the aimem of the cluster, then join again.",
        )
    try:
        packed = base64.b32decode(found[2].upper() + "=" * (-len(found[2]) % 8))
        return _unpacked(packed)
    except (binascii.Error, ValueError, struct.error, IndexError) as error:
        # The checksum fits, so it was not damaged: somebody made it up, or made it wrongly.
        raise _wrong(f"it makes no sense: {error}") from error


class _Reader:
    """Takes one part of the packed form after another."""

    def __init__(self, packed: bytes) -> None:
        self.rest = packed

    def take(self, size: int) -> bytes:
        if len(self.rest) < size:
            raise ValueError("it ends too early")
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def text(self) -> str:
        return self.take(self.take(1)[0]).decode("utf-8")


def _unpacked(packed: bytes) -> Line:
    reader = _Reader(packed)
    version = reader.take(1)[0]
    if version != VERSION:
        raise ValueError(f"two versions, {VERSION} and {version}")
    cluster_id = reader.text()
    count = reader.take(1)[0]
    if not 1 <= count <= ADDRESSES_MAX:
        raise ValueError(f"{count} addresses")
    addresses = tuple(reader.text() for _ in range(count))
    line = Line(
        cluster_id=cluster_id,
        addresses=addresses,
        fingerprint=reader.take(FINGERPRINT_BYTES).hex(),
        invite_id=reader.take(INVITE_ID_BYTES).hex(),
        secret=reader.take(SECRET_BYTES),
        expires_us=int(struct.unpack(">Q", reader.take(8))[0]) * 1_000_000,
        name=reader.text(),
    )
    if reader.rest:
        raise ValueError(f"{len(reader.rest)} bytes too many")
    if not cluster_id or not all(addresses):
        raise ValueError("the cluster or an address is empty")
    return line


def _text(text: str) -> bytes:
    packed = text.encode("utf-8")
    assert len(packed) <= TEXT_BYTES_MAX
    return bytes([len(packed)]) + packed


def _hex(text: str, size: int) -> bytes:
    packed = bytes.fromhex(text)
    assert len(packed) == size
    return packed


def _checksum(said: str) -> str:
    return f"{binascii.crc32(said.encode('ascii', 'replace')):08x}"


def _wrong(why: str) -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT,
        f"this is not a line that `aimem-node invite` printed: {why}",
        path="$.line",
        next=_AGAIN,
    )
