"""Put a snapshot in the place of the store, with everything that stands only here on top of it.

The new store is made whole beside the old one: the snapshot, then this node's own values, answers
and the ops that the snapshot lacks. Then its pages are copied over the old ones in one transaction
of SQLite (its backup, the other way round). So a crash leaves the old store or the new one, and
whoever is reading goes on reading the old one until they begin anew. No ATTACH and no INSERT of a
hundred thousand rows with their indexes: the file comes with these.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import apsw

from aimem_node.store.meta import (
    IN_INDEX,
    IN_WAL,
    META_LAMPORT,
    META_SCHEMA,
    META_UNSCRUBBED,
    META_VECTOR_NUMBERS,
)
from aimem_node.store.prepared import open_snapshot, refused
from aimem_node.store.session import WriteSession
from aimem_node.store.snapshot import InstalledFile
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Dot, Origin
from aimem_sync.faults import PeerFault
from aimem_sync.log import Head
from aimem_sync.op import Op
from aimem_sync.snapshot import plan

POSITIONS_SPARE: Final = 100_000
"""Positions left free for ops that come while a snapshot is being prepared."""
PAGES_AT_A_TIME: Final = 4_096
OPS_PER_PAGE: Final = 1_000
_FAR: Final = 1 << 62


@dataclass(slots=True)
class Install:
    """Stands in the writer's queue for a snapshot that is ready to be put in place."""

    path: Path
    own: Origin
    snapshot: apsw.Connection
    placed: Callable[[InstalledFile], None]
    """Told on the writer's thread, before any work behind this one is answered: where the logs end
    now must not be heard after where they end later."""

    def __call__(self, _: WriteSession) -> InstalledFile:
        raise AssertionError("the writer does this itself")


class Submit(Protocol):
    """The writer's queue."""

    def __call__(self, job: Callable[[WriteSession], Any]) -> Future[Any]: ...


def install(
    submit: Submit, path: Path, own: Origin, check: Callable[[Op], bool]
) -> Future[InstalledFile]:
    """See Writer.install. What can be done beside the writer is done on a thread of its own."""
    future: Future[InstalledFile] = Future()

    def prepare() -> None:
        try:
            snapshot = open_snapshot(path, check)
            try:
                last_pos = submit(lambda session: session.last_pos()).result()
                _shift(snapshot, last_pos, POSITIONS_SPARE)
                submit(Install(path, own, snapshot, future.set_result)).result()
            finally:
                snapshot.close()
        except BaseException as cause:
            if not future.done():
                future.set_exception(cause)

    threading.Thread(target=prepare, name="aimem-install", daemon=True).start()
    return future


def replace(connection: apsw.Connection, session: WriteSession, job: Install) -> InstalledFile:
    """On the writer's thread, outside any transaction: make the new store and copy it over.

    `session` is of the old one and good for nothing afterwards. Raises Failure CORRUPT for what is
    wrong with the snapshot; any apsw.Error is about the store itself, which then is as it was.
    """
    refuses = _refused(session, View(job.snapshot))
    if refuses is not None:
        return InstalledFile(session.heads(), session.floor(), refuses)
    try:
        heads, floor = _complete(connection, session, job)
    except (apsw.Error, PeerFault) as cause:
        raise refused(job.path, str(cause)) from cause
    with connection.backup("main", job.snapshot, "main") as copying:
        while not copying.done:
            copying.step(PAGES_AT_A_TIME)
    return InstalledFile(heads, floor)


def _refused(mine: View, theirs: View) -> tuple[Origin, ...] | None:
    """The logs that forbid it: they would lose ops, or are others under the same name."""
    decided = plan(mine.have(), mine.floor(), theirs.have())
    if decided.refused:
        return decided.refused
    forked = []
    their_heads = theirs.heads()
    for origin, head in mine.heads().items():
        other = their_heads.get(origin)
        if other is None:
            continue
        seq = min(head.seq, other.seq)
        here, there = mine.op(Dot(origin, seq)), theirs.op(Dot(origin, seq))
        if here is None or there is None or here.chain != there.chain:
            forked.append(origin)
    return tuple(forked) or None


def _complete(
    connection: apsw.Connection, session: WriteSession, job: Install
) -> tuple[dict[Origin, Head], Cursor]:
    """Add to the snapshot what stands only here."""
    snapshot = job.snapshot
    have = session.have()
    with snapshot:
        if session.last_pos() >= _positions(snapshot)[0]:
            _shift(snapshot, session.last_pos(), 0)
        new = WriteSession(snapshot)
        for missing in have.missing_from(new.have()):
            _take_over(session, new, missing)
        new.finish()
        _keep_answers(connection, snapshot, new)
        _keep_own(connection, snapshot, max(session.lamport(), new.lamport()))
        # Who the members are is believed when it is proved, and nothing has proved those in a file.
        if mine := session.configs():
            new.reset_configs(mine)
        # Its vectors serve as they are if they are of the model in use here.
        for space in session.spaces():
            if space.active:
                new.set_space(space)
        heads, floor = new.heads(), new.floor()
    assert Cursor({o: h.seq for o, h in heads.items()}).dominates(have)
    assert job.own not in have.seqs or heads[job.own].seq >= have.get(job.own)
    return heads, floor


