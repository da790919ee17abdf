"""Every table, and the numbered steps that lead to them.

The log (`op`) and the folded records (`record`) are the truth; all other tables can be made again
from them and exist so that reads are quick. A released step is never edited: a file that took it
will not take it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import apsw

from aimem_node.contract.errors import Code, Failure

APPLICATION_ID: Final = 0x61696D65
"""Stands in the file's header and spells "aime": a SQLite file without it is not ours."""

META_SCHEMA: Final = "schema"
META_LAMPORT: Final = "lamport"
META_UNSCRUBBED: Final = "unscrubbed"
"""There while words of a purged memory may still stand in the file; the value says where."""
IN_INDEX: Final = b"index"
"""In pages of the index, and in the WAL."""
IN_WAL: Final = b"wal"
"""In the WAL alone."""

_LOG: Final = """
CREATE TABLE meta(k TEXT PRIMARY KEY, v BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE origin(
    oid INTEGER PRIMARY KEY,
    node_id TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    have INTEGER NOT NULL,
    head BLOB NOT NULL,
    UNIQUE(node_id, incarnation)
) STRICT;
-- pos is the order of arrival here. It never leaves this node: followers and event tokens use it.
CREATE TABLE op(
    pos INTEGER PRIMARY KEY,
    oid INTEGER NOT NULL REFERENCES origin(oid),
    seq INTEGER NOT NULL,
    lamport INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    record_id TEXT NOT NULL,
    author TEXT NOT NULL,
    request_key TEXT NOT NULL,
    body_sha256 BLOB NOT NULL,
    body BLOB,
    prev_chain BLOB NOT NULL,
    chain BLOB NOT NULL,
    sig BLOB NOT NULL,
    UNIQUE(oid, seq)
) STRICT;
CREATE INDEX op_by_record ON op(record_id, pos);
CREATE TABLE idem(
    author TEXT NOT NULL,
    request_key TEXT NOT NULL,
    request_sha256 BLOB NOT NULL,
    response BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY(author, request_key)
) STRICT;
CREATE INDEX idem_by_age ON idem(at_us);
-- Which answers speak of a record: they go when it is erased.
CREATE TABLE idem_record(
    record_id TEXT NOT NULL,
    author TEXT NOT NULL,
    request_key TEXT NOT NULL,
    PRIMARY KEY(record_id, author, request_key),
    FOREIGN KEY(author, request_key) REFERENCES idem(author, request_key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX idem_record_by_key ON idem_record(author, request_key);
"""

_RECORDS: Final = """
-- born_lamport and born_id: the first of the record's ops in the order of writes, whatever it says.
CREATE TABLE record(
    rid INTEGER PRIMARY KEY,
    record_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    born_lamport INTEGER NOT NULL,
    born_id TEXT NOT NULL,
    hash BLOB NOT NULL,
    state BLOB NOT NULL
) STRICT;
CREATE TABLE bucket(b INTEGER PRIMARY KEY, sum BLOB NOT NULL) STRICT;
CREATE TABLE memory(
    rid INTEGER PRIMARY KEY REFERENCES record(rid),
    record_id TEXT NOT NULL UNIQUE,
    namespace TEXT NOT NULL,
    title TEXT NOT NULL,
    tier TEXT NOT NULL,
    scope TEXT NOT NULL,
    priority INTEGER NOT NULL,
    confidence REAL NOT NULL,
    life TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    happened_us INTEGER,
    expires_us INTEGER,
    accessed_us INTEGER,
    access_count INTEGER NOT NULL,
    archived_us INTEGER,
    archive_reason TEXT NOT NULL,
    lamport INTEGER NOT NULL,
    write_id TEXT NOT NULL,
    conflicts INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    author TEXT NOT NULL,
    session TEXT NOT NULL,
    source TEXT NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE INDEX memory_by_importance ON memory(priority DESC, updated_us DESC, rid DESC)
    WHERE life = 'live';
-- tier and expires_us ride along so that counting never reads a row.
CREATE INDEX memory_by_namespace
    ON memory(namespace, priority DESC, updated_us DESC, rid DESC, tier, expires_us)
    WHERE life = 'live';
CREATE INDEX memory_by_title ON memory(namespace, title) WHERE life = 'live';
CREATE INDEX memory_by_expiry ON memory(expires_us)
    WHERE life = 'live' AND expires_us IS NOT NULL;
CREATE INDEX memory_by_session ON memory(session) WHERE life = 'live' AND session <> '';
CREATE INDEX memory_by_agent ON memory(agent_id) WHERE life = 'live';
CREATE INDEX memory_by_creation ON memory(created_us, record_id);
CREATE INDEX memory_by_archiving ON memory(archived_us DESC, rid DESC) WHERE life = 'archived';
CREATE INDEX memory_in_conflict ON memory(rid) WHERE conflicts > 0;
CREATE INDEX memory_deleted ON memory(rid) WHERE life = 'deleted';
CREATE TABLE memory_tag(
    tag TEXT NOT NULL,
    rid INTEGER NOT NULL REFERENCES memory(rid),
    PRIMARY KEY(tag, rid)
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_tag_by_memory ON memory_tag(rid);
CREATE TABLE link(
    record_id TEXT PRIMARY KEY,
    source_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    relation TEXT NOT NULL,
    valid_from_us INTEGER,
    valid_until_us INTEGER,
    observed_by TEXT NOT NULL,
    author TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    life TEXT NOT NULL,
    lamport INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX link_by_source ON link(source_id, target_id, relation);
CREATE INDEX link_by_target ON link(target_id);
CREATE INDEX link_by_creation ON link(created_us, record_id);
"""

