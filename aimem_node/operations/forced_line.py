"""The line that carries a forced list of members from one survivor to the next, by hand.

Nothing signs it: a majority that could have signed is what was lost. It is believed because the
operator of each survivor brings it there, and it is refused where it does not belong: it names the
cluster that it ends, and a damaged copy is told from a wrong one by its checksum.
"""

import base64
import binascii
import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from aimem_node.contract.errors import Code, Failure
from aimem_sync.faults import OpFault
from aimem_sync.members import Config, decode_config, encode_config

PACKED_BYTES_MAX: Final = 1 << 20
"""Of a list when it is unpacked: some hundred members with a long past. A line that grows beyond
that was made to."""
CLUSTER_ID_CHARS: Final = 32
WORDS: Final = b"aimem-forced\0"

_WHOLE = re.compile(r"aimf1\.([A-Za-z0-9_-]+)\.([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Forced:
    """What the line says."""

    ended: str
    "Id of the cluster that ends with it."
    config: Config


def new_cluster_id(old: Config, keep: frozenset[str]) -> str:
    """The id of the cluster that goes on, made from what ends and who stays.

    So two survivors whose operators keep the same nodes come to the same cluster even when both
    force it, and whoever keeps others comes to another one.
    """
    said = WORDS + encode_config(old) + b"\0" + "\n".join(sorted(keep)).encode()
    return sha256(said).hexdigest()[:CLUSTER_ID_CHARS]


def write_line(forced: Forced) -> str:
    """The line. It holds no secret."""
    packed = zlib.compress(forced.ended.encode() + b"\n" + encode_config(forced.config), 9)
    body = base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")
    return f"aimf1.{body}.{_checksum(body)}"


def read_line(text: str) -> Forced:
    """Read what write_line wrote, with spaces and line breaks that came in between.

    Raises INVALID_ARGUMENT.
    """
    whole = _WHOLE.fullmatch("".join(text.split()))
    if whole is None:
        raise _wrong("it should look like aimf1.….…")
    body, checksum = whole.groups()
    if _checksum(body) != checksum:
        raise _wrong("some of it is missing or was changed on the way")
    try:
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        opened = zlib.decompressobj()
        said = opened.decompress(packed, PACKED_BYTES_MAX)
        if not opened.eof:
            raise ValueError("it is too long, or ends too early")
        ended, _, encoded = said.partition(b"\n")
        return Forced(ended.decode("ascii"), decode_config(encoded))
    except (ValueError, zlib.error, OpFault) as error:
        raise _wrong(f"it makes no sense: {error}") from error


def _checksum(body: str) -> str:
    return f"{binascii.crc32(body.encode('ascii')):08x}"


def _wrong(why: str) -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT,
        f"this is not a line that `aimem-node force-epoch` printed: {why}",
        path="$.adopt",
        next="Copy the whole line that the first survivor printed.",
    )
