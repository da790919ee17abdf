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
from aimem_node.store.meta import META_SCHEMA
from aimem_node.store.naming import folded
from aimem_node.store.sameness import fingerprint, topic_of
from aimem_node.store.schema_past import tell_the_past
from aimem_node.store.schema_text import index_all_scripts
from aimem_node.store.showing import show_again
from aimem_node.store.vectors import VECTOR_TABLES
from aimem_node.store.words import teach

APPLICATION_ID: Final = 0x61696D65
"""Stands in the file's header and spells "aime": a SQLite file without it is not ours."""

MARKED_AT_ONCE: Final = 500
"""Memories whose texts stand in memory at once while a file is brought forward."""
_YEAR_1: Final = -62_135_596_800_000_000
_YEAR_9999: Final = 253_402_300_800_000_000

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


# observed_us and changed_us: the earliest and the latest op of a link, by their writers' clocks, so
# that what was known at a moment can mostly be told without folding anything again.
# The two indexes hold all that a walk looks at. Of a memory with ten thousand links it reads those
# that it needs, in the order in which they began to hold.
_GRAPH: Final = """
ALTER TABLE link ADD COLUMN start_given INTEGER NOT NULL DEFAULT 0;
ALTER TABLE link ADD COLUMN observed_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE link ADD COLUMN changed_us INTEGER NOT NULL DEFAULT 0;
UPDATE link SET valid_from_us = coalesce(valid_from_us, created_us),
    observed_by = CASE observed_by WHEN '' THEN author ELSE observed_by END,
    (observed_us, changed_us) = (
        SELECT coalesce(min(wall_us), 0), coalesce(max(wall_us), 0) FROM op
        WHERE op.record_id = link.record_id
    );
DROP INDEX link_by_target;
CREATE INDEX link_out ON link(source_id, valid_from_us, record_id, target_id, relation,
    valid_until_us, observed_us, changed_us, life, start_given, observed_by);
CREATE INDEX link_in ON link(target_id, valid_from_us, record_id, source_id, relation,
    valid_until_us, observed_us, changed_us, life, start_given, observed_by);
CREATE TABLE entity_name(
    record_id TEXT NOT NULL,
    spelling TEXT NOT NULL,
    folded TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    PRIMARY KEY(record_id, spelling)
) STRICT, WITHOUT ROWID;
CREATE INDEX entity_name_by_folded ON entity_name(folded, entity_id);
CREATE INDEX entity_name_by_name ON entity_name(folded, entity_id, spelling)
    WHERE record_id = entity_id;
"""

# See sameness.
_LIKENESS: Final = """
ALTER TABLE memory ADD COLUMN fingerprint INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memory ADD COLUMN topic TEXT NOT NULL DEFAULT '';
CREATE INDEX memory_by_fingerprint ON memory(fingerprint) WHERE life = 'live';
CREATE INDEX memory_by_topic ON memory(topic, namespace) WHERE life = 'live';
CREATE INDEX link_contradicts ON link(created_us, record_id)
    WHERE relation = 'contradicts' AND life = 'live';
"""

# Kept by the file itself, so that whatever changes a memory's row also counts it.
_POPULATION: Final = """
CREATE TABLE population(
    namespace TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    live INTEGER NOT NULL,
    PRIMARY KEY(namespace, agent_id)
) STRICT, WITHOUT ROWID;
INSERT INTO population(namespace, agent_id, live)
    SELECT namespace, agent_id, count(*) FROM memory WHERE life = 'live'
    GROUP BY namespace, agent_id;
CREATE TRIGGER memory_comes AFTER INSERT ON memory WHEN new.life = 'live' BEGIN
    INSERT INTO population(namespace, agent_id, live) VALUES(new.namespace, new.agent_id, 1)
        ON CONFLICT(namespace, agent_id) DO UPDATE SET live = live + 1;
END;
CREATE TRIGGER memory_goes AFTER DELETE ON memory WHEN old.life = 'live' BEGIN
    UPDATE population SET live = live - 1
        WHERE namespace = old.namespace AND agent_id = old.agent_id;
    DELETE FROM population
        WHERE namespace = old.namespace AND agent_id = old.agent_id AND live <= 0;
END;
CREATE TRIGGER memory_moves AFTER UPDATE ON memory
    WHEN (old.life = 'live' OR new.life = 'live') AND (old.life IS NOT new.life
        OR old.namespace IS NOT new.namespace OR old.agent_id IS NOT new.agent_id) BEGIN
    UPDATE population SET live = live - 1
        WHERE old.life = 'live' AND namespace = old.namespace AND agent_id = old.agent_id;
    DELETE FROM population
        WHERE namespace = old.namespace AND agent_id = old.agent_id AND live <= 0;
    INSERT INTO population(namespace, agent_id, live)
        SELECT new.namespace, new.agent_id, 1 WHERE new.life = 'live'
        ON CONFLICT(namespace, agent_id) DO UPDATE SET live = live + 1;
END;
"""

