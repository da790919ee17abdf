"""What the store hands out: rows as immutable values.

Column order lives here and nowhere else. A row never carries a connection or a cursor, so it may
leave the thread and outlive the transaction it was read in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from aimem_node.store.sameness import fingerprint, topic_of
from aimem_sync.op import Op
from aimem_sync.state import RecordState


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A memory as it is shown. Times are microseconds since the epoch, UTC."""

    rid: int
    "Its row here; later records have higher ones. Never leaves this node."
    record_id: str
    namespace: str
    title: str
    tier: str
    scope: str
    priority: int
    confidence: float
    life: str
    created_us: int
    updated_us: int
    happened_us: int | None
    expires_us: int | None
    "When its life ends; None is never."
    accessed_us: int | None
    access_count: int
    archived_us: int | None
    archive_reason: str
    lamport: int
    "Its place in the order of writes: that of its first op."
    write_id: str
    "The dot of its first op."
    written_id: str
    "The dot of the newest op that still shows in it."
    conflicts: int
    "Versions that stand beside what is shown, and differ."
    agent_id: str
    author: str
    session: str
    source: str
    tags: tuple[str, ...]
    "Sorted."
    metadata: Mapping[str, Any]
    content: str


@dataclass(frozen=True, slots=True)
class LinkRow:
    """What one memory says about another."""

    record_id: str
    source_id: str
    target_id: str
    relation: str
    valid_from_us: int
    valid_until_us: int | None
    "None: it still holds."
    observed_by: str
    author: str
    created_us: int
    life: str
    lamport: int
    start_given: bool
    """Whether somebody named its start. Otherwise that is when it was written, by a clock that may
    run ahead of the reader's."""
    observed_us: int
    "When it was learned: the earliest of its ops, by their writers' clocks."
    changed_us: int
    "When something was last said of it: the latest of them."

    def holds(self, at_us: int, *, now: bool = False) -> bool:
        """Whether it holds at a moment; `now`: which is the present."""
        begun = self.valid_from_us <= at_us or (now and not self.start_given)
        return begun and (self.valid_until_us is None or self.valid_until_us > at_us)


@dataclass(frozen=True, slots=True)
class NameRow:
    """One name of an entity: what its memory is called, or an alias."""

    record_id: str
    "The record that says it: the memory itself, or the one that holds its aliases."
    spelling: str
    folded: str
    "As names are compared. See naming."
    entity_id: str
    "The memory."


@dataclass(frozen=True, slots=True)
class PlacedOp:
    """An op and its place in the order of arrival here."""

    pos: int
    op: Op


@dataclass(frozen=True, slots=True)
class IdemRow:
    """The first answer to a request key."""

    request_sha256: bytes
    response: bytes
    at_us: int


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record as it is kept, with what is derived from its ops alone."""

    rid: int
    state: RecordState
    hash: bytes
    "Its share of the digest."
    born_lamport: int
    born_id: str
    "The first of its ops in the order of writes."


@dataclass(frozen=True, slots=True)
class Counts:
    """What the node holds."""

    live: int
    by_tier: Mapping[str, int]
    "Live memories."
    archived: int
    deleted: int
    links: int
    "Live ones."
    ops: int
    origins: int
    records: int
    conflicts: int
    "Memories, live or archived, with versions that stand side by side."


MEMORY_COLUMNS: Final = tuple(MemoryRow.__dataclass_fields__)
MARK_COLUMNS: Final = ("fingerprint", "topic")
"""What a memory is looked up by and is not shown of it. See sameness."""
TOLD_COLUMNS: Final = ("observed_us", "changed_us")
"""When a memory was first told of, and when it last changed, by the clocks of those who wrote. See
past."""
LINK_COLUMNS: Final = tuple(LinkRow.__dataclass_fields__)
MEMORY_SELECT: Final = ", ".join(f"m.{column}" for column in MEMORY_COLUMNS)
LINK_SELECT: Final = ", ".join(LINK_COLUMNS)
NAME_COLUMNS: Final = tuple(NameRow.__dataclass_fields__)

_TAGS_AT: Final = MEMORY_COLUMNS.index("tags")
_GIVEN_AT: Final = LINK_COLUMNS.index("start_given")
_plain: Final = attrgetter(*MEMORY_COLUMNS[:_TAGS_AT])
# Made once: json.dumps makes an encoder for every value that it is given.
_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def memory_row(columns: tuple[Any, ...]) -> MemoryRow:
    """The row from MEMORY_SELECT."""
    tags, metadata, content = columns[_TAGS_AT:]
    named = dict(zip(MEMORY_COLUMNS, columns[:_TAGS_AT], strict=False))
    return MemoryRow(
        **named, tags=tuple(json.loads(tags)), metadata=json.loads(metadata), content=content
    )


def link_row(columns: tuple[Any, ...]) -> LinkRow:
    """The row from LINK_SELECT."""
    values = list(columns)
    values[_GIVEN_AT] = bool(values[_GIVEN_AT])
    return LinkRow(*values)


def memory_columns(row: MemoryRow) -> tuple[Any, ...]:
    """The row as bindings, in the order of MEMORY_COLUMNS."""
    metadata = compact_json(row.metadata) if row.metadata else "{}"
    return (*_plain(row), tags_text(row.tags), metadata, row.content)


def marks_of(row: MemoryRow) -> tuple[int, str]:
    """The bindings of MARK_COLUMNS."""
    return fingerprint(row.title, row.content), topic_of(row.title, row.metadata)


def tags_text(tags: tuple[str, ...]) -> str:
    """Tags as they stand in a row."""
    return compact_json(list(tags)) if tags else "[]"


def size_bytes(row: MemoryRow) -> int:
    """What a memory weighs in an answer, nearly: its texts as UTF-8."""
    texts = (row.title, row.content, compact_json(row.metadata))
    return sum(len(text.encode()) for text in texts)


def compact_json(value: Any) -> str:
    """One spelling for a JSON value: sorted keys, no spaces."""
    return _ENCODE(value)
