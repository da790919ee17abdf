"""Which memories are asked for, in which order, from where on.

Pages are cut by key and never by offset, so a row that comes or goes between two pages makes no
other row appear twice or not at all. Every order ends in a unique key for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

import apsw

from aimem_node.store.rows import MEMORY_SELECT, MemoryRow, memory_row
from aimem_node.store.sight import MESSAGES, Sight, below_sql, lies_below

Key: TypeAlias = tuple[int | str, ...]
"""Where a page ended: the sort key of its last row. Integers and text, ready for a cursor."""

PAGE_BYTES_MAX: Final = 2 << 20
"""A page ends early once its memories hold so much: it must fit the 4 MiB that gRPC clients take,
and neither a thousand memories of 64 KiB nor five hundred of them may stand in memory at once."""
COMMON_TAG: Final = 1_000
"""Rows that make a tag a common one. Sorting the rows of a rarer one takes about 2 ms."""
LIVES: Final = ("live", "archived", "deleted")


class Order(Enum):
    """In which order memories are listed."""

    IMPORTANCE = "importance"
    "Highest priority first, then the last changed."
    CREATED = "created"
    "The first stored first; the same wherever the same memories are, however they came there."
    ARCHIVED = "archived"
    "The last archived first."
    LOG = "log"
    "The last in the order of writes first, which is the same on every node."
    CHANGED = "changed"
    "The longest unchanged first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which memories are meant. Everything given must hold."""

    namespaces: tuple[str, ...] = ()
    "In exactly one of these; empty is anywhere."
    below: str = ""
    "In this namespace or anywhere below it; empty is anywhere."
    but_below: str = ""
    "Not in this namespace, nor anywhere below it; empty is nowhere."
    tier: str = ""
    tags: tuple[str, ...] = ()
    "All of these."
    scopes: tuple[str, ...] = ()
    "One of these; empty is any."
    agent_id: str = ""
    session: str = ""
    min_priority: int | None = None
    since_us: int | None = None
    "Stored then or later."
    until_us: int | None = None
    "Stored then or earlier."
    life: str | None = "live"
    "A word of LIVES; None is live or archived."
    told_us: int | None = None
    "Told of by then, by the clocks of those who wrote, and not changed since. See past."
    now_us: int | None = None
    "Given: live memories whose life has ended by then are left out."
    sight: Sight | None = None
    "What the caller may see; None: everything."

    @property
    def is_wide(self) -> bool:
        """Whether everything is meant that lives and that the caller sees, or nearly."""
        return self == Filter(now_us=self.now_us, sight=self.sight, but_below=self.but_below)

    @property
    def leaves_out_messages(self) -> bool:
        """Whether it is plain from where is looked that no message is meant."""
        if self.but_below == MESSAGES:
            return True
        if self.below:
            return not (lies_below(self.below, MESSAGES) or lies_below(MESSAGES, self.below))
        return bool(self.namespaces) and not any(
            lies_below(namespace, MESSAGES) for namespace in self.namespaces
        )


def conditions(wanted: Filter, *, probe: bool = False) -> tuple[str, list[Any]]:
    """The filter as SQL over `memory m`, and its bindings. No caller's text is in the SQL.

    `probe`: tags are looked up for each row, which suits a query that already knows its rows or
    stops early. Otherwise SQLite may begin with the rows of a tag, which suits rare tags.
    """
    has_tag = (
        "EXISTS (SELECT 1 FROM memory_tag t WHERE t.tag = ? AND t.rid = m.rid)"
        if probe
        else "m.rid IN (SELECT rid FROM memory_tag WHERE tag = ?)"
    )
    parts = [_life(wanted.life)]
    values: list[Any] = []

    def require(sql: str, *bindings: Any) -> None:
        parts.append(sql)
        values.extend(bindings)

    if wanted.namespaces:
        require(f"m.namespace IN ({_marks(wanted.namespaces)})", *wanted.namespaces)
    if wanted.below:
        within, bounds = below_sql(wanted.below)
        require(within, *bounds)
    if wanted.but_below:
        within, bounds = below_sql(wanted.but_below)
        require(f"NOT {within}", *bounds)
    for tag in dict.fromkeys(wanted.tags):
        require(has_tag, tag)
    if wanted.scopes:
        require(f"m.scope IN ({_marks(wanted.scopes)})", *wanted.scopes)
    if wanted.tier:
        require("m.tier = ?", wanted.tier)
    if wanted.agent_id:
        require("m.agent_id = ?", wanted.agent_id)
    if wanted.session:
        require("m.session <> '' AND m.session = ?", wanted.session)
    if wanted.min_priority is not None:
        require("m.priority >= ?", wanted.min_priority)
    if wanted.since_us is not None:
        require("m.created_us >= ?", wanted.since_us)
    if wanted.until_us is not None:
        require("m.created_us <= ?", wanted.until_us)
    if wanted.told_us is not None:
        require("m.observed_us <= ? AND m.changed_us <= ?", wanted.told_us, wanted.told_us)
    if wanted.now_us is not None and wanted.life in {"live", None}:
        unended = "(m.expires_us IS NULL OR m.expires_us > ?)"
        require(
            f"(m.life <> 'live' OR {unended})" if wanted.life is None else unended, wanted.now_us
        )
    if wanted.sight is not None:
        seen, bindings = wanted.sight.condition(messages=not wanted.leaves_out_messages)
        if seen:
            require(seen, *bindings)
    return " AND ".join(parts), values


