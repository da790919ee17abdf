"""One op: a stamped, chained, signed fact, and its bytes.

A body enters the chain only as a hash. So a body may be absent (purged by law, withheld for want
of a grant, truncated by age) and the log around it still verifies: `body is None` is an ordinary
op, and there is no way to tell from the chain why the body is not here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias

from aimem_sync.canon import Json, canonical_json
from aimem_sync.dot import ORIGINS_REMEMBERED, Dot, Origin
from aimem_sync.edit import Edit
from aimem_sync.faults import OpFault
from aimem_sync.limits import (
    BODY_BYTES_MAX,
    NUMBER_MAX,
    SIG_BYTES_MAX,
    TEXT_BYTES_MAX,
    WALL_US_MAX,
)

__all__ = [
    "BODY_BYTES_MAX",
    "CHAIN_START",
    "Dot",
    "Edit",
    "Json",
    "Kind",
    "Op",
    "OrderKey",
    "Origin",
    "Stamp",
    "canonical_json",
    "chain_hash",
    "decode_op",
    "encode_op",
    "header_bytes",
]

CHAIN_START: Final = bytes(32)
"""What the first op of a log follows."""

OrderKey: TypeAlias = tuple[int, str, str, int]
"""(lamport, node_id, incarnation, seq): the total order of versions. No ties are possible."""

HASH_BYTES: Final = 32
_FORM: Final = 1
"""First byte of every header. Another number is another layout, which this version cannot read."""
_FIXED = struct.Struct(">B16s8sQQQQ")
_TEXTS = 4
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")


class Kind:
    """Kinds this version applies. Any other word is legal: kept and relayed, not applied."""

    EDIT: Final = "edit"
    PURGE: Final = "purge"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the replica adds to a change to make it an op."""

    lamport: int
    "Orders conflicts. One above the highest number seen."
    wall_us: int
    "The writer's clock, microseconds since the epoch. Advisory: nothing is decided by it."
    epoch: int
    "The membership the writer believed in."


@dataclass(frozen=True, slots=True)
class Op:
    """One entry of one origin's log. Compare by value; the chain hash names its whole past."""

    origin: Origin
    seq: int
    "Place in the origin's log, from 1, without gaps."
    lamport: int
    wall_us: int
    epoch: int
    kind: str
    record_id: str
    author: str
    "The authenticated principal, such as user:ann."
    request_key: str
    "The caller's idempotency key; empty if none was given."
    body: bytes | None
    "None if withheld or erased."
    body_sha256: bytes
    prev_chain: bytes
    chain: bytes
    sig: bytes
    "The origin's signature of `chain`."

    @property
    def dot(self) -> Dot:
        return Dot(self.origin, self.seq)

    @property
    def order_key(self) -> OrderKey:
        return (self.lamport, self.origin.node_id, self.origin.incarnation, self.seq)

    @property
    def header(self) -> bytes:
        """`header_bytes` of this op."""
        return header_bytes(
            self.origin,
            self.seq,
            self.lamport,
            self.wall_us,
            self.epoch,
            self.kind,
            self.record_id,
            self.author,
            self.request_key,
        )


def header_bytes(
    origin: Origin,
    seq: int,
    lamport: int,
    wall_us: int,
    epoch: int,
    kind: str,
    record_id: str,
    author: str,
    request_key: str,
) -> bytes:
    """Everything of an op but its body and hashes; two different headers never share bytes.

    Raises OpFault if a field is out of bounds.
    """
    if not (
        1 <= seq <= NUMBER_MAX
        and 1 <= lamport <= NUMBER_MAX
        and 0 <= wall_us <= WALL_US_MAX
        and 0 <= epoch <= NUMBER_MAX
    ):
        raise OpFault(f"a number out of bounds: {seq=} {lamport=} {wall_us=} {epoch=}")
    node_id, incarnation = _origin_bytes(origin)
    parts = [_FIXED.pack(_FORM, node_id, incarnation, seq, lamport, wall_us, epoch)]
    for text in (kind, record_id, author, request_key):
        try:
            encoded = text.encode()
        except UnicodeEncodeError as cause:
            raise OpFault("text holds half of a surrogate pair") from cause
        if len(encoded) > TEXT_BYTES_MAX:
            raise OpFault(f"{len(encoded)} bytes of text; at most {TEXT_BYTES_MAX} fit a header")
        parts.append(_U16.pack(len(encoded)))
        parts.append(encoded)
    return b"".join(parts)


