"""A disk under SQLite that can fail, fill up, dawdle, and forget what was never synced.

SIGKILL ends a process and not a machine: what the operating system has taken over survives it. So
before each write the old content goes into a journal beside the data directory, and a sync empties
it. After a kill `lose_unsynced` puts the old content back, and what is left is what a power cut
leaves: all that was synced, and of the rest some, torn or nothing. A journal outlives its process,
since what was not synced does not become so by a restart.

This covers the store's own files. Small files beside the key are written by aimem_node/durable.py,
synced one by one, and have nothing to lose between two syncs.
"""

from __future__ import annotations

import os
import random
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import apsw

ENTRY: Final = struct.Struct("!QQQQ")
"""Where a write begins, its length, how long the file was before, how much of the old follows."""
SECTOR: Final = 512
SURVIVES: Final = 0.5
"""Of unsynced writes that no other one overlaps, on a machine that keeps some."""
NAME: Final = "chaos"
MARK: Final = ".chaos-disk"
"""Holds one random word, in the data directory and beside its journals, new with every process: a
directory that was put back from an image has another one, and journals that are not about it."""


def journals(data_dir: Path) -> Path:
    """Where the old content of a store's files is kept."""
    return data_dir.parent / f"{data_dir.name}.unsynced"


class Disk:
    """What this process's disk does. One for all files."""

    def __init__(self, data_dir: Path) -> None:
        """Takes up the journals of the process before, as far as they are about what is there."""
        self._home = journals(data_dir)
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.fails_to_sync = False
        self.is_full = False
        self.delay_s = 0.0
        self.delayed = 0
        self.refused = 0
        "Syncs that failed, and writes for which there was no room."
        self.lock = threading.Lock()
        self._journals: dict[Path, int] = {}
        for journal, path in _kept(data_dir):
            if path is None:
                journal.unlink()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir = data_dir.resolve()  # as SQLite names it
        word = os.urandom(8).hex()
        for place in (data_dir, self._home):
            (place / MARK).write_text(word, encoding="ascii")

    def mount(self) -> None:
        """Put it under every database that this process opens from now on."""
        usual = apsw.vfs_names()[0]
        disk = self

        class File(_File):
            def __init__(self, name: Any, flags: list[int]) -> None:
                super().__init__(usual, name, flags)
                kept = flags[0] & (apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL)
                path = Path(name.filename() if isinstance(name, apsw.URIFilename) else str(name))
                self.disk = disk
                self.undo = disk.journal(path) if kept and path.parent == disk.data_dir else -1

        class System(apsw.VFS):
            def __init__(self) -> None:
                super().__init__(NAME, usual, makedefault=True)

            def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's word
                return File(name, flags)

            def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
                disk.forget(Path(filename))
                super().xDelete(filename, syncdir)

        self._system = System()

    def journal(self, path: Path) -> int:
        """The journal of a file, as a descriptor, one for all connections."""
        journal = _journal_of(self._home, path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with self.lock:
            if journal not in self._journals:
                self._journals[journal] = os.open(journal, flags, 0o600)
            return self._journals[journal]

    def forget(self, path: Path) -> None:
        """A file is removed."""
        with self.lock:
            if path.exists() and (undo := self._journals.get(_journal_of(self._home, path))):
                os.ftruncate(undo, 0)

    def obey(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """sync: "eio" or "ok"; full: whether nothing can be written; delay_ms: before each sync."""
        if "sync" in order:
            if order["sync"] not in ("eio", "ok"):
                raise ValueError('sync is "eio" or "ok"')
            self.fails_to_sync = order["sync"] == "eio"
        if "full" in order:
            self.is_full = bool(order["full"])
        if "delay_ms" in order:
            self.delay_s = float(order["delay_ms"]) / 1000
        return {"delayed": self.delayed, "refused": self.refused}


class _File(apsw.VFSFile):
    """A file whose unsynced writes can be taken back."""

    disk: Disk
    undo: int

    def xWrite(self, content: bytes, offset: int) -> None:  # noqa: N802
        if self.undo >= 0:
            if self.disk.is_full:
                self.disk.refused += 1
                raise apsw.FullError("database or disk is full")
            self._note(offset, len(content))
        super().xWrite(content, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        if self.undo >= 0 and (more := self.xFileSize() - size) > 0:
            self._note(size, more)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        disk = self.disk
        if disk.delay_s:
            time.sleep(disk.delay_s)
            with disk.lock:
                disk.delayed += 1
        if disk.fails_to_sync:
            disk.refused += 1
            error: Any = apsw.IOError("disk I/O error")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC
            raise error
        super().xSync(flags)
        if self.undo >= 0:
            os.ftruncate(self.undo, 0)

    def _note(self, offset: int, length: int) -> None:
        size = self.xFileSize()
        there = max(0, min(length, size - offset))
        old = self.xRead(there, offset) if there else b""
        os.write(self.undo, ENTRY.pack(offset, length, size, len(old)) + old)


def lose_unsynced(data_dir: Path, chance: random.Random) -> int:
    """Leave of a killed node's store what a power cut would; how many writes were taken back.

    Half of the time nothing of what was not synced made it, else some of it did, in sectors.
    """
    lost = 0
    for journal, path in _kept(data_dir):
        if path is not None:
            lost += _take_back(path, journal.read_bytes(), chance)
        journal.unlink()
    for name in data_dir.glob("*-shm"):
        name.unlink()
    return lost


def _journal_of(home: Path, path: Path) -> Path:
    """By inode too: another file may have taken the place and the name of this one."""
    return home / f"{path.name}.{path.stat().st_ino}"


def _kept(data_dir: Path) -> list[tuple[Path, Path | None]]:
    """Every journal, with the file that it is about; None if that is no more."""
    home = journals(data_dir)
    if not home.is_dir():
        return []
    try:
        same = (home / MARK).read_bytes() == (data_dir / MARK).read_bytes()
    except FileNotFoundError:
        same = False
    found: list[tuple[Path, Path | None]] = []
    for journal in sorted(home.iterdir()):
        if journal.name == MARK:
            continue
        path = data_dir / journal.name.rpartition(".")[0]
        there = same and path.exists() and _journal_of(home, path) == journal
        found.append((journal, path if there else None))
    return found


def _take_back(path: Path, journal: bytes, chance: random.Random) -> int:
    entries = _entries(journal)
    if not entries:
        return 0
    some = chance.random() < SURVIVES
    spared = {
        at for at in range(len(entries))
        if some and _is_alone(entries, at) and chance.random() < SURVIVES
    }  # fmt: skip
    size = entries[0][2]
    with path.open("r+b") as file:
        new = {at: _read(file, entries[at][0], entries[at][1]) for at in spared}
        for offset, _, _, old in reversed(entries):
            file.seek(offset)
            file.write(old)
        file.truncate(size)
        for at in spared:
            offset = entries[at][0]
            sectors = range(0, len(new[at]), SECTOR)
            for start in (one for one in sectors if chance.random() < SURVIVES):
                file.seek(offset + start)
                file.write(new[at][start : start + SECTOR])
        file.flush()
        os.fsync(file.fileno())
    return len(entries) - len(spared)


def _read(file: Any, offset: int, length: int) -> bytes:
    file.seek(offset)
    found: bytes = file.read(length)
    return found


def _entries(journal: bytes) -> list[tuple[int, int, int, bytes]]:
    """(offset, length, size before, old content) of every write since the last sync. A last entry
    that is cut short belongs to a write that was never begun."""
    found, at = [], 0
    while at + ENTRY.size <= len(journal):
        offset, length, size, count = ENTRY.unpack_from(journal, at)
        at += ENTRY.size
        if at + count > len(journal):
            break
        found.append((offset, length, size, journal[at : at + count]))
        at += count
    return found


def _is_alone(entries: list[tuple[int, int, int, bytes]], at: int) -> bool:
    """Whether no other write touches the same bytes: else it could not be told which came first."""
    offset, length = entries[at][0], entries[at][1]
    return all(
        other == at or entry[0] >= offset + length or entry[0] + entry[1] <= offset
        for other, entry in enumerate(entries)
    )
