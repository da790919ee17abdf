"""What a view tells of memories as they were known, and which of them have changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aimem_node.store.fulltext import Mode
from aimem_node.store.listing import Filter
from aimem_node.store.past import Then, changes_of, known_then, told_between, told_by
from aimem_node.store.past_texts import TextQuery, text_query
from aimem_node.store.sight import below_sql
from aimem_node.store.view_links import LinkView

SCANNED_MAX: Final = 20_000
"""Changed memories that are passed over, 1 to 3 us each, to find those of one place."""


@dataclass(frozen=True, slots=True)
class Named:
    """A memory by its name, with what is the same of it at all times."""

    record_id: str
    rid: int
    lamport: int
    write_id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Memories in any life that had been told of by a moment and have changed since."""

    names: tuple[Named, ...]
    "Those of the place first, and of these the last changed."
    is_all: bool


class PastView(LinkView):
    """See the module."""

    def changed_since(self, as_of_us: int, wanted: Filter, limit: int) -> Changed:
        """At most `limit` memories that changed since, of those that are seen now.

        Of the filter only sight counts, and place, which says where to look first: a memory may
        have been elsewhere then.
        """
        seen, of_sight = ("", []) if wanted.sight is None else wanted.sight.condition()
        here, of_place = _place(wanted)
        rows: list[Any] = self._connection.execute(
            "WITH since AS ("  # noqa: S608
            " SELECT rid, namespace, changed_us FROM memory INDEXED BY memory_by_change"
            " WHERE changed_us > observed_us AND changed_us > ? AND observed_us <= ?"
            " ORDER BY changed_us DESC, rid DESC LIMIT ?)"
            " SELECT m.record_id, m.rid, m.lamport, m.write_id"
            " FROM since CROSS JOIN memory m ON m.rid = since.rid"
            f" WHERE {seen or '1'} ORDER BY {here}since.changed_us DESC, since.rid DESC LIMIT ?",
            (as_of_us, as_of_us, SCANNED_MAX, *of_sight, *of_place, limit + 1),
        ).fetchall()
        more = len(rows) > limit or self._value(
            "SELECT 1 FROM memory INDEXED BY memory_by_change WHERE changed_us > observed_us"
            " AND changed_us > ? AND observed_us <= ? LIMIT 1 OFFSET ?",
            as_of_us,
            as_of_us,
            SCANNED_MAX,
        )
        return Changed(tuple([Named(*row) for row in rows[:limit]]), not more)

    def known_then(self, record_ids: Sequence[str], as_of_us: int) -> Then:
        """What was known of records at a moment, and of which it cannot be said. See past."""
        return known_then(self._known_ops(record_ids, as_of_us))

    def told_since(self, record_ids: Sequence[str], as_of_us: int) -> set[str]:
        """Of these records, those of which an op speaks that was written after a moment."""
        times = told_between(self._connection, record_ids)
        return {record_id for record_id, (_, last_us) in times.items() if last_us > as_of_us}

    def text_query(self, text: str, mode: Mode) -> TextQuery | None:
        """A query to hold against texts that are not in the index; None if it has no words."""
        return text_query(self._connection, text, mode)

    def is_told_rightly(self, rid: int, record_id: str) -> bool:
        """Whether a memory's row says when it was told of and changed as the log does."""
        row = self._connection.execute(
            "SELECT observed_us, changed_us FROM memory WHERE rid = ?", (rid,)
        ).fetchone()
        if row is None:
            return False
        first_us, last_us = told_between(self._connection, (record_id,)).get(record_id, (0, 0))
        if row == (first_us, last_us) == (first_us, first_us):
            return True
        # What was given up for its age was a change or none: nobody can tell any more.
        ops: list[Any] = [placed.op for placed in self.ops_of(record_id, None, _ALL)]
        at_least = told_by(ops)
        at_most = changes_of(self._connection, (record_id,)).get(record_id, at_least)
        return bool(row[0] == at_least[0] and at_least[1] <= row[1] <= at_most[1])


_ALL: Final = 1 << 62


def _place(wanted: Filter) -> tuple[str, list[Any]]:
    """Where to look first, as what to sort by; with its bindings."""
    if wanted.namespaces:
        marks = ", ".join("?" * len(wanted.namespaces))
        return f"since.namespace IN ({marks}) DESC, ", list(wanted.namespaces)
    if wanted.below:
        sql, bound = below_sql(wanted.below)
        return f"{sql.replace('m.namespace', 'since.namespace')} DESC, ", bound
    return "", []
