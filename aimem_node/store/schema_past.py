"""When memories were told of, since schema 4: what a recall of an earlier moment goes by."""

from __future__ import annotations

from typing import Any, Final

import apsw

from aimem_node.store.past import changes_of

READ_AT_ONCE: Final = 500
"""Memories of which all ops stand in memory at once."""

# observed_us and changed_us: as of a link, but recalls are no change. Most memories never change,
# so the index of those that did is small; its namespace is the one they are in now.
_COLUMNS: Final = """
ALTER TABLE memory ADD COLUMN observed_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memory ADD COLUMN changed_us INTEGER NOT NULL DEFAULT 0;
UPDATE memory SET (observed_us, changed_us) = (
    SELECT coalesce(min(wall_us), 0), coalesce(max(wall_us), 0) FROM op
    WHERE op.record_id = memory.record_id
);
CREATE INDEX memory_by_change ON memory(changed_us, rid, observed_us, namespace)
    WHERE changed_us > observed_us;
"""


def tell_the_past(connection: apsw.Connection) -> None:
    """The step to it. Reads the whole log of memories that more than one op speaks of."""
    connection.execute(_COLUMNS)
    after = 0
    while True:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT rid, record_id FROM memory WHERE changed_us > observed_us AND rid > ?"
            " ORDER BY rid LIMIT ?",
            (after, READ_AT_ONCE),
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        changes = changes_of(connection, [record_id for _, record_id in rows])
        connection.executemany(
            "UPDATE memory SET observed_us = ?2, changed_us = ?3 WHERE rid = ?1",
            [(rid, *changes[record_id]) for rid, record_id in rows],
        )
