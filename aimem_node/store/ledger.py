"""The few numbers that every op moves: where each log ends, and what the records add up to.

Every op would change the same rows again, so here they change in memory and are written once, at
the end of a group. Until then the file lags behind, inside a transaction that nobody else sees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import apsw

from aimem_node.store.meta import META_LAMPORT
from aimem_sync.digest import BUCKETS, NOTHING, SUM_BYTES, Digest
from aimem_sync.dot import Origin
from aimem_sync.log import Head

_MODULUS: Final = 1 << (8 * SUM_BYTES)


@dataclass(slots=True)
class Numbers:
    """What is known, and which part of it the file does not have yet."""

    lamport: int
    pos: int
    "Of the last op."
    rid: int
    "Of the last record."
    oids: dict[Origin, int]
    heads: dict[Origin, Head]
    moved: set[Origin] = field(default_factory=set)
    sums: dict[int, int] = field(default_factory=dict)
    "Of the buckets looked at so far."
    changed: set[int] = field(default_factory=set)
    lamport_moved: bool = False

    def copy(self) -> Numbers:
        return Numbers(
            self.lamport, self.pos, self.rid, dict(self.oids), dict(self.heads), set(self.moved),
            dict(self.sums), set(self.changed), self.lamport_moved,
        )  # fmt: skip


class Ledger:
    """The numbers of one connection. Read from the file when they are first asked for."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._numbers: Numbers | None = None

    @property
    def now(self) -> Numbers:
        """The numbers as of this moment. Change them through the methods below, or `admit` them
        with `oid`, `moved` and `lamport_moved` set as they are."""
        if self._numbers is None:
            self._numbers = self._read()
        return self._numbers

    def oid(self, origin: Origin) -> int:
        """The row of an origin, made if there is none."""
        oids = self.now.oids
        oid = oids.get(origin)
        if oid is None:
            oid = oids[origin] = int(
                self._connection.execute(
                    "INSERT INTO origin(node_id, incarnation, have, head) VALUES(?, ?, 0, x'')"
                    " RETURNING oid",
                    (origin.node_id, origin.incarnation),
                ).get
            )
        return oid

    def count(self, bucket: int, old: bytes, new: bytes) -> None:
        """Put the hash of a record in the place of its former one."""
        numbers = self.now
        total = numbers.sums.get(bucket)
        if total is None:
            row = self._connection.execute("SELECT sum FROM bucket WHERE b = ?", (bucket,)).get
            total = int.from_bytes(row or NOTHING)
        numbers.sums[bucket] = (total - int.from_bytes(old) + int.from_bytes(new)) % _MODULUS
        numbers.changed.add(bucket)

    def digest(self) -> Digest:
        """The sums of all buckets, with what the file does not have yet."""
        sums = [NOTHING] * BUCKETS
        for bucket, total in self._connection.execute("SELECT b, sum FROM bucket"):
            sums[bucket] = total
        for bucket in self.now.changed:
            sums[bucket] = self.now.sums[bucket].to_bytes(SUM_BYTES)
        return Digest(tuple(sums))

    def write(self) -> None:
        """Bring the file up to date."""
        numbers = self._numbers
        if numbers is None:
            return
        if numbers.moved:
            ends = [(origin, numbers.heads[origin]) for origin in numbers.moved]
            self._connection.executemany(
                "UPDATE origin SET have = ?, head = ? WHERE oid = ?",
                [(head.seq, head.chain, numbers.oids[origin]) for origin, head in ends],
            )
            numbers.moved.clear()
        if numbers.lamport_moved:
            self._connection.execute(
                "INSERT OR REPLACE INTO meta(k, v) VALUES(?, ?)",
                (META_LAMPORT, str(numbers.lamport).encode()),
            )
            numbers.lamport_moved = False
        if numbers.changed:
            sums = numbers.sums
            self._connection.executemany(
                "INSERT OR REPLACE INTO bucket(b, sum) VALUES(?, ?)",
                [(b, sums[b].to_bytes(SUM_BYTES)) for b in sorted(numbers.changed)],
            )
            numbers.changed.clear()

    def mark(self) -> Numbers | None:
        """This moment, to come back to."""
        return None if self._numbers is None else self._numbers.copy()

    def back_to(self, mark: Numbers | None) -> None:
        """Forget what came after. The mark is used up."""
        self._numbers = mark

    def forget(self) -> None:
        """Read everything from the file again: others have changed it."""
        self._numbers = None

    def _read(self) -> Numbers:
        oids: dict[Origin, int] = {}
        heads: dict[Origin, Head] = {}
        rows = self._connection.execute("SELECT oid, node_id, incarnation, have, head FROM origin")
        for oid, node_id, incarnation, have, head in rows:
            origin = Origin.parse(f"{node_id}.{incarnation}")
            oids[origin] = oid
            if have:
                heads[origin] = Head(have, head)
        (found,) = self._connection.execute(
            "SELECT (SELECT v FROM meta WHERE k = ?), (SELECT max(pos) FROM op),"
            " (SELECT max(rid) FROM record)",
            (META_LAMPORT,),
        ).fetchall()
        lamport, pos, rid = map(int, (part or 0 for part in found))
        return Numbers(lamport, pos, rid, oids, heads)
