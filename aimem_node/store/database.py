"""Open the one file, and be the only one who does.

A file that cannot be read is never overwritten, renamed or "repaired" here: it may be all that is
left of somebody's memory. A new file is made complete under another name and then put in place,
so an empty or half-made one always means damage and never a first start that was interrupted.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.durable import put_in_place
from aimem_node.store.schema import (
    MIGRATIONS,
    Migration,
    check_readable,
    migrate,
    schema_of,
)
from aimem_node.store.words import teach

SqliteError: TypeAlias = apsw.Error
"""What SQLite raises. The writer and the readers make a Failure of it, once a job has ended."""

DATABASE: Final = "aimem.db"
LOCK: Final = "aimem.lock"
RESTORING: Final = "aimem.restoring"
"""Stands while a restore puts files in place; found later, it means that was interrupted."""
BACKUPS: Final = "backups"

BUSY_MS: Final = 5_000
"""How long a statement waits for a lock. Only a checkpoint or a backup ever holds one."""
WRITER_CACHE_KIB: Final = 16_384
READER_CACHE_KIB: Final = 4_096
"""Four readers at 4 MiB: the page cache of a whole idle node stays near 32 MiB at worst."""
JOURNAL_BYTES_MAX: Final = 16 << 20
"""What a WAL that once grew is cut back to when it is reset."""
CHECKED_WHOLE_BYTES_MAX: Final = 64 << 20
"""A file up to this size is checked page by page at every start (about 0.1 s). A larger one is
looked at in every table; `aimem-node verify` reads it all."""

_MAGIC: Final = b"SQLite format 3\0"


class DirectoryLock:
    """The right to open a data directory, held until `release` or the end of the process."""

    def __init__(self, data_dir: Path) -> None:
        """Take it. Raises Failure UNAVAILABLE if a node has it, STORAGE if it cannot be made."""
        path = data_dir / LOCK
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as cause:
            raise _unwritable(path, cause) from cause
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise Failure(
                Code.UNAVAILABLE,
                f"another node (pid {holder}) has this directory open: {data_dir}",
                next="Use that node, stop it with `aimem-node stop`, or give another --data-dir.",
            ) from cause
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as cause:
            self.release()
            raise _unwritable(path, cause) from cause

    def release(self) -> None:
        """Let others open the directory. The file stays: removing it would race with them."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def open_database(
    data_dir: Path, migrations: tuple[Migration, ...] = MIGRATIONS
) -> apsw.Connection:
    """The connection that may write, to a file that is whole and of this version's schema.

    An older file is backed up, then migrated. The directory's lock must be held.
    Raises Failure CORRUPT, STORAGE, or UNAVAILABLE for a file of a later version.
    """
    path = data_dir / DATABASE
    if (data_dir / RESTORING).exists():
        raise Failure(
            Code.CORRUPT,
            f"a restore into {data_dir} was interrupted",
            next="Run `aimem-node restore` again; the former files are kept beside it.",
        )
    try:
        if not path.exists():
            _create(path, migrations)
        _check_header(path)
        connection = _open_writable(path)
        try:
            schema = schema_of(connection)
            check_readable(schema, str(path), migrations[-1].number)
            _check_pages(connection, path)
            if schema < migrations[-1].number:
                _backup_before(connection, data_dir, schema)
                migrate(connection, schema, migrations)
            undo_in_memory(connection)  # not before: a migration may sort more than fits there
        except BaseException:
            connection.close()
            raise
    except (apsw.CorruptError, apsw.NotADBError) as cause:
        raise corrupt(path, str(cause)) from cause
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError, apsw.FullError, OSError) as cause:
        raise _unwritable(path, cause) from cause
    return connection