def holds(wanted: Filter, row: MemoryRow) -> bool:
    """The same of one memory that may not stand in the table as it reads here. Whether it was told
    of by a moment does not show in it."""
    assert wanted.told_us is None
    life = {"live", "archived"} if wanted.life is None else {wanted.life}
    ends = row.life == "live" and wanted.now_us is not None and row.expires_us is not None
    return (
        row.life in life
        and (not wanted.namespaces or row.namespace in wanted.namespaces)
        and (not wanted.below or lies_below(row.namespace, wanted.below))
        and not (wanted.but_below and lies_below(row.namespace, wanted.but_below))
        and set(wanted.tags) <= set(row.tags)
        and (not wanted.scopes or row.scope in wanted.scopes)
        and wanted.tier in {"", row.tier}
        and wanted.agent_id in {"", row.agent_id}
        and wanted.session in {"", row.session}
        and (wanted.min_priority is None or row.priority >= wanted.min_priority)
        and (wanted.since_us is None or row.created_us >= wanted.since_us)
        and (wanted.until_us is None or row.created_us <= wanted.until_us)
        and not (ends and (row.expires_us or 0) <= (wanted.now_us or 0))
        and (wanted.sight is None or wanted.sight.sees(row))
    )


def list_memories(
    connection: apsw.Connection, wanted: Filter, order: Order, after: Key | None, limit: int
) -> tuple[list[MemoryRow], Key | None]:
    """Up to `limit` memories behind `after`, and where to go on; None at the end.

    Fewer, but at least one, where they hold more than PAGE_BYTES_MAX.
    """
    where, values = conditions(wanted, probe=all_common(connection, wanted.tags))
    key = _KEYS[order]
    if after is not None:
        where += f" AND ({key.columns}) {key.beyond} ({_marks(after)})"
        values.extend(after)
    sql = (
        f"SELECT {MEMORY_SELECT} FROM memory m "  # noqa: S608  only our own words
        f"WHERE {where} ORDER BY {key.order} LIMIT ?"
    )
    rows: list[MemoryRow] = []
    size_bytes = 0
    cursor = connection.execute(sql, (*values, limit + 1))
    try:
        for columns in cursor:
            if len(rows) == limit or size_bytes >= PAGE_BYTES_MAX:
                return rows, tuple(getattr(rows[-1], column) for column in key.names)
            rows.append(memory_row(columns))
            size_bytes += sum(len(text.encode()) for text in columns[-2:])  # metadata, content
    finally:
        cursor.close()
    return rows, None


def all_common(connection: apsw.Connection, tags: tuple[str, ...]) -> bool:
    """Whether so many rows have each of the tags that a page of them is found by walking."""
    counted = "SELECT count(*) FROM (SELECT 1 FROM memory_tag WHERE tag = ? LIMIT ?)"
    return all(connection.execute(counted, (tag, COMMON_TAG)).get == COMMON_TAG for tag in tags)


@dataclass(frozen=True, slots=True)
class _Key:
    names: tuple[str, ...]
    descending: bool

    @property
    def columns(self) -> str:
        return ", ".join(f"m.{name}" for name in self.names)

    @property
    def order(self) -> str:
        way = " DESC" if self.descending else ""
        return ", ".join(f"m.{name}{way}" for name in self.names)

    @property
    def beyond(self) -> str:
        return "<" if self.descending else ">"


_KEYS: Final = {
    Order.IMPORTANCE: _Key(("priority", "updated_us", "rid"), descending=True),
    Order.CREATED: _Key(("created_us", "record_id"), descending=False),
    Order.ARCHIVED: _Key(("archived_us", "rid"), descending=True),
    Order.LOG: _Key(("lamport", "write_id"), descending=True),
    Order.CHANGED: _Key(("updated_us", "record_id"), descending=False),
}


def _life(life: str | None) -> str:
    # Written out and not bound, since a partial index serves only a condition it can read.
    if life is None:
        return "m.life IN ('live', 'archived')"
    assert life in LIVES
    return f"m.life = '{life}'"


def _marks(values: tuple[Any, ...]) -> str:
    return ", ".join("?" * len(values))
