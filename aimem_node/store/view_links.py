"""What a view tells of links: what one memory says about another."""

from __future__ import annotations

from typing import Any

from aimem_node.store.listing import Key
from aimem_node.store.rows import LINK_SELECT, LinkRow
from aimem_node.store.view_base import ViewBase


class LinkView(ViewBase):
    """See the module."""

    def links_of(self, record_id: str) -> list[LinkRow]:
        """Live links from and to a memory, the first stored first."""
        return self._links(
            "life = 'live' AND (source_id = ?1 OR target_id = ?1)"
            " ORDER BY created_us, lamport, record_id",
            record_id,
        )

    def links_between(
        self, source_id: str, target_id: str, relation: str | None = None
    ) -> list[LinkRow]:
        """Live links from one memory to another."""
        return self._links(
            "life = 'live' AND source_id = ?1 AND target_id = ?2"
            " AND (?3 IS NULL OR relation = ?3) ORDER BY created_us, lamport, record_id",
            source_id,
            target_id,
            relation,
        )

    def link(self, record_id: str) -> LinkRow | None:
        """A link in any life."""
        return next(iter(self._links("record_id = ?1", record_id)), None)

    def list_links(self, after: Key | None, limit: int) -> tuple[list[LinkRow], Key | None]:
        """One page of all live links, the first stored first, and where the next begins."""
        start = after if after is not None else (-(1 << 63), "")
        rows = self._links(
            "life = 'live' AND (created_us, record_id) > (?1, ?2)"
            " ORDER BY created_us, record_id LIMIT ?3",
            *start,
            limit + 1,
        )
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], (last.created_us, last.record_id)

    def _links(self, where: str, *values: Any) -> list[LinkRow]:
        rows = self._connection.execute(
            f"SELECT {LINK_SELECT} FROM link WHERE {where}",  # noqa: S608  our own words
            values,
        )
        return [LinkRow(*columns) for columns in rows]