def _take_over(old: WriteSession, new: WriteSession, missing: Range) -> None:
    seq = missing.first - 1
    while seq < missing.last:
        page = old.ops_of_origin(missing.origin, seq, OPS_PER_PAGE)
        new.take_run([placed.op for placed in page])
        seq = page[-1].op.seq


def _keep_answers(old: apsw.Connection, snapshot: apsw.Connection, new: WriteSession) -> None:
    """Answers that were given here: whoever was given one must be given the same again."""
    typeless = snapshot.execute("SELECT record_id FROM record WHERE type = ''").fetchall()
    gone = {r for (r,) in typeless if (state := new.state(str(r))) is not None and state.purged}
    oids: dict[Origin | None, int] = {origin: oid for oid, origin in _origins(snapshot)}
    mine: dict[Any, Origin] = dict(_origins(old))
    told: dict[tuple[Any, Any], list[Any]] = {}
    rows = old.execute("SELECT author, request_key, record_id FROM idem_record")
    for author, key, record_id in rows:
        told.setdefault((author, key), []).append(record_id)
    answers: list[tuple[Any, ...]] = []
    records: list[tuple[Any, ...]] = []
    rows = old.execute(
        "SELECT author, request_key, request_sha256, response, at_us, made_oid, made_seq FROM idem"
    )
    for author, key, *parts, oid, seq in rows:
        speaks_of = told.get((author, key), ())
        if gone.intersection(speaks_of):
            continue
        answers.append((author, key, *parts, oids.get(mine.get(oid)), seq))
        records += [(record_id, author, key) for record_id in speaks_of]
    keys = [answer[:2] for answer in answers]
    snapshot.executemany("DELETE FROM idem_record WHERE author = ? AND request_key = ?", keys)
    snapshot.executemany("DELETE FROM idem WHERE author = ? AND request_key = ?", keys)
    snapshot.executemany(
        "INSERT INTO idem(author, request_key, request_sha256, response, at_us, made_oid,"
        " made_seq) VALUES(?, ?, ?, ?, ?, ?, ?)",
        answers,
    )
    snapshot.executemany(
        "INSERT INTO idem_record(record_id, author, request_key) VALUES(?, ?, ?)", records
    )


def _keep_own(old: apsw.Connection, snapshot: apsw.Connection, lamport: int) -> None:
    """This node's own values."""
    # The vectors that come have numbers of their own: no saved part of the index fits them.
    rows = old.execute(
        "SELECT k, v FROM meta WHERE k NOT IN (?, ?)", (META_SCHEMA, META_VECTOR_NUMBERS)
    )
    values: dict[Any, Any] = dict(cast("list[tuple[Any, Any]]", rows.fetchall()))
    values[META_LAMPORT] = str(lamport).encode()
    # What the old pages said of a record purged meanwhile stands in the WAL until it is emptied.
    values[META_UNSCRUBBED] = IN_WAL
    if View(snapshot).meta(META_UNSCRUBBED) == IN_INDEX:
        values[META_UNSCRUBBED] = IN_INDEX
    snapshot.execute("DELETE FROM meta WHERE k <> ?", (META_SCHEMA,))
    snapshot.executemany("INSERT INTO meta(k, v) VALUES(?, ?)", list(values.items()))


def _shift(snapshot: apsw.Connection, last_pos: int, spare: int) -> None:
    """Put the snapshot's ops behind the last position of this node. Positions never go back."""
    if last_pos == 0:
        return
    first, last = _positions(snapshot)
    by = last_pos + 1 + spare - first
    if by > 0:
        # By more than there are, so that no two ops ever stand at one position.
        snapshot.execute("UPDATE op SET pos = pos + ?", (max(by, last - first + 1),))


def _positions(connection: apsw.Connection) -> tuple[int, int]:
    """The first and the last position; far away if there are no ops."""
    ((first, last),) = connection.execute(
        "SELECT coalesce(min(pos), ?1), coalesce(max(pos), ?1) FROM op", (_FAR,)
    )
    return cast("int", first), cast("int", last)


def _origins(connection: apsw.Connection) -> list[tuple[int, Origin]]:
    rows = connection.execute("SELECT oid, node_id, incarnation FROM origin")
    return [(oid, Origin(node_id, incarnation)) for oid, node_id, incarnation in rows]
