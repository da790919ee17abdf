"""What was known of a record at some moment: all that had been written by then, folded again.

"By then" goes by the clocks of those who wrote, as the log bears it for ever, so every replica
gives the same answer, and also one that heard of it all much later. What was erased is gone from
the past too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_sync.merge import apply, state_of
from aimem_sync.op import Kind, Op, Origin
from aimem_sync.state import RecordState

NEVER_TOLD: Final = (0, 0)
"""Of a record that no op speaks of: there is none unless damaged."""
_NO_ONE: Final = Origin("0" * 32, "0" * 16)
"""Stands for whoever wrote an op where it does not matter."""
NEVER_CLOCK: Final = (1 << 63) - 1

RECALL_REGISTERS: Final = frozenset({"accessed_at", "expires_at"})
"""What every recall moves. It lengthens a life and changes nothing that a memory says, so an op
that writes only these, and counts, is no change: else every memory that is of use would be one
that has changed since."""

_TOLD: Final = (
    "SELECT seq, lamport, wall_us, epoch, kind, op.record_id, author, request_key,"
    " body, body_sha256, prev_chain, chain, sig, withheld FROM json_each(?) j"
    " CROSS JOIN op ON op.record_id = j.value"
)
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


@dataclass(frozen=True, slots=True)
class Then:
    """What was known of some records at a moment."""

    states: Mapping[str, RecordState]
    lost: frozenset[str]
    "Records of which the log does not hold any more all that had been said. They have no state."


def known_then(ops: Iterable[Op]) -> Then:
    """What these ops say of the records that they speak of."""
    states: dict[str, RecordState] = {}
    silent: set[str] = set()
    for op in ops:
        states[op.record_id] = apply(states.get(op.record_id), op)
        if op.body is None and op.kind == Kind.EDIT:
            silent.add(op.record_id)
    lost = frozenset([record_id for record_id in silent if not states[record_id].purged])
    return Then({name: state for name, state in states.items() if name not in lost}, lost)


def states_then(ops: Iterable[Op]) -> dict[str, RecordState]:
    """The states of the records that these ops speak of.

    Raises Failure INVALID_ARGUMENT at $.as_of if the log does not hold any more what one said.
    """
    then = known_then(ops)
    for record_id in sorted(then.lost):
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"this node does not hold what was said of {record_id} by then",
            path="$.as_of",
            next="Ask for a later moment, or ask a member that keeps the whole log.",
        )
    return dict(then.states)


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


def is_change(said: RecordState) -> bool:
    """Whether what one op says of a record is more than that it was recalled."""
    if said.tags or said.untagged or not RECALL_REGISTERS.issuperset(said.heads):
        return True
    return any(register not in RECALL_REGISTERS for register, _ in said.overwritten)


def told_by(ops: Iterable[Op]) -> tuple[int, int]:
    """The earliest of some ops and the latest that is a change, by their writers' clocks.

    An op without a body adds nothing to what is shown, so it is no change until its body comes.
    """
    observed_us, changed_us = NEVER_CLOCK, 0
    for op in ops:
        observed_us = min(observed_us, op.wall_us)
        if op.wall_us > changed_us and is_change(state_of(op)):
            changed_us = op.wall_us
    return observed_us, changed_us


def changes_of(
    connection: apsw.Connection, record_ids: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """The same of records, from all that the log holds of them. What was given up for its age may
    have been a change, and counts as one."""
    told: dict[str, tuple[int, int]] = {}
    rows: Any = connection.execute(_TOLD, (json.dumps(list(record_ids)),))
    for *parts, withheld in rows:
        op = Op(_NO_ONE, *parts)
        observed_us, changed_us = told_by((op,))
        if op.body is None and op.kind == Kind.EDIT and not withheld:
            changed_us = op.wall_us
        before = told.get(op.record_id, (observed_us, changed_us))
        told[op.record_id] = (min(before[0], observed_us), max(before[1], changed_us))
    return told
