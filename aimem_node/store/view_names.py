"""What a view tells of entities: how they are called, and who is called so."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aimem_node.store.listing import Filter, conditions
from aimem_node.store.rows import MEMORY_SELECT, NAME_COLUMNS, MemoryRow, NameRow, memory_row
from aimem_node.store.view_base import ViewBase


class NameView(ViewBase):
    """See the module."""

    def name_rows(self, record_id: str) -> tuple[NameRow, ...]:
        """What one record says of how an entity is called, in the order of the spellings."""
        rows = self._connection.execute(
            f"SELECT {', '.join(NAME_COLUMNS)} FROM entity_name"  # noqa: S608
            " WHERE record_id = ? ORDER BY spelling",
            (record_id,),
        )
        return tuple(NameRow(*row) for row in rows)

    def entities_called(
        self, folded: str, wanted: Filter, limit: int, *, by_alias: bool = True
    ) -> list[MemoryRow]:
        """Entities that are wanted and have this name, the first written first.

        `by_alias`: also those of which it is an alias.
        """
        where, values = conditions(wanted, probe=True)
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m WHERE m.record_id IN"  # noqa: S608
            " (SELECT entity_id FROM entity_name WHERE folded = ? AND (? OR record_id = entity_id))"
            f" AND {_IS_ENTITY} AND {where} ORDER BY m.lamport, m.write_id LIMIT ?",
            (folded, by_alias, *values, limit),
        )
        return [memory_row(columns) for columns in rows]

    def list_entities(
        self, wanted: Filter, after: tuple[str, str] | None, limit: int
    ) -> tuple[list[MemoryRow], tuple[str, str] | None]:
        """One page of the entities that are wanted, by their names as they are compared, and
        where the next page begins."""
        where, values = conditions(wanted, probe=True)
        rows = self._connection.execute(
            f"SELECT n.folded, {MEMORY_SELECT} FROM entity_name n"  # noqa: S608
            " INDEXED BY entity_name_by_name CROSS JOIN memory m ON m.record_id = n.entity_id"
            " WHERE n.record_id = n.entity_id AND (n.folded, n.entity_id) > (?, ?)"
            f" AND {where} ORDER BY n.folded, n.entity_id LIMIT ?",
            (*(after or ("", "")), *values, limit + 1),
        ).fetchall()
        found = [memory_row(tuple(columns)) for _, *columns in rows[:limit]]
        if len(rows) <= limit:
            return found, None
        return found, (str(rows[limit - 1][0]), found[-1].record_id)

    def aliases_of(self, entity_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The other names of entities, in alphabetical order; those without any are left out."""
        rows = self._connection.execute(
            "SELECT n.entity_id, n.spelling FROM json_each(?) j CROSS JOIN entity_name n"
            " ON n.record_id = 'entity:' || j.value ORDER BY n.spelling",
            (json.dumps(list(entity_ids)),),
        )
        found: dict[str, list[str]] = {}
        for entity_id, spelling in rows:
            found.setdefault(entity_id, []).append(spelling)
        return {entity_id: tuple(names) for entity_id, names in found.items()}

    def names_without_record(self, limit: int) -> list[str]:
        """Records of which names are kept and which do not exist: none unless damaged."""
        rows = self._connection.execute(
            "SELECT DISTINCT record_id FROM entity_name"
            " WHERE record_id NOT IN (SELECT record_id FROM record) LIMIT ?",
            (limit,),
        )
        return [record_id for (record_id,) in rows]


_IS_ENTITY = (
    "EXISTS (SELECT 1 FROM entity_name own WHERE own.record_id = m.record_id"
    " AND own.entity_id = m.record_id)"
)
"""An alias alone makes no entity: the memory may have become something else since."""