def chain_hash(prev_chain: bytes, header: bytes, body_sha256: bytes) -> bytes:
    """The hash of an op and of all before it. Both ends are of fixed length: no ambiguity."""
    return sha256(prev_chain + header + body_sha256).digest()


def encode_op(op: Op) -> bytes:
    """The op as it travels and is exported. Raises OpFault if a field is out of bounds.

    header, 1 if a body follows else 0, [length, body], body_sha256, prev_chain, chain,
    length, sig. Lengths are big-endian: 4 bytes for the body, 2 for the signature.
    """
    if not len(op.body_sha256) == len(op.prev_chain) == len(op.chain) == HASH_BYTES:
        raise OpFault(f"a hash is not {HASH_BYTES} bytes long")
    if len(op.sig) > SIG_BYTES_MAX:
        raise OpFault(f"a signature of {len(op.sig)} bytes")
    body: tuple[bytes, ...] = (b"\0",)
    if op.body is not None:
        if len(op.body) > BODY_BYTES_MAX:
            raise OpFault(f"a body of {len(op.body)} bytes; at most {BODY_BYTES_MAX} fit one op")
        body = (b"\1", _U32.pack(len(op.body)), op.body)
    hashes = (op.body_sha256, op.prev_chain, op.chain)
    return b"".join((op.header, *body, *hashes, _U16.pack(len(op.sig)), op.sig))


def decode_op(encoded: bytes) -> Op:
    """Read an op of any kind; `encode_op` gives the same bytes back.

    Checks form and bounds only: whether hashes and signature hold is the log's question.
    Raises OpFault.
    """
    try:
        return _decode(encoded)
    except (struct.error, UnicodeDecodeError) as cause:
        raise OpFault(f"not an op: {cause}") from cause


def _decode(encoded: bytes) -> Op:
    # A slice past the end comes out short without complaint; `at` then ends beyond the bytes,
    # and the one comparison below sees it.
    form, node_id, incarnation, seq, lamport, wall_us, epoch = _FIXED.unpack_from(encoded)
    if form != _FORM:
        raise OpFault(f"an op of form {form}; this version reads form {_FORM}")
    at = _FIXED.size
    texts = []
    for _ in range(_TEXTS):
        (length,) = _U16.unpack_from(encoded, at)
        texts.append(encoded[at + 2 : at + 2 + length].decode())
        at += 2 + length
    kind, record_id, author, request_key = texts
    header_end = at
    flag = encoded[at : at + 1]
    at += 1
    body: bytes | None = None
    if flag == b"\1":
        (length,) = _U32.unpack_from(encoded, at)
        body = encoded[at + 4 : at + 4 + length]
        at += 4 + length
    elif flag != b"\0":
        raise OpFault("not an op: the body is neither here nor absent")
    hashes_at, sig_at = at, at + 3 * HASH_BYTES
    (length,) = _U16.unpack_from(encoded, sig_at)
    sig = encoded[sig_at + 2 : sig_at + 2 + length]
    if sig_at + 2 + length != len(encoded):
        raise OpFault("not an op: cut short, or with something after it")
    op = Op(
        origin=_origin_of(node_id, incarnation),
        seq=seq,
        lamport=lamport,
        wall_us=wall_us,
        epoch=epoch,
        kind=kind,
        record_id=record_id,
        author=author,
        request_key=request_key,
        body=body,
        body_sha256=encoded[hashes_at : hashes_at + HASH_BYTES],
        prev_chain=encoded[hashes_at + HASH_BYTES : hashes_at + 2 * HASH_BYTES],
        chain=encoded[hashes_at + 2 * HASH_BYTES : sig_at],
        sig=sig,
    )
    _check_bounds(op, header_end)
    return op


def _check_bounds(op: Op, header_bytes_count: int) -> None:
    if len(op.header) != header_bytes_count:  # computing it also checks every field of it
        raise OpFault("not an op: the header has another spelling")
    if op.body is not None and len(op.body) > BODY_BYTES_MAX:
        raise OpFault(f"a body of {len(op.body)} bytes; at most {BODY_BYTES_MAX} fit one op")
    if len(op.sig) > SIG_BYTES_MAX:
        raise OpFault(f"a signature of {len(op.sig)} bytes")


@lru_cache(ORIGINS_REMEMBERED)
def _origin_bytes(origin: Origin) -> tuple[bytes, bytes]:
    return bytes.fromhex(origin.node_id), bytes.fromhex(origin.incarnation)


@lru_cache(ORIGINS_REMEMBERED)
def _origin_of(node_id: bytes, incarnation: bytes) -> Origin:
    return Origin.parse(f"{node_id.hex()}.{incarnation.hex()}")
