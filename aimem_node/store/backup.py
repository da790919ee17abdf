"""Copies of the file that can be trusted, and the way back from one.

A snapshot is one SQLite file of one moment, with its hash written beside it. To put one back is
to forget what came after it, which other nodes may have seen; so a restored file says of itself
that it is one, and the node that opens it begins a new log instead of numbering ops twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.durable import put_in_place, replace_file, sync_directory
from aimem_node.store.database import DATABASE, RESTORING, DirectoryLock, open_reader
from aimem_node.store.meta import META_VECTOR_NUMBERS
from aimem_node.store.schema import check_readable, schema_of

META_RESTORED: Final = "restored"
"""There from a restore until the node has begun a new log."""

_PREFIX: Final = "aimem-"
_FILES: Final = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """A snapshot that was made."""

    path: Path
    sha256: str
    "In hex."
    bytes: int
    removed: int
    "Older snapshots that were deleted."


def backup(data_dir: Path, to_dir: Path, keep: int, now_us: int, version: str) -> Backup:
    """Copy the open store into `to_dir` and delete all but the `keep` newest; 0 keeps all.

    Neither readers nor writers wait for it. Raises Failure STORAGE; nothing is deleted then.
    """
    name = f"{_PREFIX}{_stamp(now_us)}.db"
    target, part = to_dir / name, to_dir / f"{name}.part"
    try:
        to_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        connection = open_reader(data_dir)
        try:
            # Not a copy of pages: what was deleted stays behind, and no WAL has to come along.
            connection.execute("VACUUM INTO ?", (str(part),))
        finally:
            connection.close()
        os.chmod(part, 0o600)
        sha256, size = _sync_and_hash(part)
        put_in_place(part, target)
        manifest = {
            "snapshot": name,
            "sha256": sha256,
            "bytes": size,
            "version": version,
            "created_at": _iso(now_us),
        }
        replace_file(_manifest_of(target), f"{json.dumps(manifest, indent=2)}\n".encode())
        return Backup(target, sha256, size, _prune(to_dir, keep))
    except (OSError, apsw.Error) as cause:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise Failure(
            Code.STORAGE,
            f"no backup could be made in {to_dir}: {cause}",
            next="Give a directory with room that this user may write to.",
        ) from cause


def restore(snapshot: Path, data_dir: Path, now_us: int) -> dict[str, Any]:
    """Put a snapshot in the place of a stopped node's store. What was there is moved aside.

    Returns {"restored": path, "from": path, "aside": path or "", "verified": bool}; verified is
    false if there is no manifest to compare the snapshot with. Raises Failure UNAVAILABLE if a
    node runs there, NOT_FOUND, CORRUPT if the snapshot is damaged (nothing is changed), STORAGE.
    """
    lock = DirectoryLock(data_dir)
    try:
        verified = _check_manifest(snapshot)
        new = data_dir / f"{DATABASE}.restore"
        try:
            _copy(snapshot, new)
            _check_and_mark(new, snapshot)
            aside = _swap(data_dir, new, now_us)
        except OSError as cause:
            raise Failure(Code.STORAGE, f"the restore into {data_dir} failed: {cause}") from cause
    finally:
        lock.release()
    return {
        "restored": str(data_dir / DATABASE),
        "from": str(snapshot),
        "aside": str(aside) if aside else "",
        "verified": verified,
    }


def _check_manifest(snapshot: Path) -> bool:
    if not snapshot.is_file():
        raise Failure(Code.NOT_FOUND, f"no snapshot {snapshot}")
    manifest = _manifest_of(snapshot)
    if not manifest.exists():
        return False
    try:
        said = json.loads(manifest.read_text())["sha256"]
    except (ValueError, LookupError, TypeError) as cause:
        raise _damaged(snapshot, f"its manifest {manifest.name} cannot be read") from cause
    if said != _sha256(snapshot):
        raise _damaged(snapshot, f"it does not match the hash in {manifest.name}")
    return True


def _check_and_mark(new: Path, snapshot: Path) -> None:
    try:
        connection = apsw.Connection(str(new), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            schema = schema_of(connection)
            check_readable(schema, str(snapshot))
            if schema == 0:
                raise _damaged(snapshot, "it is empty")
            problem = connection.execute("PRAGMA integrity_check(1)").get
            if problem != "ok":
                raise _damaged(snapshot, str(problem))
            connection.execute(
                "INSERT OR REPLACE INTO meta(k, v) VALUES(?, ?)", (META_RESTORED, b"1")
            )
            # Vectors will be given numbers again that a saved index knows of others.
            connection.execute("DELETE FROM meta WHERE k = ?", (META_VECTOR_NUMBERS,))
        finally:
            connection.close()
        _sync_and_hash(new)
    except (apsw.CorruptError, apsw.NotADBError) as cause:
        raise _damaged(snapshot, str(cause)) from cause
    except Failure:
        new.unlink(missing_ok=True)
        raise


def _swap(data_dir: Path, new: Path, now_us: int) -> Path | None:
    # A WAL must never stand beside a file that it does not belong to, and a file without its WAL
    # has lost writes. So there is no order of renames that is safe to be interrupted: the marker
    # makes a node refuse to start until a restore has come to its end.
    present = [data_dir / name for name in _FILES if (data_dir / name).exists()]
    aside = data_dir / f"before-restore-{_stamp(now_us)}" if present else None
    replace_file(data_dir / RESTORING, f"{new.name}\n".encode())
    if aside is not None:
        aside.mkdir(mode=0o700)
        for path in present:
            os.rename(path, aside / path.name)
        sync_directory(aside)
    put_in_place(new, data_dir / DATABASE)
    (data_dir / RESTORING).unlink()
    sync_directory(data_dir)
    return aside


def _prune(to_dir: Path, keep: int) -> int:
    if keep == 0:
        return 0
    # Only what has a manifest is ours to delete; the names sort by time.
    snapshots = sorted(
        path for path in to_dir.glob(f"{_PREFIX}*.db") if _manifest_of(path).exists()
    )
    for path in snapshots[:-keep]:
        path.unlink()
        _manifest_of(path).unlink()
    return len(snapshots[:-keep])


def _manifest_of(snapshot: Path) -> Path:
    return snapshot.with_suffix(".json")


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with source.open("rb") as reader, os.fdopen(handle, "wb") as writer:
        shutil.copyfileobj(reader, writer, _CHUNK)


def _sync_and_hash(path: Path) -> tuple[str, int]:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return _sha256(path), path.stat().st_size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(now_us: int) -> str:
    return datetime.fromtimestamp(now_us / 1_000_000, UTC).strftime("%Y%m%dT%H%M%S%fZ")


def _iso(now_us: int) -> str:
    return datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _damaged(snapshot: Path, why: str) -> Failure:
    return Failure(
        Code.CORRUPT,
        f"{snapshot} is damaged: {why}. Nothing was changed",
        next="Restore another snapshot.",
    )
