"""A snapshot file from another member, looked at before anything of it is believed.

Whatever can be said against it is said here, before the store is touched. The logs are proved: the
chain of each is computed again, every body against its hash, and the signature of its last op is
checked, which stands for all before it. The rows made from them are believed, as far as they add
up to the digest; a member that lies about those lies in its answers too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.schema import check_readable, migrate, schema_of
from aimem_node.store.view import View
from aimem_sync.digest import Digest, bucket_of, sum_plus
from aimem_sync.faults import PeerFault
from aimem_sync.log import Head, admit
from aimem_sync.op import Kind, Op, Origin

OPS_PER_PAGE: Final = 1_000
_MAGIC: Final = b"SQLite format 3\0"
_TABLES: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
)


def open_snapshot(path: Path, check: Callable[[Op], bool]) -> apsw.Connection:
    """A connection to a snapshot that has passed every check. One of an older schema is migrated.

    `check` is given the last op of every log: whether its signature holds. Raises Failure CORRUPT,
    or UNAVAILABLE for a file of a later version.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise refused(path, "it does not begin as a SQLite file does")
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except (OSError, apsw.Error) as cause:
        raise refused(path, str(cause)) from cause
    try:
        # Thrown away if the machine stops before it is installed, so nothing needs to be synced.
        connection.pragma("synchronous", "off")
        connection.pragma("journal_mode", "memory")
        connection.pragma("trusted_schema", False)
        _check_form(connection, path)
        _check_logs(View(connection), path, check)
        _check_digest(connection, path)
    except (apsw.Error, ValueError, PeerFault) as cause:
        connection.close()
        raise refused(path, str(cause)) from cause
    except BaseException:
        connection.close()
        raise
    return connection


def refused(path: Path, why: str) -> Failure:
    """The failure for a snapshot that cannot be believed."""
    return Failure(
        Code.CORRUPT,
        f"the snapshot {path.name} cannot be used: {why}. Nothing was changed",
        next="Take a snapshot of another member.",
    )


def _check_form(connection: apsw.Connection, path: Path) -> None:
    problem = connection.execute("PRAGMA quick_check(1)").get
    if problem != "ok":
        raise refused(path, str(problem))
    schema = schema_of(connection)
    if schema == 0:
        raise refused(path, "it is empty")
    check_readable(schema, str(path))
    migrate(connection, schema)
    # Another table, view or trigger could say anything when it is read.
    if connection.execute(_TABLES).fetchall() != _our_tables():
        raise refused(path, "its tables are not those of a store")


def _our_tables() -> list[Any]:
    ours = apsw.Connection(":memory:")
    try:
        migrate(ours, 0)
        return list(ours.execute(_TABLES))
    finally:
        ours.close()


def _check_logs(view: View, path: Path, check: Callable[[Op], bool]) -> None:
    floor = view.floor()
    bare: set[str] = set()
    for origin, head in view.heads().items():
        last = _check_log(view, path, origin, head, floor.get(origin), bare)
        if not check(last):
            raise refused(path, f"the signature of {last.dot} does not hold")
    for record_id in bare:
        state = view.state(record_id)
        if state is None or not state.purged:
            raise refused(path, f"ops of {record_id} are without what they say")


def _check_log(
    view: View, path: Path, origin: Origin, noted: Head, floor: int, bare: set[str]
) -> Op:
    """Compute one chain again; its last op. Adds to `bare` whose bodies must have been erased."""
    head, last = Head(), None
    while head.seq < noted.seq:
        page = view.ops_of_origin(origin, head.seq, OPS_PER_PAGE)
        if not page:
            break
        for placed in page:
            last = placed.op
            head = admit(head, last)
            if last.body is None and last.seq > floor and last.kind != Kind.PURGE:
                bare.add(last.record_id)
    if head != noted or last is None:
        raise refused(path, f"the log of {origin} does not end where it should")
    return last


def _check_digest(connection: apsw.Connection, path: Path) -> None:
    sums = list(Digest().sums)
    for record_id, record_hash in connection.execute("SELECT record_id, hash FROM record"):
        at = bucket_of(str(record_id))
        sums[at] = sum_plus(sums[at], record_hash)
    if Digest(tuple(sums)) != View(connection).digest():
        raise refused(path, "its records are not the ones that its digest counts")
