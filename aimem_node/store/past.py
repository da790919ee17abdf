"""What was known of a record at some moment: all that had been written by then, folded again.

"By then" goes by the clocks of those who wrote, as the log bears it for ever, so every replica
gives the same answer, and also one that heard of it all much later. What was erased is gone from
the past too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_sync.merge import apply
from aimem_sync.op import Kind, Op, Origin
from aimem_sync.state import RecordState

NEVER_TOLD: Final = (0, 0)
"""Of a record that no op speaks of: there is none unless damaged."""

_KNOWN: Final = (
    "SELECT oid, seq, lamport, wall_us, epoch, kind, op.record_id, author, request_key,"
    " body, body_sha256, prev_chain, chain, sig FROM json_each(?) j"
    " CROSS JOIN op ON op.record_id = j.value WHERE op.wall_us <= ? OR op.kind = ?"
)


def ops_by_record(
    connection: apsw.Connection,
    origin_of: Callable[[int], Origin],
    record_ids: Sequence[str],
    as_of_us: int,
) -> Iterator[Op]:
    """The ops of records that were written by a moment, and purges whenever they were."""
    rows: Any = connection.execute(_KNOWN, (json.dumps(list(record_ids)), as_of_us, Kind.PURGE))
    for oid, *parts in rows:
        yield Op(origin_of(oid), *parts)


def states_then(ops: Iterator[Op]) -> dict[str, RecordState]:
    """The states of the records that these ops speak of.

    Raises Failure INVALID_ARGUMENT at $.as_of if the log does not hold any more what one said.
    """
    states: dict[str, RecordState] = {}
    silent: set[str] = set()
    for op in ops:
        states[op.record_id] = apply(states.get(op.record_id), op)
        if op.body is None and op.kind == Kind.EDIT:
            silent.add(op.record_id)
    for record_id in silent:
        if not states[record_id].purged:
            raise Failure(
                Code.INVALID_ARGUMENT,
                f"this node does not hold what was said of {record_id} by then",
                path="$.as_of",
                next="Ask for a later moment, or ask a member that keeps the whole log.",
            )
    return states


def told_between(
    connection: apsw.Connection, record_ids: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """The earliest and the latest op of each record, by their writers' clocks."""
    if not record_ids:
        return {}
    rows = connection.execute(
        "SELECT op.record_id, min(op.wall_us), max(op.wall_us) FROM json_each(?) j"
        " CROSS JOIN op ON op.record_id = j.value GROUP BY op.record_id",
        (json.dumps(list(record_ids)),),
    )
    return {record_id: (first_us, last_us) for record_id, first_us, last_us in rows}
