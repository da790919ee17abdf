"""Files that are whole or not there, and that stay after a power cut.

Syncing a file does not make its name durable: that lives in the directory, which has to be synced
too. Whoever replaces a file of ours does it here, so that no step is forgotten.
"""

import os
from pathlib import Path


def write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Make a file that must not be there yet; its content is on disk when this returns, its name
    once the directory is synced. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put this content in the place of a file; a reader sees the old one or the new one.

    On disk when this returns. Raises OSError: the former file stands then.
    """
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)  # of an earlier try
    write_new(aside, content, mode)
    put_in_place(aside, path)


def put_in_place(made: Path, path: Path) -> None:
    """Rename what is whole and synced to where it belongs, for good. Raises OSError."""
    os.replace(made, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable, which syncing the files does not."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
