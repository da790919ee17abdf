"""From what is shown of a record to the row that queries read.

Total by design: an op may come from a peer of a later version, or say nonsense, and every replica
must nevertheless take it in. A value of the wrong shape reads as if it had not been written; it
stays in the record's state, and a version that understands it will show it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from aimem_node.store.naming import folded
from aimem_node.store.rows import LinkRow, MemoryRow, NameRow
from aimem_sync.display import Display, Life

MEMORY: Final = "memory"
LINK: Final = "link"
ENTITY: Final = "entity"
"""The tag and the kind of a memory that stands for a named thing, and the type of the record that
holds its other names."""

SETTLED_REGISTERS: Final = frozenset({"updated_at", "accessed_at", "expires_at"})
"""Registers of which the greatest is shown. Two nodes that recall one memory at the same time
write them side by side without any disagreement, so these count as no conflict."""

_INT_MAX: Final = (1 << 63) - 1
_TIME_MIN: Final = -62_135_596_800_000_000
_TIME_MAX: Final = 253_402_300_799_999_999
"""The years 1 to 9999, which is what every surface can show. A peer's op may say anything."""
_EMPTY: Final[Mapping[str, Any]] = {}


def memory_of(shown: Display, rid: int, born_lamport: int, born_id: str) -> MemoryRow | None:
    """The row of a memory; None if there is nothing to show (unborn, purged, another type)."""
    if shown.type != MEMORY or shown.purged or shown.life == Life.UNBORN:
        return None
    values = shown.values
    body = _object(values.get("body"))
    facts = _object(values.get("facts"))
    life = _object(values.get("life")) if shown.life == Life.ARCHIVED else _EMPTY
    first = shown.first
    created_us = _time(facts.get("created_at"))
    if created_us is None:
        created_us = first.wall_us if first is not None else 0
    updated_us = _greatest(shown, "updated_at")
    updated_us = created_us if updated_us is None else updated_us
    archived_us = _time(life.get("at"))
    if shown.life == Life.ARCHIVED and archived_us is None:
        archived_us = updated_us  # a page of the archive ends in this: it must be there
    return MemoryRow(
        rid=rid,
        record_id=shown.record_id,
        namespace=_text(values.get("namespace"), "global"),
        title=_text(body.get("title")),
        tier=_text(values.get("tier"), "mid"),
        scope=_text(values.get("scope"), "private"),
        priority=_integer(values.get("priority"), 5),
        confidence=_fraction(values.get("confidence"), 1.0),
        life=shown.life,
        created_us=created_us,
        updated_us=updated_us,
        happened_us=_time(facts.get("happened_at")),
        expires_us=_time(values.get("expires_at")),
        accessed_us=_greatest(shown, "accessed_at"),
        access_count=min(shown.counters.get("access", 0), _INT_MAX),
        archived_us=archived_us,
        archive_reason=_text(life.get("reason")),
        lamport=born_lamport,
        write_id=born_id,
        written_id=str(shown.last.dot) if shown.last is not None else "",
        conflicts=_disagreeing(shown) if shown.conflicts else 0,
        agent_id=_text(facts.get("agent_id")),
        author=_text(facts.get("author"), first.author if first is not None else ""),
        session=_text(facts.get("session")),
        source=_text(facts.get("source")),
        tags=shown.tags,
        metadata=_object(body.get("metadata")),
        content=_text(body.get("content")),
    )


def link_of(shown: Display, born_lamport: int, told: tuple[int, int]) -> LinkRow | None:
    """The row of a link; None if there is nothing to show.

    `told`: the earliest and the latest of its ops by their writers' clocks.
    """
    if shown.type != LINK or shown.purged or shown.life == Life.UNBORN:
        return None
    body = _object(shown.values.get("body"))
    first = shown.first
    created_us = _time(body.get("created_at"))
    if created_us is None:
        created_us = first.wall_us if first is not None else 0
    author = _text(body.get("author"), first.author if first is not None else "")
    valid_from_us = _time(body.get("valid_from"))
    return LinkRow(
        record_id=shown.record_id,
        source_id=_text(body.get("source_id")),
        target_id=_text(body.get("target_id")),
        relation=_text(body.get("relation"), "related_to"),
        valid_from_us=created_us if valid_from_us is None else valid_from_us,
        valid_until_us=_time(shown.values.get("valid_until")),
        observed_by=_text(body.get("observed_by")) or author,
        author=author,
        created_us=created_us,
        life=shown.life,
        lamport=born_lamport,
        start_given=body.get("valid_from_given") is True and valid_from_us is not None,
        observed_us=told[0],
        changed_us=told[1],
    )


def is_entity(row: MemoryRow) -> bool:
    """Whether a memory stands for a named thing."""
    return ENTITY in row.tags and row.metadata.get("kind") == ENTITY


def may_name(type_: str, tags: Container[str]) -> bool:
    """Whether a record of that type with those tags may say how an entity is called."""
    return type_ == ENTITY or (type_ == MEMORY and ENTITY in tags)


def names_of(shown: Display) -> tuple[NameRow, ...]:
    """What a record says of how an entity is called, in the order of the spellings."""
    if shown.purged or shown.life == Life.DELETED or not may_name(shown.type, shown.tags):
        return ()
    if shown.type == MEMORY:
        row = memory_of(shown, 0, 0, "")
        if row is None or not is_entity(row):
            return ()
        return (NameRow(row.record_id, row.title, folded(row.title), row.record_id),)
    kind, _, entity_id = shown.record_id.partition(":")
    if kind != ENTITY:
        return ()
    return tuple(NameRow(shown.record_id, tag, folded(tag), entity_id) for tag in shown.tags)


def _disagreeing(shown: Display) -> int:
    return sum(
        len(losing)
        for register, losing in shown.conflicts.items()
        if register not in SETTLED_REGISTERS
    )


def _greatest(shown: Display, register: str) -> int | None:
    """The latest time among all versions that stand: these registers only ever move forward."""
    heads = shown.conflicts.get(register)
    if not heads:
        return _time(shown.values.get(register))
    times = [_time(shown.values.get(register)), *(_time(version.value) for version in heads)]
    return max((time for time in times if time is not None), default=None)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _EMPTY


def _text(value: Any, default: str = "") -> str:
    return value if isinstance(value, str) else default


def _integer(value: Any, default: int) -> int:
    sound = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT_MAX
    return value if sound else default


def _time(value: Any) -> int | None:
    sound = isinstance(value, int) and not isinstance(value, bool)
    return value if sound and _TIME_MIN <= value <= _TIME_MAX else None


def _fraction(value: Any, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(value) if 0 <= value <= 1 else default
