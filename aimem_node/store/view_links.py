"""What a view tells of links: what one memory says about another, now or as it was known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aimem_node.store.graph import Stretch, Trail, Walk, stretch, walk
from aimem_node.store.listing import Key
from aimem_node.store.past import NEVER_TOLD, ops_by_record, states_then, told_between
from aimem_node.store.projection import link_of
from aimem_node.store.rows import LINK_SELECT, LinkRow, link_row
from aimem_node.store.view_log import LogView
from aimem_sync.display import display
from aimem_sync.state import RecordState

LINKS_OF_MAX: Final = 1_000
"""Links each way that are told of one memory at once. Some have ten thousand."""


class LinkView(LogView):
    """See the module."""

    def links_of(
        self, record_id: str, limit: int = LINKS_OF_MAX, as_of_us: int | None = None
    ) -> list[LinkRow]:
        """Live links from and to a memory, the first stored first; `as_of_us`: as known then.

        At most `limit` from it and as many to it: those that began to hold last.
        """
        rows = [
            row
            for near, index in (("source_id", "link_out"), ("target_id", "link_in"))
            for row in self._links(
                f"record_id IN (SELECT record_id FROM link INDEXED BY {index}"  # noqa: S608
                f" WHERE {near} = ?1"
                " AND CASE WHEN ?2 IS NULL THEN life = 'live'"
                " ELSE observed_us <= ?2 AND (life = 'live' OR changed_us > ?2) END"
                " ORDER BY valid_from_us DESC, record_id DESC LIMIT ?3)",
                record_id,
                as_of_us,
                limit,
            )
        ]
        if as_of_us is not None:
            since = [row.record_id for row in rows if row.changed_us > as_of_us]
            then = self.links_then(since, as_of_us)
            rows = [row for row in rows if row.changed_us <= as_of_us] + list(then.values())
        by_id = {row.record_id: row for row in rows}
        return sorted(by_id.values(), key=_by_storing)

    def has_more_links(self, record_id: str, than: int) -> bool:
        """Whether there are more live links than that from a memory, or to it."""
        return any(
            self._value(
                f"SELECT 1 FROM link WHERE {near} = ? AND life = 'live' LIMIT 1 OFFSET ?",  # noqa: S608
                record_id,
                than,
            )
            for near in ("source_id", "target_id")
        )

    def links_standing(self, record_id: str, now_us: int, limit: int) -> list[LinkRow]:
        """Live links from and to a memory that have not ended, the first that began first."""
        return self._links(
            "life = 'live' AND (source_id = ?1 OR target_id = ?1)"
            " AND (valid_until_us IS NULL OR valid_until_us > ?2)"
            " ORDER BY valid_from_us, record_id LIMIT ?3",
            record_id,
            now_us,
            limit,
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

    def contradicting(self, before: Key | None, limit: int) -> tuple[list[LinkRow], Key | None]:
        """One page of the live links by which one memory contradicts another, the last stored
        first, whether they hold still or not, and where the next begins."""
        start = before if before is not None else ((1 << 63) - 1, "")
        rows = self._links(
            "record_id IN (SELECT record_id FROM link INDEXED BY link_contradicts"
            " WHERE relation = 'contradicts' AND life = 'live' AND (created_us, record_id) < (?, ?)"
            " ORDER BY created_us DESC, record_id DESC LIMIT ?)"
            " ORDER BY created_us DESC, record_id DESC",
            *start,
            limit,
        )
        return rows, ((rows[-1].created_us, rows[-1].record_id) if len(rows) == limit else None)

    # -- the graph -------------------------------------------------------------------------

    def walk(self, asked: Walk) -> Trail:
        """Whatever can be reached from a memory. See graph."""
        return walk(self._connection, asked, self.links_then)

    def stretch(self, asked: Stretch) -> Trail:
        """What a memory was linked to over time. See graph."""
        return stretch(self._connection, asked, self.links_then)

    def is_superseded_by(self, record_id: str, other_id: str, links_max: int) -> bool:
        """Whether it stands, over any number of steps, that `other_id` supersedes `record_id`.

        Looks at `links_max` links at most, and at those of others too.
        """
        found = self._value(
            "WITH RECURSIVE later(id) AS (SELECT ?1 UNION SELECT link.target_id FROM later"
            " JOIN link INDEXED BY link_out ON link.source_id = later.id"
            " WHERE link.life = 'live' AND link.relation = 'supersedes'"
            " AND link.valid_until_us IS NULL LIMIT ?3)"
            " SELECT 1 FROM later WHERE id = ?2 LIMIT 1",
            other_id,
            record_id,
            links_max,
        )
        return found is not None

    # -- the past --------------------------------------------------------------------------

    def told_between(self, record_id: str) -> tuple[int, int]:
        """The earliest and the latest op of a record, by their writers' clocks."""
        return told_between(self._connection, (record_id,)).get(record_id, NEVER_TOLD)

    def states_then(self, record_ids: Sequence[str], as_of_us: int) -> dict[str, RecordState]:
        """What was known of records at a moment. See past."""
        return states_then(self._known_ops(record_ids, as_of_us))

    def links_then(self, record_ids: Sequence[str], as_of_us: int) -> dict[str, LinkRow]:
        """Links, live ones, as they were known at a moment. See past."""
        times = told_between(self._connection, record_ids)
        found: dict[str, LinkRow] = {}
        for record_id, state in self.states_then(record_ids, as_of_us).items():
            row = link_of(display(state), 0, times.get(record_id, NEVER_TOLD))
            if row is not None and row.life == "live":
                found[record_id] = row
        return found

    def _known_ops(self, record_ids: Sequence[str], as_of_us: int) -> Any:
        return ops_by_record(self._connection, self._origin, record_ids, as_of_us)

    def _links(self, where: str, *values: Any) -> list[LinkRow]:
        rows = self._connection.execute(
            f"SELECT {LINK_SELECT} FROM link WHERE {where}",  # noqa: S608  our own words
            values,
        )
        return [link_row(columns) for columns in rows]


def _by_storing(row: LinkRow) -> tuple[int, int, str]:
    return row.created_us, row.lamport, row.record_id
