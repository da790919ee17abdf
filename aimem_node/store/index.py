"""The full-text index as the writer keeps it: words of live memories, brought up once a group.

FTS5 starts a new segment whenever a savepoint is set, so a hundred small writes would leave a
hundred segments to merge. Rows that changed are noted instead, with the words that the index still
holds of them, and given over at the end.
"""

from __future__ import annotations

import json
from typing import Final, TypeAlias

import apsw

from aimem_node.store.schema_text import COLUMNS
from aimem_node.store.words import grams_of, names_of

MERGED_NOTHING_BELOW: Final = 2
"""Changes that FTS5 reports for a merge that found nothing to do, as its manual says."""

READ_OF: Final = ("title", "content", "tags", "agent_id", "namespace", "source", "session")
"""The columns of a memory that the index is made from."""
Text: TypeAlias = tuple[str, str, str, str, str, str, str]
"""Their values."""


class Index:
    """See the module. For the writer's thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        # Per row that changed: what the index still holds of it, None if nothing.
        self._unindexed: dict[int, Text | None] = {}

    def touch(self, rid: int, held: Text | None) -> None:
        """A row has changed or is about to; `held` is what the index had of it before that."""
        if rid not in self._unindexed:
            self._unindexed[rid] = held

    def mark(self) -> dict[int, Text | None]:
        """This moment, to come back to."""
        return dict(self._unindexed)

    def back_to(self, mark: dict[int, Text | None]) -> None:
        """Forget what came after."""
        self._unindexed = dict(mark)

    def write(self) -> None:
        """Bring the index up to date."""
        if not self._unindexed:
            return
        # In the order of rows: FTS5 cuts a segment short whenever a row comes before the last.
        for rid, held in sorted(self._unindexed.items()):
            if held is not None:
                self._renew(rid, held)
        new = sorted(rid for rid, held in self._unindexed.items() if held is None)
        if len(new) == 1:
            self._connection.execute(f"{_PUT} WHERE rid = ?", (new[0],))
        elif new:
            self._connection.execute(
                f"{_PUT} WHERE rid IN (SELECT value FROM json_each(?)) ORDER BY rid",  # noqa: S608
                (json.dumps(new),),
            )
        self._unindexed.clear()

    def merge(self, pages: int) -> bool:
        """Merge up to so many pages of the index; whether there was anything left to merge.

        Negative begins anew, with all pages. What is merged holds no removed words any more.
        """
        before = self._connection.total_changes()
        self._connection.execute(
            "INSERT INTO memory_fts(memory_fts, rank) VALUES('merge', ?)", (pages,)
        )
        return self._connection.total_changes() - before >= MERGED_NOTHING_BELOW

    def problem(self) -> str:
        """What is wrong with the index; "" if nothing is."""
        self.write()
        try:
            self._connection.execute(
                "INSERT INTO memory_fts(memory_fts, rank) VALUES('integrity-check', 1)"
            )
        except apsw.CorruptError as cause:
            return f"the full-text index does not match the memories: {cause}"
        return ""

    def rebuild(self) -> None:
        """Make the index again from the live memories."""
        self._unindexed.clear()
        self._connection.execute("INSERT INTO memory_fts(memory_fts) VALUES('rebuild')")

    def _renew(self, rid: int, held: Text) -> None:
        text = self._connection.execute(_READ, (rid,)).fetchone()
        if text == held:
            return
        self._connection.execute(_TAKE_OUT, (rid, *_indexed(*held)))
        if text is not None:
            self._connection.execute(_PUT_ONE, (rid, *_indexed(*text)))


def _indexed(  # as the view memory_text has it
    title: str, content: str, tags: str, agent_id: str, namespace: str, source: str, session: str
) -> tuple[str, ...]:
    place = names_of(f"{namespace} {source} {session}")
    return (title, content, tags, grams_of(title, content, tags), names_of(agent_id), place)


_NAMES: Final = ", ".join(COLUMNS)
_MARKS: Final = ", ".join("?" * len(COLUMNS))
_READ: Final = f"SELECT {', '.join(READ_OF)} FROM memory WHERE rid = ? AND life = 'live'"  # noqa: S608
_TAKE_OUT: Final = (
    f"INSERT INTO memory_fts(memory_fts, rowid, {_NAMES}) VALUES('delete', ?, {_MARKS})"
)
_PUT_ONE: Final = f"INSERT INTO memory_fts(rowid, {_NAMES}) VALUES(?, {_MARKS})"
_PUT: Final = f"INSERT INTO memory_fts(rowid, {_NAMES}) SELECT rid, {_NAMES} FROM memory_text"  # noqa: S608
