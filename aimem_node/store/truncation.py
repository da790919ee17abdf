"""Give up the bodies of old ops: what the log weighs, without what the log proves.

An op keeps its header, its hashes and its signature, so the chain still verifies from its first op
to its last; only what the op said is gone, and stands from then on in the folded records alone.
Up to where this has gone is a log's floor. It stops before an op of a kind that this version does
not know: after an upgrade, that one is still to be folded.
"""

from __future__ import annotations

from typing import Final

import apsw

from aimem_sync.cursor import Cursor
from aimem_sync.op import Kind

OPS_MAX: Final = 5_000
"""Given up in one transaction, about 50 ms of work that writes have to wait for."""


def truncate(connection: apsw.Connection, upto: Cursor, before_us: int) -> None:
    """Move the floors towards `upto`, over ops written before `before_us`, OPS_MAX at most."""
    left = OPS_MAX
    for origin, wanted in upto:
        row = connection.execute(
            "SELECT oid, floor, have FROM origin WHERE node_id = ? AND incarnation = ?",
            (origin.node_id, origin.incarnation),
        ).fetchone()
        if row is None or left == 0:
            continue
        oid, floor, have = row
        last = min(wanted, have, floor + left)
        stops = connection.execute(
            "SELECT min(seq) FROM op WHERE oid = ? AND seq > ? AND seq <= ?"
            " AND (wall_us >= ? OR kind NOT IN (?, ?))",
            (oid, floor, last, before_us, Kind.EDIT, Kind.PURGE),
        ).get
        if stops is not None:
            last = stops - 1
        if last <= floor:
            continue
        connection.execute(
            "UPDATE op SET body = NULL WHERE oid = ? AND seq > ? AND seq <= ? AND kind <> ?",
            (oid, floor, last, Kind.PURGE),
        )
        connection.execute(
            "UPDATE origin SET floor = ?2,"
            " floor_head = (SELECT chain FROM op WHERE oid = ?1 AND seq = ?2) WHERE oid = ?1",
            (oid, last),
        )
        left -= last - floor
