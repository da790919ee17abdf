"""What a view tells of the log: ops, where the logs end, and what travels beside ops."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from aimem_node.store.meta import META_LAMPORT
from aimem_node.store.rows import PlacedOp
from aimem_node.store.travelling import answers_of, encoded_ops
from aimem_node.store.view_base import ViewBase
from aimem_sync.cursor import Cursor
from aimem_sync.digest import BUCKETS, NOTHING, Digest
from aimem_sync.log import Head
from aimem_sync.op import Dot, Op, Origin

_OP_SELECT: Final = (
    "SELECT pos, oid, seq, lamport, wall_us, epoch, kind, record_id, author, request_key,"
    " body, body_sha256, prev_chain, chain, sig FROM op"
)


class LogView(ViewBase):
    """See the module."""

    def ops_of(self, record_id: str, before_pos: int | None, limit: int) -> list[PlacedOp]:
        """A record's ops, the last arrived first, before a position; None is from the end."""
        return self._ops(
            "WHERE record_id = ? AND pos < ? ORDER BY pos DESC LIMIT ?",
            record_id,
            (1 << 62) if before_pos is None else before_pos,
            limit,
        )

    def ops_after(self, pos: int, limit: int) -> list[PlacedOp]:
        """All ops in the order of arrival here, behind a position; 0 begins."""
        return self._ops("WHERE pos > ? ORDER BY pos LIMIT ?", pos, limit)

    def ops_of_origin(self, origin: Origin, after_seq: int, limit: int) -> list[PlacedOp]:
        """One origin's log behind a sequence; 0 begins."""
        return self._ops(
            "WHERE oid = (SELECT oid FROM origin WHERE node_id = ? AND incarnation = ?)"
            " AND seq > ? ORDER BY seq LIMIT ?",
            origin.node_id,
            origin.incarnation,
            after_seq,
            limit,
        )

    def encoded_ops(self, origin: Origin, first: int, last: int, bytes_max: int) -> list[bytes]:
        """Ops of one log as they travel, in order, as many as `bytes_max` holds; at least one.

        None at or below the floor, whose bodies are gone; and none from the first one on whose
        body was withheld from this node: others may be entitled to it, and get it elsewhere.
        """
        return encoded_ops(self._connection, origin, first, last, bytes_max)

    def answers_of(self, origin: Origin, first: int, last: int) -> list[bytes]:
        """The encoded answers that travel beside those ops, in their order."""
        return answers_of(self._connection, origin, first, last)

    def op_of_key(self, author: str, request_key: str) -> Dot | None:
        """The last op that a request key of this principal made; None if none is known."""
        found = self._connection.execute(
            "SELECT made_oid, made_seq FROM idem WHERE author = ? AND request_key = ?"
            " AND made_oid IS NOT NULL",
            (author, request_key),
        ).fetchone() or self._last_of_key(author, request_key)
        return None if found is None else Dot(self._origin(found[0]), found[1])

    def op(self, dot: Dot) -> Op | None:
        """The op of that name; None if it is not here."""
        placed = self.ops_of_origin(dot.origin, dot.seq - 1, 1)
        return placed[0].op if placed and placed[0].op.seq == dot.seq else None

    def last_pos(self) -> int:
        """The position of the last op; 0 if there is none."""
        return int(self._value("SELECT coalesce(max(pos), 0) FROM op"))

    def have(self) -> Cursor:
        """How far each log has been taken in."""
        rows = self._connection.execute("SELECT node_id, incarnation, have FROM origin")
        return Cursor({Origin(node_id, inc): have for node_id, inc, have in rows})

    def heads(self) -> dict[Origin, Head]:
        """Where each log ends here."""
        rows = self._connection.execute(
            "SELECT node_id, incarnation, have, head FROM origin WHERE have > 0"
        )
        return {Origin(node_id, inc): Head(have, head) for node_id, inc, have, head in rows}

    def written_before(self, wall_us: int) -> Cursor:
        """How far each log had come at a moment, by its writer's clock. Walks the whole log."""
        rows = self._connection.execute(
            "SELECT node_id, incarnation, max(seq) FROM op JOIN origin USING(oid)"
            " WHERE wall_us < ? GROUP BY oid",
            (wall_us,),
        )
        return Cursor({Origin(node_id, inc): seq for node_id, inc, seq in rows})

    def floor(self) -> Cursor:
        """Up to where bodies have been given up for their age. See truncation."""
        rows = self._connection.execute(
            "SELECT node_id, incarnation, floor FROM origin WHERE floor > 0"
        )
        return Cursor({Origin(node_id, inc): floor for node_id, inc, floor in rows})

    def withheld_after(self, pos: int, limit: int) -> list[tuple[int, Dot]]:
        """Ops that came without a body that others may have, by position."""
        rows = self._connection.execute(
            "SELECT pos, node_id, incarnation, seq FROM op JOIN origin USING(oid)"
            " WHERE withheld = 1 AND pos > ? ORDER BY pos LIMIT ?",
            (pos, limit),
        )
        return [(at, Dot(Origin(node, incarnation), seq)) for at, node, incarnation, seq in rows]

    def head(self, origin: Origin) -> Head:
        """Where that log ends here."""
        row = self._connection.execute(
            "SELECT have, head FROM origin WHERE node_id = ? AND incarnation = ?",
            (origin.node_id, origin.incarnation),
        ).fetchone()
        return Head() if row is None else Head(*row)

    def lamport(self) -> int:
        """The highest Lamport number seen; 0 before the first op."""
        value = self.meta(META_LAMPORT)
        return 0 if value is None else int(value)

    def digest(self) -> Digest:
        """The sums of all records, kept current by every write."""
        sums = [NOTHING] * BUCKETS
        for bucket, total in self._connection.execute("SELECT b, sum FROM bucket"):
            sums[bucket] = total
        return Digest(tuple(sums))

    def withheld_ops(self) -> int:
        """How many ops came without their bodies although nobody is known to have erased them."""
        return int(self._value("SELECT count(*) FROM op WHERE withheld = 1"))

    def withheld_from(self, record_ids: Sequence[str]) -> set[str]:
        """Of these records, those of which a body was withheld."""
        rows = self._connection.execute(
            "SELECT DISTINCT record_id FROM json_each(?) j"
            " CROSS JOIN op ON op.record_id = j.value AND op.withheld = 1",
            (json.dumps(list(record_ids)),),
        )
        return {str(record_id) for (record_id,) in rows}

    def meta(self, k: str) -> bytes | None:
        """A named value of this node; None if it was never put."""
        value = self._value("SELECT v FROM meta WHERE k = ?", k)
        return None if value is None else bytes(value)

    def _ops(self, rest: str, *values: Any) -> list[PlacedOp]:
        rows = self._connection.execute(f"{_OP_SELECT} {rest}", values)
        return [PlacedOp(pos, Op(self._origin(oid), *parts)) for pos, oid, *parts in rows]

    def _last_of_key(self, author: str, request_key: str) -> tuple[int, int] | None:
        if not request_key:
            return None
        row = self._connection.execute(
            "SELECT oid, seq FROM op WHERE author = ? AND request_key = ? AND request_key <> ''"
            " ORDER BY pos DESC LIMIT 1",
            (author, request_key),
        ).fetchone()
        return None if row is None else (row[0], row[1])
