"""A sum that two replicas compare instead of their records.

Records are hashed by what can be seen of them, and the hashes added up in 256 buckets. Addition
commutes, so a bucket is kept current by one subtraction and one addition per write. Bookkeeping of
what was overwritten stays out: replicas collect it at different times and are equal nevertheless.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from aimem_sync.canon import Json, canonical_json
from aimem_sync.faults import OpFault
from aimem_sync.state import RecordState

BUCKETS: Final = 256
SUM_BYTES: Final = 32
NOTHING: Final = bytes(SUM_BYTES)
"""The hash of a record of which there is nothing to see, and the sum of an empty bucket."""

_MODULUS: Final = 1 << (8 * SUM_BYTES)


def record_hash(state: RecordState | None) -> bytes:
    """32 bytes that stand for all that can be seen of a record, every head included.

    NOTHING for a record never heard of or blank: whether such a row is kept makes no difference.
    """
    if state is None or state.is_blank:
        return NOTHING
    heads: dict[str, Json] = {
        register: [[str(version.dot), version.value] for version in versions]
        for register, versions in state.heads.items()
    }
    tags: dict[str, Json] = {tag: sorted(map(str, adds)) for tag, adds in state.tags.items()}
    counters: dict[str, Json] = {
        name: {str(origin): total for origin, total in totals.items()}
        for name, totals in state.counters.items()
    }
    visible: list[Json] = [state.record_id, state.type, state.purged, heads, tags, counters]
    return sha256(canonical_json(visible)).digest()


def bucket_of(record_id: str) -> int:
    """Which bucket a record counts in: 0 to 255, evenly spread."""
    return sha256(record_id.encode()).digest()[0]


def sum_plus(total: bytes, record: bytes) -> bytes:
    """A bucket's sum with one record's hash added, modulo 2**256. 32 bytes, big-endian."""
    return _to_bytes((_to_int(total) + _to_int(record)) % _MODULUS)


def sum_minus(total: bytes, record: bytes) -> bytes:
    """A bucket's sum with one record's hash taken out again."""
    return _to_bytes((_to_int(total) - _to_int(record)) % _MODULUS)


@dataclass(frozen=True, slots=True)
class Digest:
    """The sums of all buckets. Adding and removing return a new digest."""

    sums: tuple[bytes, ...] = (NOTHING,) * BUCKETS

    def __post_init__(self) -> None:
        assert len(self.sums) == BUCKETS
        assert all(len(total) == SUM_BYTES for total in self.sums)

    def add(self, bucket: int, record: bytes) -> Digest:
        return self._with(bucket, sum_plus(self.sums[bucket], record))

    def remove(self, bucket: int, record: bytes) -> Digest:
        return self._with(bucket, sum_minus(self.sums[bucket], record))

    def root(self) -> bytes:
        """One hash of all sums: equal roots, equal records."""
        return sha256(b"".join(self.sums)).digest()

    def differing(self, other: Digest) -> list[int]:
        """The buckets whose records are not the same, in order."""
        pairs = enumerate(zip(self.sums, other.sums, strict=True))
        return [bucket for bucket, (mine, theirs) in pairs if mine != theirs]

    def encode(self) -> bytes:
        """All sums one after the other: 8 KiB."""
        return b"".join(self.sums)

    @staticmethod
    def decode(encoded: bytes) -> Digest:
        """Read what `encode` wrote. Raises OpFault."""
        if len(encoded) != BUCKETS * SUM_BYTES:
            raise OpFault(f"a digest is {BUCKETS * SUM_BYTES} bytes, not {len(encoded)}")
        starts = range(0, len(encoded), SUM_BYTES)
        return Digest(tuple([encoded[start : start + SUM_BYTES] for start in starts]))

    def _with(self, bucket: int, total: bytes) -> Digest:
        return Digest((*self.sums[:bucket], total, *self.sums[bucket + 1 :]))


def _to_int(number: bytes) -> int:
    return int.from_bytes(number)


def _to_bytes(number: int) -> bytes:
    return number.to_bytes(SUM_BYTES)
