"""The whole store as one file for another member, without what is this node's own business.

It is a complete store: logs, records and the rows made from them, with their indexes. So whoever
takes it need not fold a hundred thousand ops again; it proves the logs and believes the rest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.database import open_reader, overwrite_deleted
from aimem_node.store.meta import META_LAMPORT, META_SCHEMA, META_UNSCRUBBED
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.log import Head

TRAVELLING_META: Final = (META_SCHEMA, META_LAMPORT, META_UNSCRUBBED)
"""Named values that say something of the file and not of the node."""


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A snapshot that was made for another member."""

    path: Path
    heads: Mapping[Origin, Head]
    floor: Cursor
    lamport: int
    bytes: int
    sha256: str
    "In hex."


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """How the store stands after a snapshot was put in its place, or was not."""

    heads: Mapping[Origin, Head]
    floor: Cursor
    refused: tuple[Origin, ...] = ()
    "Logs that would have lost ops. If there are any, nothing was changed."


def export_snapshot(data_dir: Path, to: Path) -> SnapshotFile:
    """Write the open store to a file that another member can install. Replaces what is there.

    Neither readers nor writers wait for it. Raises Failure UNAVAILABLE if bodies were withheld
    from this node, STORAGE if there is no room.
    """
    part = to.with_name(f"{to.name}.part")
    try:
        part.unlink(missing_ok=True)
        reader = open_reader(data_dir)
        try:
            # Of one moment, and not a copy of pages: what was deleted stays behind.
            reader.execute("VACUUM INTO ?", (str(part),))
        finally:
            reader.close()
        os.chmod(part, 0o600)
        heads, floor, lamport = _strip(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = part.stat().st_size
        os.rename(part, to)
    except (OSError, apsw.Error) as cause:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise Failure(
            Code.STORAGE,
            f"no snapshot could be made at {to}: {cause}",
            next="Make room on the disk of the data directory.",
        ) from cause
    except Failure:
        part.unlink(missing_ok=True)
        raise
    return SnapshotFile(to, heads, floor, lamport, size, sha256)


def _strip(part: Path) -> tuple[dict[Origin, Head], Cursor, int]:
    """Take out what is this node's own; what the file then is."""
    connection = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        overwrite_deleted(connection)
        connection.pragma("synchronous", "off")  # synced as a whole, once
        if connection.execute("SELECT 1 FROM op WHERE withheld = 1 LIMIT 1").get:
            raise Failure(
                Code.UNAVAILABLE,
                "bodies were withheld from this node, so it cannot hand on a whole log",
                next="Take the snapshot of another member.",
            )
        connection.execute("DELETE FROM meta WHERE k NOT IN (?, ?, ?)", TRAVELLING_META)
        # Vectors travel, of the model in use: 0.8 KB per memory, and 15 ms of work saved each.
        connection.execute(
            "DELETE FROM vector WHERE sid IN (SELECT sid FROM space WHERE active = 0);"
            "DELETE FROM space WHERE active = 0; DELETE FROM vector_gone"
        )
        view = View(connection)
        return view.heads(), view.floor(), view.lamport()
    finally:
        connection.close()
