"""All memories that match, where a ranked few will not do.

Recall may leave out what it has not time for; forgetting may not. So these searches take every
word as it is and stop only at the number that the caller can take.
"""

from __future__ import annotations

from typing import Any, Final

import apsw

from aimem_node.store.listing import Filter, conditions
from aimem_node.store.words import STOP_WORDS, quoted, words_of

_TITLE_WORDS_MAX: Final = 6
SIMILAR_ROWS_MAX: Final = 200
"""Titles looked at for one that is alike, 1 to 2 us each."""


def matching_ids(
    connection: apsw.Connection, pattern: str | None, wanted: Filter, limit: int
) -> list[str]:
    """Ids of the live memories wanted that hold any word of the pattern, the oldest first.

    Without a pattern, all that are wanted. A pattern without a single word matches nothing.
    """
    where, values = conditions(wanted)
    sql = f"SELECT m.record_id FROM memory m WHERE {where}"  # noqa: S608
    bindings: list[Any] = list(values)
    if pattern is not None:
        words = words_of(pattern)
        if not words:
            return []
        sql += " AND m.rid IN (SELECT rowid FROM memory_fts WHERE memory_fts MATCH ?)"
        bindings.append(quoted(words, "OR"))
    rows = connection.execute(f"{sql} ORDER BY m.rid LIMIT ?", (*bindings, limit))
    return [record_id for (record_id,) in rows]


def similar_titles(
    connection: apsw.Connection, title: str, wanted: Filter, limit: int
) -> list[str]:
    """Ids of live memories wanted whose titles share a telling word, the latest first.

    A hint, given with every store: it looks at SIMILAR_ROWS_MAX of the newest such titles.
    """
    telling = [word for word in words_of(title) if word not in STOP_WORDS][:_TITLE_WORDS_MAX]
    if not telling:
        return []
    found = _titled(connection, f"title : ({quoted(telling, 'OR')})", wanted, limit)
    foreign = frozenset(word for word in telling if not word.isascii())
    if foreign:
        # What stands in grams may stand in the content alone.
        match = f"grams : ({quoted(sorted(foreign), 'OR')})"
        spelled = _titled(connection, match, wanted, SIMILAR_ROWS_MAX)
        found |= {
            rid: row for rid, row in spelled.items() if not foreign.isdisjoint(words_of(row[1]))
        }
    return [found[rid][0] for rid in sorted(found, reverse=True)[:limit]]


def _titled(
    connection: apsw.Connection, match: str, wanted: Filter, limit: int
) -> dict[int, tuple[str, str]]:
    where, values = conditions(wanted)
    rows = connection.execute(
        "SELECT m.rid, m.record_id, m.title FROM ("  # noqa: S608
        "SELECT rowid FROM memory_fts WHERE memory_fts MATCH ? ORDER BY rowid DESC LIMIT ?"
        f") f CROSS JOIN memory m ON m.rid = f.rowid WHERE {where} LIMIT ?",
        (match, SIMILAR_ROWS_MAX, *values, limit),
    )
    return {rid: (record_id, title) for rid, record_id, title in rows}
