"""From ops that stand in the log to the records that they make.

A record is a function of the set of its ops, so all ops of a run about one record are folded
first and its rows written once. The order in which they came decides only which row number a new
record gets: the one it would have got had they been taken one by one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

import apsw

from aimem_node.store.fresh import fresh
from aimem_node.store.past import told_by
from aimem_node.store.rows import KeptRecord
from aimem_node.store.shelf import Renewal, Shelf
from aimem_sync.cursor import Cursor
from aimem_sync.digest import record_hash
from aimem_sync.display import Display, display
from aimem_sync.merge import apply, collect
from aimem_sync.op import Op
from aimem_sync.state import RecordState, encode_state


class OnPurged(Protocol):
    """Called for each record of a fold that is banned, after its ops were appended."""

    def __call__(self, record_id: str, *, was_shown: bool) -> None: ...


class Folding:
    """See the module. For the writer's thread."""

    def __init__(self, connection: apsw.Connection, shelf: Shelf, on_purged: OnPurged) -> None:
        self._connection = connection
        self._shelf = shelf
        self._on_purged = on_purged
        # Records whose first op of a fold said nothing, with the op that made their row.
        self._late: dict[str, Op] = {}

    def fold(
        self, ops: Sequence[Op], before_pos: int, settled: Cursor | None
    ) -> dict[str, Display]:
        """Bring the records of ops that were just appended up to date; what is shown of each.

        `before_pos`: the last position before them. A record of which nothing is known but that
        ops about it exist is left out.
        """
        by_record: dict[str, list[Op]] = {}
        for op in ops:
            told = by_record.get(op.record_id)
            if told is None:
                by_record[op.record_id] = [op]
            else:
                told.append(op)
        known = self._shelf.find_all(list(by_record))
        told_before = self._told_before([r for r in by_record if r not in known], before_pos)
        renewals: dict[str, Renewal] = {}
        for record_id, told in by_record.items():
            before = known.get(record_id)
            one = None
            if before is None and len(told) == 1 and record_id not in told_before:
                one = _begun(told[0])
            if one is None:
                is_whole = before is not None or record_id not in told_before
                one = self._joined(before, told, settled, is_whole=is_whole)
            if one is not None:
                renewals[record_id] = one
        self._shelf.put(self._by_birth(renewals, by_record, ops))
        return {record_id: one.shown for record_id, one in renewals.items()}

    def _by_birth(
        self, renewals: dict[str, Renewal], by_record: dict[str, list[Op]], ops: Sequence[Op]
    ) -> list[Renewal]:
        """In the order in which their rows would have been made one by one."""
        if not self._late:
            return list(renewals.values())
        at = {id(op): index for index, op in enumerate(ops)}
        first = {record_id: by_record[record_id][0] for record_id in renewals} | self._late
        self._late = {}
        return [
            renewals[record_id] for record_id in sorted(renewals, key=lambda r: at[id(first[r])])
        ]

    def _joined(
        self,
        before: KeptRecord | None,
        told: Sequence[Op],
        settled: Cursor | None,
        *,
        is_whole: bool,
    ) -> Renewal | None:
        """The long way: what is known of the record, joined with what the ops say.

        `is_whole`: no other op has spoken of it but those in `before`.
        """
        record_id = told[0].record_id
        state = before.state if before is not None else None
        is_there, was_shown = before is not None, False
        for op in told:
            held = is_there and state is not None and not state.purged
            state = apply(state, op)
            was_shown = was_shown or (held and state.purged)
            if not is_there and not is_nothing(state):
                is_there = True
                if op is not told[0]:
                    self._late[record_id] = op
        assert state is not None, "there is at least one op"
        if state.purged:
            self._on_purged(record_id, was_shown=was_shown)
        if settled is not None:
            state = self._collected(state, settled)
        if not is_there:
            return None
        born_lamport, born_id = self._born(before, told)
        return Renewal(
            before, born_lamport, born_id, state.type, record_hash(state), encode_state(state),
            display(state), state, told_by(told) if is_whole else None,
        )  # fmt: skip

    def _collected(self, state: RecordState, settled: Cursor) -> RecordState:
        """Without the names of what was overwritten before `settled`, unless they may matter."""
        collected = collect(state, settled)
        if collected is state:
            return state
        # A body that is still to come may speak of versions that were overwritten long ago.
        withheld = self._connection.execute(
            "SELECT 1 FROM op WHERE record_id = ? AND withheld = 1 LIMIT 1", (state.record_id,)
        ).get
        return state if withheld else collected

    def _told_before(self, record_ids: Sequence[str], before_pos: int) -> set[str]:
        """Of records that are not kept, those that earlier ops have spoken of nevertheless."""
        if len(record_ids) == 1:
            told = self._connection.execute(
                "SELECT 1 FROM op WHERE record_id = ? AND pos <= ? LIMIT 1",
                (record_ids[0], before_pos),
            ).get
            return set(record_ids) if told else set()
        if not record_ids:
            return set()
        rows = self._connection.execute(
            "SELECT DISTINCT j.value FROM json_each(?) j"
            " CROSS JOIN op ON op.record_id = j.value AND op.pos <= ?",
            (json.dumps(list(record_ids)), before_pos),
        )
        return {record_id for (record_id,) in rows}

    def _born(self, before: KeptRecord | None, told: Sequence[Op]) -> tuple[int, str]:
        """The first of the record's ops in the order of writes. A function of the ops alone."""
        if before is not None and all(before.born_lamport < op.lamport for op in told):
            return before.born_lamport, before.born_id
        return first_of(self._connection, told[0].record_id)


def first_of(connection: apsw.Connection, record_id: str) -> tuple[int, str]:
    """The Lamport number and the dot of the first op of a record, in the order of writes."""
    row = connection.execute(
        "SELECT lamport, node_id || '.' || incarnation || ':' || seq FROM op"
        " JOIN origin USING(oid) WHERE record_id = ?"
        " ORDER BY lamport, node_id, incarnation, seq LIMIT 1",
        (record_id,),
    ).fetchone()
    assert row is not None, "an op is appended before it is folded"
    lamport, name = row
    return int(lamport), str(name)


def _begun(op: Op) -> Renewal | None:
    """The short way: a record that this op begins."""
    made = fresh(op)
    if made is None:
        return None
    told = (op.wall_us, op.wall_us)
    return Renewal(
        None, op.lamport, str(op.dot), made.type, made.hash, made.encoded, made.shown, None, told
    )


def is_nothing(state: RecordState) -> bool:
    """Whether the state says nothing that a later op would have to know."""
    return state.is_blank and not (state.overwritten or state.untagged or state.type)
