"""A part of the index as a file: a line about it, then what usearch makes of it.

Whole or not there: it is written aside, synced and renamed. A file that is damaged, or of another
numbering, model or version, is no harm: the part is made again from the table.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from aimem_node.durable import put_in_place

FORMAT: Final = 1
SUFFIX: Final = ".usearch"
_ASIDE: Final = ".new"
_PREFIX: Final = "vectors-"
_NAME_CHARS: Final = 16
_LINE_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself."""

    format: int
    fingerprint: str
    dimension: int
    numbering: str
    "Which file's numbers these are; see META_VECTOR_NUMBERS."
    usearch: str
    "The version that wrote it."
    first: int
    upto: int
    bytes: int = 0
    crc32: int = 0
    "Of all of the above and of what follows. Both are filled in by `write_part`."


@dataclass(frozen=True, slots=True)
class SavedPart:
    """A file that was there."""

    path: Path
    about: About


def files_of(directory: Path, fingerprint: str = "") -> list[Path]:
    """The files of one space, or of all."""
    return sorted(directory.glob(f"{_PREFIX}{fingerprint[:_NAME_CHARS]}*{SUFFIX}"))


def remove_files(directory: Path, kept: Collection[str] = ()) -> None:
    """Remove the files of all spaces but these, and of all what an interrupted save has left."""
    names = tuple(f"{_PREFIX}{fingerprint[:_NAME_CHARS]}-" for fingerprint in kept)
    for path in directory.glob(f"{_PREFIX}*{SUFFIX}*"):
        if path.name.endswith(_ASIDE) or not path.name.startswith(names):
            with suppress(OSError):  # tried again whenever it is looked at
                path.unlink(missing_ok=True)


def write_part(directory: Path, about: About, content: bytes) -> Path:
    """Write a part in the place of the one that begins at the same number. Raises OSError."""
    about = replace(about, bytes=len(content))
    about = replace(about, crc32=_checksum(about, content))
    path = _path(directory, about.fingerprint, about.first)
    aside = path.with_name(f"{path.name}{_ASIDE}")
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(f"{json.dumps(asdict(about))}\n".encode())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    return path


def remove_part(directory: Path, fingerprint: str, first: int) -> None:
    """Remove the part that begins at this number, if there is one."""
    _path(directory, fingerprint, first).unlink(missing_ok=True)


def _checksum(about: About, content: bytes) -> int:
    """What tells a damaged file. Everything is read: 0.3 s per 1,000,000 vectors."""
    line = json.dumps(asdict(replace(about, crc32=0))).encode()
    return zlib.crc32(content, zlib.crc32(line))


def read_about(path: Path) -> About | None:
    """What a file says of itself; None if it cannot be understood."""
    try:
        with path.open("rb") as file:
            about = About(**json.loads(file.readline(_LINE_BYTES_MAX)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (about.fingerprint, about.numbering, about.usearch)
    counts = (about.format, about.dimension, about.first, about.upto, about.bytes, about.crc32)
    if any(type(text) is not str for text in texts) or any(type(one) is not int for one in counts):
        return None
    return about


def read_content(saved: SavedPart) -> bytes | None:
    """The part itself; None if it is damaged."""
    try:
        with saved.path.open("rb") as file:
            file.readline(_LINE_BYTES_MAX)
            content = file.read()
    except OSError:
        return None
    about = saved.about
    if len(content) != about.bytes or _checksum(about, content) != about.crc32:
        return None
    return content


def _path(directory: Path, fingerprint: str, first: int) -> Path:
    return directory / f"{_PREFIX}{fingerprint[:_NAME_CHARS]}-{first}{SUFFIX}"
