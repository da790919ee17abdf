"""The rows made from ops: records, the digest, memories with their tags, links.

Everything is written for many records at once, since a statement that is begun costs more than
the row it writes. What is known to be absent is not looked for, and the rows of a record that is
new are not compared with rows that cannot be there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from aimem_node.store.index import READ_OF, Index
from aimem_node.store.ledger import Ledger
from aimem_node.store.past import NEVER_TOLD, changes_of, told_between
from aimem_node.store.projection import LINK, MEMORY, link_of, may_name, memory_of, names_of
from aimem_node.store.rows import (
    LINK_COLUMNS,
    MARK_COLUMNS,
    MEMORY_COLUMNS,
    NAME_COLUMNS,
    TOLD_COLUMNS,
    KeptRecord,
    LinkRow,
    MemoryRow,
    NameRow,
    marks_of,
    memory_columns,
    tags_text,
)
from aimem_sync.digest import NOTHING, bucket_of
from aimem_sync.display import Display
from aimem_sync.state import RecordState, decode_state

STATES_REMEMBERED: Final = 512
"""Records whose state the writer keeps at hand: a write reads the state that it then folds into."""
ABSENT_REMEMBERED: Final = 4_096


@dataclass(frozen=True, slots=True)
class Renewal:
    """What becomes of one record."""

    before: KeptRecord | None
    born_lamport: int
    born_id: str
    type: str
    hash: bytes
    encoded: bytes
    shown: Display
    state: RecordState | None
    "None: not worth keeping at hand."
    told: tuple[int, int] | None
    "As past.told_by gives it for the ops that renew it; None: others spoke of it before a row did."


class Shelf:
    """The rows made from ops, for the writer's thread."""

    def __init__(self, connection: apsw.Connection, ledger: Ledger, index: Index) -> None:
        self._connection = connection
        self._ledger = ledger
        self._index = index
        self._kept: dict[str, KeptRecord] = {}
        self._absent: set[str] = set()

    def find(self, record_id: str) -> KeptRecord | None:
        """The record as it is kept; None if there is no row of it."""
        kept = self._kept.get(record_id)
        if kept is not None or record_id in self._absent:
            return kept
        row = self._connection.execute(f"{_SELECT} WHERE record_id = ?", (record_id,)).fetchone()
        return self._found(record_id, row)

    def find_all(self, record_ids: Sequence[str]) -> dict[str, KeptRecord]:
        """Those that are kept."""
        found: dict[str, KeptRecord] = {}
        wanted: list[str] = []
        for record_id in record_ids:
            kept = self._kept.get(record_id)
            if kept is not None:
                found[record_id] = kept
            elif record_id not in self._absent:
                wanted.append(record_id)
        if len(wanted) <= 1:
            for record_id in wanted:
                kept = self.find(record_id)
                if kept is not None:
                    found[record_id] = kept
            return found
        rows: list[tuple[Any, ...]] = self._connection.execute(
            f"{_SELECT} JOIN json_each(?) j ON j.value = record_id", (json.dumps(wanted),)
        ).fetchall()
        for row in rows:
            found[row[0]] = self._decoded(row)
        return found

    def put(self, renewals: Sequence[Renewal]) -> None:
        """Write the rows of these records, each of them once."""
        rids = self._put_records(renewals)
        self._put_memories(renewals, rids)
        self._put_links(renewals)
        self._put_names(renewals)

    def forget(self) -> None:
        """Read everything again: what was remembered may never have been kept."""
        self._kept.clear()
        self._absent.clear()

    # -- records ---------------------------------------------------------------------------

    def _put_records(self, renewals: Sequence[Renewal]) -> list[int]:
        numbers = self._ledger.now
        rids: list[int] = []
        new: list[tuple[Any, ...]] = []
        renewed: list[tuple[Any, ...]] = []
        for one in renewals:
            record_id, before = one.shown.record_id, one.before
            columns = (one.type, one.born_lamport, one.born_id, one.hash, one.encoded)
            if before is None:
                numbers.rid += 1
                rid = numbers.rid
                new.append((rid, record_id, *columns))
                self._absent.discard(record_id)
            else:
                rid = before.rid
                renewed.append((rid, *columns))
            rids.append(rid)
            old = NOTHING if before is None else before.hash
            if old != one.hash:
                self._ledger.count(bucket_of(record_id), old, one.hash)
            if one.state is not None:
                self._remember(KeptRecord(rid, one.state, one.hash, one.born_lamport, one.born_id))
        if new:
            self._connection.executemany(_PUT_RECORD, new)
        if renewed:
            self._connection.executemany(_RENEW_RECORD, renewed)
        return rids

    def _found(self, record_id: str, row: tuple[Any, ...] | None) -> KeptRecord | None:
        if row is None:
            if len(self._absent) >= ABSENT_REMEMBERED:
                self._absent.clear()
            self._absent.add(record_id)
            return None
        return self._remember(self._decoded(row))

    @staticmethod
    def _decoded(row: tuple[Any, ...]) -> KeptRecord:
        record_id, rid, encoded, *rest = row
        return KeptRecord(rid, decode_state(record_id, encoded), *rest)

    def _remember(self, kept: KeptRecord) -> KeptRecord:
        if len(self._kept) >= STATES_REMEMBERED:
            self._kept.clear()
        self._kept[kept.state.record_id] = kept
        return kept

    # -- memories --------------------------------------------------------------------------

    def _put_memories(self, renewals: Sequence[Renewal], rids: Sequence[int]) -> None:
        had = self._had([one.before.rid for one in renewals if _was(one, MEMORY) and one.before])
        new: list[tuple[Any, ...]] = []
        renewed: list[tuple[Any, ...]] = []
        gone: list[tuple[int]] = []
        tags: list[tuple[str, int]] = []
        untagged: list[tuple[int]] = []
        for one, rid in zip(renewals, rids, strict=True):
            row = memory_of(one.shown, rid, one.born_lamport, one.born_id)
            old = had.get(rid)
            if row is None and old is None:
                continue
            held = old[:_IS_LIVE] if old is not None and old[_IS_LIVE] else None
            self._index.touch(rid, held)
            was = old[_TAGS] if old is not None else "[]"
            if (tags_text(row.tags) if row is not None else "[]") != was:
                if old is not None:
                    untagged.append((rid,))
                if row is not None:
                    tags += [(tag, rid) for tag in row.tags]
            if row is None:
                gone.append((rid,))
            else:
                bindings = memory_bindings(row, self._told(one, old))
                (new if old is None else renewed).append(bindings)
        many = self._connection.executemany
        if untagged:
            many("DELETE FROM memory_tag WHERE rid = ?", untagged)
        if gone:
            many("DELETE FROM memory WHERE rid = ?", gone)
        if new:
            many(PUT_MEMORY, new)
        if renewed:
            many(_RENEW_MEMORY, renewed)
        if tags:
            many("INSERT INTO memory_tag(tag, rid) VALUES(?, ?)", tags)

    def _told(self, one: Renewal, old: tuple[Any, ...] | None) -> tuple[int, int]:
        """When a memory was first told of and when it last changed."""
        if one.told is not None:
            if old is not None:
                return min(old[-2], one.told[0]), max(old[-1], one.told[1])
            if one.before is None:
                return one.told
        record_id = one.shown.record_id
        return changes_of(self._connection, (record_id,)).get(record_id, NEVER_TOLD)

    def _had(self, rids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        """The texts of memories, whether they are live, and when they were told of."""
        if not rids:
            return {}
        if len(rids) == 1:
            rows = self._connection.execute(f"{_HAD} WHERE rid = ?", (rids[0],))
        else:
            rows = self._connection.execute(
                f"{_HAD} WHERE rid IN (SELECT value FROM json_each(?))",  # noqa: S608
                (json.dumps(rids),),
            )
        return {rid: tuple(text) for rid, *text in rows}

    # -- links -----------------------------------------------------------------------------

    def _put_links(self, renewals: Iterable[Renewal]) -> None:
        rows: list[tuple[Any, ...]] = []
        gone: list[tuple[str]] = []
        told = told_between(
            self._connection, [r.shown.record_id for r in renewals if r.shown.type == LINK]
        )
        for one in renewals:
            row = link_of(one.shown, one.born_lamport, told.get(one.shown.record_id, NEVER_TOLD))
            if row is not None:
                rows.append(link_columns(row))
            elif _was(one, LINK):
                gone.append((one.shown.record_id,))
        if gone:
            self._connection.executemany("DELETE FROM link WHERE record_id = ?", gone)
        if rows:
            self._connection.executemany(PUT_LINK, rows)

    # -- names -----------------------------------------------------------------------------

    def _put_names(self, renewals: Iterable[Renewal]) -> None:
        for one in renewals:
            had = one.before is not None and may_name(one.before.state.type, one.before.state.tags)
            if had:
                self._connection.execute(DROP_NAMES, (one.shown.record_id,))
            if may_name(one.shown.type, one.shown.tags):
                self._connection.executemany(PUT_NAME, name_columns(names_of(one.shown)))


def _was(one: Renewal, of_type: str) -> bool:
    return one.before is not None and one.before.state.type == of_type


def memory_bindings(row: MemoryRow, told: tuple[int, int]) -> tuple[Any, ...]:
    """The row as bindings of PUT_MEMORY; `told`: see past.told_by."""
    return (*memory_columns(row), *marks_of(row), *told)


def link_columns(row: LinkRow) -> tuple[Any, ...]:
    """The row as bindings of PUT_LINK."""
    return tuple([getattr(row, name) for name in LINK_COLUMNS])


def name_columns(rows: Iterable[NameRow]) -> list[tuple[Any, ...]]:
    """The rows as bindings of PUT_NAME."""
    return [tuple([getattr(row, name) for name in NAME_COLUMNS]) for row in rows]


def _numbered(columns: tuple[str, ...]) -> str:
    return ", ".join(f"?{at}" for at in range(1, len(columns) + 1))


_SELECT: Final = "SELECT record_id, rid, state, hash, born_lamport, born_id FROM record"
_PUT_RECORD: Final = (
    "INSERT INTO record(rid, record_id, type, born_lamport, born_id, hash, state)"
    " VALUES(?, ?, ?, ?, ?, ?, ?)"
)
_RENEW_RECORD: Final = (
    "UPDATE record SET type = ?2, born_lamport = ?3, born_id = ?4, hash = ?5, state = ?6"
    " WHERE rid = ?1"
)
_HAD: Final = (
    f"SELECT rid, {', '.join(READ_OF)}, life = 'live', observed_us, changed_us FROM memory"  # noqa: S608
)
_TAGS: Final = READ_OF.index("tags")
_IS_LIVE: Final = len(READ_OF)
_STORED: Final = (*MEMORY_COLUMNS, *MARK_COLUMNS, *TOLD_COLUMNS)
PUT_MEMORY: Final = f"INSERT INTO memory({', '.join(_STORED)}) VALUES({_numbered(_STORED)})"
_RENEW_MEMORY: Final = (
    f"UPDATE memory SET ({', '.join(_STORED[1:])})"  # noqa: S608  our own column names
    f" = ({_numbered(_STORED)[4:]}) WHERE rid = ?1"
)
PUT_LINK: Final = (
    f"INSERT OR REPLACE INTO link({', '.join(LINK_COLUMNS)}) VALUES({_numbered(LINK_COLUMNS)})"
)
DROP_NAMES: Final = "DELETE FROM entity_name WHERE record_id = ?"
PUT_NAME: Final = (
    f"INSERT OR REPLACE INTO entity_name({', '.join(NAME_COLUMNS)})"
    f" VALUES({_numbered(NAME_COLUMNS)})"
)
