"""What is mined from: a file, a directory, or a zip archive that is read where it lies.

Nothing is unpacked, so names in an archive lead nowhere. An archive may be made to explode: what
a member may unpack to is bounded, in bytes and in proportion to what is stored (promise F5).
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from typing import Any, Protocol

from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.cli.mining.found import Unreadable

FILES_MAX = 200_000
MEMBER_BYTES_MAX = 8 << 30
"""Four times the largest export we have heard of."""
RATIO_MAX = 200
"""Chats shrink to a tenth, zeros to a thousandth."""
RATIO_FREE_BYTES = 4 << 20
"""Up to here nobody is hurt, and short texts that repeat themselves shrink a lot."""
TEXT_BYTES_MAX = 16 << 20
"""A file that is read as a whole."""
PASSED_BY = frozenset({".git", "node_modules", "__pycache__", ".venv", "__MACOSX"})
"""Directories in which nobody keeps notes."""
_DAMAGE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


class Opened:
    """One file being read. Counts what passes, and stops what unpacks to too much."""

    def __init__(self, file: Any, tree: Tree, bytes_max: int) -> None:
        self._file = file
        self._tree = tree
        self._bytes_max = bytes_max
        self._bytes = 0

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes. Raises Unreadable."""
        try:
            got: bytes = self._file.read(size)
        except _DAMAGE as error:
            raise Unreadable(f"cannot be read further: {error or type(error).__name__}") from None
        self._bytes += len(got)
        self._tree.bytes_read += len(got)
        if self._bytes > self._bytes_max:
            raise Unreadable(f"unpacks to more than {self._bytes_max:,} bytes, which is not to be")
        return got


class Tree(Protocol):
    """Files with names: slashes between the parts, relative to the source."""

    bytes_read: int

    def names(self) -> list[str]:
        """Every file, in alphabetical order."""

    def size(self, name: str) -> int:
        """Bytes, as far as can be known without reading."""

    def open(self, name: str) -> Opened:
        """One of them. Raises Unreadable."""


class Folder:
    """A directory, or a single file as a directory with nothing else in it."""

    def __init__(self, root: str, only: str = "") -> None:
        self._root = root
        self._only = only
        self.bytes_read = 0

    def names(self) -> list[str]:
        if self._only:
            return [self._only]
        found: list[str] = []
        for place, folders, files in os.walk(self._root):
            folders[:] = sorted(name for name in folders if name not in PASSED_BY)
            for name in sorted(files):
                path = os.path.join(place, name)
                # Neither what leads out of the directory nor what would never end.
                if stat.S_ISREG(os.lstat(path).st_mode):
                    found.append(os.path.relpath(path, self._root).replace(os.sep, "/"))
            if len(found) > FILES_MAX:
                raise _too_many(self._root)
        return sorted(found)

    def size(self, name: str) -> int:
        try:
            return os.path.getsize(os.path.join(self._root, name))
        except OSError:
            return 0

    def open(self, name: str) -> Opened:
        try:
            file = open(os.path.join(self._root, name), "rb")  # noqa: SIM115 - Opened closes it
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None
        return Opened(file, self, MEMBER_BYTES_MAX)


class Archive:
    """A zip file."""

    def __init__(self, path: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (*_DAMAGE, ValueError) as error:
            raise CallFailure(
                "CORRUPT", f"{path} is no zip archive that can be read: {error}",
                next_step="Download the export again.",
            ) from None  # fmt: skip
        self._members = {one.filename: one for one in self._zip.infolist() if not one.is_dir()}
        if len(self._members) > FILES_MAX:
            raise _too_many(path)
        self.bytes_read = 0

    def names(self) -> list[str]:
        return sorted(name for name in self._members if PASSED_BY.isdisjoint(name.split("/")))

    def size(self, name: str) -> int:
        return self._members[name].file_size

    def open(self, name: str) -> Opened:
        member = self._members[name]
        allowed = max(RATIO_FREE_BYTES, member.compress_size * RATIO_MAX)
        bytes_max = min(MEMBER_BYTES_MAX, allowed)
        if member.file_size > bytes_max:
            raise Unreadable(
                f"would unpack from {member.compress_size:,} to {member.file_size:,} bytes, "
                "which is not to be"
            )
        try:
            return Opened(self._zip.open(member), self, bytes_max)
        except _DAMAGE as error:
            raise Unreadable(f"cannot be unpacked: {error}") from None


def open_tree(path: str) -> Tree:
    """What lies at a path. Raises CallFailure if nothing does."""
    path = os.path.abspath(os.path.expanduser(path))
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise CallFailure(
            "NOT_FOUND", f"cannot read {path}: {error.strerror or error}",
            next_step="Name the export: a file, a directory or a zip archive.",
        ) from None  # fmt: skip
    if stat.S_ISDIR(mode):
        return Folder(path)
    if not stat.S_ISREG(mode):
        raise CallFailure(
            "INVALID_ARGUMENT", f"{path} is neither a file nor a directory",
            next_step="Name the export: a file, a directory or a zip archive.",
        )  # fmt: skip
    if path.lower().endswith(".zip") or zipfile.is_zipfile(path):
        return Archive(path)
    return Folder(os.path.dirname(path), os.path.basename(path))


def whole_text(tree: Tree, name: str) -> str:
    """A file as text. Raises Unreadable, also for one that is too large to be a note."""
    pieces: list[bytes] = []
    with tree.open(name) as file:
        left = TEXT_BYTES_MAX + 1
        while left > 0 and (piece := file.read(min(left, 1 << 20))):
            pieces.append(piece)
            left -= len(piece)
    if left <= 0:
        raise Unreadable(f"is larger than {TEXT_BYTES_MAX >> 20} MiB")
    return b"".join(pieces).decode("utf-8-sig", "replace")


def _too_many(path: str) -> CallFailure:
    return CallFailure(
        "TOO_LARGE", f"{path} holds more than {FILES_MAX:,} files",
        next_step="Name a smaller directory.",
    )  # fmt: skip