# The index keeps no text of its own: it reads `memory_text`, a view, so that it holds live
# memories and nothing else, and SQLite itself can rebuild it and check it. Words of a changed row
# stay in its pages until they are merged (FTS5's secure-delete would take them out at once, and
# makes an update of 60 words cost 3.3 ms instead of 1.4), so a purge has the pages merged: see
# Writer.scrub.
_FULL_TEXT: Final = """
CREATE VIEW memory_text AS SELECT rid, title, content, tags FROM memory WHERE life = 'live';
CREATE VIRTUAL TABLE memory_fts USING fts5(
    title, content, tags,
    content='memory_text', content_rowid='rid',
    tokenize='porter unicode61 remove_diacritics 2'
);
INSERT INTO memory_fts(memory_fts, rank) VALUES('automerge', 8);
INSERT INTO memory_fts(memory_fts, rank) VALUES('usermerge', 2);
CREATE VIRTUAL TABLE memory_word USING fts5vocab('memory_fts', 'row');
"""


# floor: up to where bodies have been given up for their age; floor_head is the chain hash there.
# withheld: the op came without its body although nobody is known to have erased it.
# made_oid and made_seq of an answer: the last op that its request made; null if it made none.
# written_id: the newest op among the heads of a memory.
_CLUSTER: Final = """
CREATE TABLE config(
    epoch INTEGER PRIMARY KEY,
    config BLOB NOT NULL,
    proof BLOB NOT NULL
) STRICT;
ALTER TABLE origin ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE origin ADD COLUMN floor_head BLOB NOT NULL DEFAULT x'';
ALTER TABLE op ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
CREATE INDEX op_withheld ON op(record_id) WHERE withheld = 1;
CREATE INDEX op_by_key ON op(author, request_key) WHERE request_key <> '';
ALTER TABLE idem ADD COLUMN made_oid INTEGER;
ALTER TABLE idem ADD COLUMN made_seq INTEGER;
UPDATE idem SET (made_oid, made_seq) = (
    SELECT op.oid, op.seq FROM op
    WHERE op.author = idem.author AND op.request_key = idem.request_key AND op.request_key <> ''
    ORDER BY op.pos DESC LIMIT 1
);
CREATE INDEX idem_by_op ON idem(made_oid, made_seq) WHERE made_oid IS NOT NULL;
ALTER TABLE memory ADD COLUMN written_id TEXT NOT NULL DEFAULT '';
"""


_GRAPH: Final = """
"""

_POPULATION: Final = """
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a schema to the next."""

    number: int
    "The schema it leads to, from 1."
    what: str
    apply: Callable[[apsw.Connection], None]


def _first(connection: apsw.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(_LOG + _RECORDS + _FULL_TEXT)


def _second(connection: apsw.Connection) -> None:
    connection.execute(_CLUSTER)
    after = 0
    while True:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT rid, state FROM memory JOIN record USING(rid) WHERE rid > ?"
            " ORDER BY rid LIMIT 1000",
            (after,),
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        connection.executemany(
            "UPDATE memory SET written_id = ?2 WHERE rid = ?1",
            [(rid, _newest_head(state)) for rid, state in rows],
        )


def _third(connection: apsw.Connection) -> None:
    connection.execute(_GRAPH + _POPULATION)


def _newest_head(state: bytes) -> str:
    """The newest op that wrote a head, out of a record's row as schema 1 spells it.

    Read from the row and not through the code of today, which may one day spell it otherwise.
    """
    row = json.loads(state)
    # Of the dots, those that wrote a head have five parts; origins stand in their own order.
    heads = [dot for dot in row.get("d", ()) if len(dot) == 5]
    if not heads:
        return ""
    at, seq, *_ = max(heads, key=lambda dot: (dot[2], dot[0], dot[1]))
    return f"{row['o'][at]}:{seq}"


MIGRATIONS: Final[tuple[Migration, ...]] = (
    Migration(1, "log, records, memories, links, full text", _first),
    Migration(2, "members, floors, answers beside ops, whose write is shown", _second),
    Migration(3, "links by time, how many memories each agent has where", _third),
)
SCHEMA: Final = MIGRATIONS[-1].number
"""The schema this version reads and writes."""


def schema_of(connection: apsw.Connection) -> int:
    """Which schema the file has; 0 if it has no tables at all.

    Raises Failure CORRUPT for a SQLite file that is not ours.
    """
    if connection.execute("SELECT count(*) FROM sqlite_schema").get == 0:
        return 0
    if connection.pragma("application_id") != APPLICATION_ID:
        raise Failure(
            Code.CORRUPT,
            f"{connection.filename} is a SQLite file of another program",
            next="Move it away, or give another --data-dir.",
        )
    return int(connection.execute("SELECT v FROM meta WHERE k = ?", (META_SCHEMA,)).get)


def check_readable(schema: int, path: str, newest: int = SCHEMA) -> None:
    """Raise Failure UNAVAILABLE if the file was written by a later version."""
    if schema > newest:
        raise Failure(
            Code.UNAVAILABLE,
            f"{path} has schema {schema}; this version reads up to {newest}",
            next="Run the newer version of aimem, or restore a backup from before the upgrade.",
        )


def migrate(
    connection: apsw.Connection, have: int, migrations: tuple[Migration, ...] = MIGRATIONS
) -> None:
    """Take all steps above `have` in one transaction: all of them, or none."""
    with connection:
        for migration in migrations:
            if migration.number > have:
                migration.apply(connection)
        connection.execute(
            "INSERT OR REPLACE INTO meta(k, v) VALUES(?, ?)",
            (META_SCHEMA, str(migrations[-1].number).encode()),
        )