# A thread: what was stored one after another in one place.
_COMPANY: Final = """
CREATE INDEX memory_by_thread ON memory(namespace, source, session, created_us, rid)
    WHERE life = 'live';
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a schema to the next."""

    number: int
    "The schema it leads to, from 1."
    what: str
    apply: Callable[[apsw.Connection], None] | None
    shows_again: bool = False
    """Whether records show something else since. Their rows are made again after the last step,
    by the code of now, which writes rows of the last schema only."""


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
    connection.execute(_GRAPH + _LIKENESS)
    _give_marks(connection)
    connection.execute(_POPULATION)
    starts = connection.execute(
        "SELECT record_id, state FROM record WHERE record_id IN (SELECT record_id FROM link)"
    )
    given = [record_id for record_id, state in starts if _is_start_given(state)]
    connection.executemany(
        "UPDATE link SET start_given = 1 WHERE record_id = ?", [(one,) for one in given]
    )
    connection.executemany(
        "INSERT INTO entity_name(record_id, spelling, folded, entity_id) VALUES(?, ?, ?, ?)",
        _names_of_memories(connection) + _names_of_aliases(connection),
    )


def _fourth(connection: apsw.Connection) -> None:
    tell_the_past(connection)
    connection.execute(VECTOR_TABLES)
    connection.execute(_COMPANY)
    index_all_scripts(connection)


def _give_marks(connection: apsw.Connection) -> None:
    after = 0
    while True:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT rid, title, content, metadata FROM memory WHERE rid > ? ORDER BY rid LIMIT ?",
            (after, MARKED_AT_ONCE),
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        connection.executemany(
            "UPDATE memory SET fingerprint = ?2, topic = ?3 WHERE rid = ?1",
            [
                (rid, fingerprint(title, content), topic_of(title, json.loads(metadata)))
                for rid, title, content, metadata in rows
            ],
        )


def _is_start_given(state: bytes) -> bool:
    """Whether a link names its start, out of its record's row as schema 2 spells it."""
    body = json.loads(state).get("h", {}).get("body", [])
    value = body[0][1] if body else None
    if not isinstance(value, dict) or value.get("valid_from_given") is not True:
        return False
    start = value.get("valid_from")
    return isinstance(start, int) and not isinstance(start, bool) and _YEAR_1 <= start < _YEAR_9999


def _names_of_memories(connection: apsw.Connection) -> list[tuple[str, ...]]:
    rows = connection.execute(
        "SELECT record_id, title, metadata FROM memory WHERE life <> 'deleted'"
        " AND rid IN (SELECT rid FROM memory_tag WHERE tag = 'entity')"
    )
    return [
        (record_id, title, folded(title), record_id)
        for record_id, title, metadata in rows
        if json.loads(metadata).get("kind") == "entity"
    ]


def _names_of_aliases(connection: apsw.Connection) -> list[tuple[str, ...]]:
    """Of records that a peer of a later version wrote before this one understood them."""
    rows = connection.execute(
        "SELECT record_id, state FROM record WHERE type = 'entity'"
        " AND record_id >= 'entity:' AND record_id < 'entity;'"
    )
    names: list[tuple[str, ...]] = []
    for record_id, encoded in rows:
        row = json.loads(encoded)
        lives = [value for _, value in row.get("h", {}).get("life", [])]
        if lives and all(isinstance(one, dict) and one.get("is") == "deleted" for one in lives):
            continue
        entity_id = record_id.removeprefix("entity:")
        names += [(record_id, tag, folded(tag), entity_id) for tag in row.get("t", {})]
    return names


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
    Migration(3, "links by time, names of entities, how many memories, what is alike", _third),
    Migration(4, "vectors of memories", _fourth),
    Migration(5, "what is shown where a request was done twice", None, shows_again=True),
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
    teach(connection)
    steps = [migration for migration in migrations if migration.number > have]
    with connection:
        for step in steps:
            if step.apply is not None:
                step.apply(connection)
        if any(step.shows_again for step in steps):
            show_again(connection)
        connection.execute(
            "INSERT OR REPLACE INTO meta(k, v) VALUES(?, ?)",
            (META_SCHEMA, str(migrations[-1].number).encode()),
        )