def open_reader(data_dir: Path) -> apsw.Connection:
    """Another connection to the open file, which cannot write."""
    connection = apsw.Connection(str(data_dir / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
    wait_for_locks(connection)
    cache_pages(connection, READER_CACHE_KIB)
    keep_plans(connection)
    teach(connection)
    return connection


def corrupt(path: Path, why: str) -> Failure:
    """The failure for a file that cannot be believed."""
    return Failure(
        Code.CORRUPT,
        f"{path} is damaged: {why}. Nothing was changed",
        next=f"Restore a backup: `aimem-node restore {path.parent / BACKUPS}/<snapshot>`. "
        "The damaged file is kept.",
    )


def write_ahead(connection: apsw.Connection) -> None:
    """WAL: readers see the last commit while the next is being written."""
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise Failure(
            Code.STORAGE,
            f"{connection.filename} cannot use a write-ahead log here (got {mode})",
            next="Put the data directory on a local disk.",
        )


def sync_every_commit(connection: apsw.Connection) -> None:
    """FULL: an answered write survives a power cut. NORMAL in WAL mode syncs no commit at all."""
    connection.pragma("synchronous", "full")


def keep_references(connection: apsw.Connection) -> None:
    """Rows that refer to others are checked by SQLite too."""
    connection.pragma("foreign_keys", True)


def overwrite_deleted(connection: apsw.Connection) -> None:
    """Zero what is deleted: erased text must leave the file, and pages are reused only later."""
    connection.pragma("secure_delete", True)


def checkpoint_by_hand(connection: apsw.Connection) -> None:
    """The writer moves the WAL into the file when it is idle, not in the middle of a commit."""
    connection.wal_autocheckpoint(0)
    connection.pragma("journal_size_limit", JOURNAL_BYTES_MAX)


def wait_for_locks(connection: apsw.Connection) -> None:
    """Wait instead of failing while a backup or a checkpoint holds a lock."""
    connection.set_busy_timeout(BUSY_MS)


def cache_pages(connection: apsw.Connection, kib: int) -> None:
    """How much of the file a connection keeps in memory."""
    connection.pragma("cache_size", -kib)


def undo_in_memory(connection: apsw.Connection) -> None:
    """Keep in memory what a savepoint would put back. By itself SQLite makes a file for it outside
    the data directory in every transaction that changes sixteen pages, and our text goes there."""
    connection.pragma("temp_store", "memory")


def keep_plans(connection: apsw.Connection) -> None:
    """Plan a statement once, not anew for each value it is given: full-text search asks one small
    question per word and part of the index, and planning that takes longer than answering it."""
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def _open_writable(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        wait_for_locks(connection)
        write_ahead(connection)
        sync_every_commit(connection)
        keep_references(connection)
        overwrite_deleted(connection)
        checkpoint_by_hand(connection)
        cache_pages(connection, WRITER_CACHE_KIB)
        keep_plans(connection)
        teach(connection)
        sync_what_was_found(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def sync_what_was_found(connection: apsw.Connection) -> None:
    """Put on the disk what an earlier process wrote and was killed before it could sync.

    SQLite takes such a commit for one like any other, since it is in the file as far as the
    operating system can tell. This node would confirm it to others, and a power cut could still
    take it away. A checkpoint syncs the log before it moves anything.
    """
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _create(path: Path, migrations: tuple[Migration, ...]) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)  # ours, from a first start that was interrupted
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    connection = apsw.Connection(str(new), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        sync_every_commit(connection)
        migrate(connection, 0, migrations)
    finally:
        connection.close()
    put_in_place(new, path)


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start != _MAGIC:
        raise corrupt(path, "it does not begin as a SQLite file does")


def _check_pages(connection: apsw.Connection, path: Path) -> None:
    if path.stat().st_size <= CHECKED_WHOLE_BYTES_MAX:
        problem = connection.execute("PRAGMA quick_check(1)").get
        if problem != "ok":
            raise corrupt(path, str(problem))
        return
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"
    for (table,) in connection.execute(tables).fetchall():
        connection.execute(f'SELECT * FROM "{table}" LIMIT 1').fetchall()  # noqa: S608  our names


def _backup_before(connection: apsw.Connection, data_dir: Path, schema: int) -> None:
    backups = data_dir / BACKUPS
    backups.mkdir(mode=0o700, exist_ok=True)
    target = backups / f"before-schema-{schema + 1}.db"
    number = 1
    while target.exists():  # an upgrade, a way back and an upgrade again must not lose the first
        number += 1
        target = backups / f"before-schema-{schema + 1}-{number}.db"
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(part),))
    os.chmod(part, 0o600)
    put_in_place(part, target)


def _unwritable(path: Path, cause: Exception) -> Failure:
    return Failure(
        Code.STORAGE,
        f"{path} cannot be opened for writing: {cause}",
        next="Make the data directory writable for this user and its disk not full, "
        "or give another --data-dir.",
    )
