"""One node's memory: one file, one writer, a few readers.

Only the process that holds the directory's lock may have a Store, so nobody else ever sees half a
write or changes a row behind the node's back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aimem_node.store.database import DATABASE, DirectoryLock, open_database
from aimem_node.store.fulltext import prepare
from aimem_node.store.readers import READERS, Readers
from aimem_node.store.writer import Writer


class Store:
    """An open data directory. `writer` and `readers` are all there is to do with it."""

    def __init__(
        self, data_dir: Path, lock: DirectoryLock, writer: Writer, readers: Readers
    ) -> None:
        self.data_dir = data_dir
        self.writer = writer
        self.readers = readers
        self._lock = lock

    @staticmethod
    def open(data_dir: Path, on_failed: Callable[[str], None], *, readers: int = READERS) -> Store:
        """Open a directory, making it and its file if there are none.

        `on_failed` is called once, on another thread, when nothing can be written any more: leave
        the process then. Raises Failure UNAVAILABLE (another node has it, or a later version wrote
        it), STORAGE (it cannot be written) or CORRUPT (the file is damaged; it is left alone).
        """
        data_dir = Path(data_dir)
        lock = DirectoryLock(data_dir)
        try:
            connection = open_database(data_dir)
            try:
                prepare(connection)
                pool = Readers(data_dir, readers)
            except BaseException:
                connection.close()
                raise
            writer = Writer(connection, on_failed)
        except BaseException:
            lock.release()
            raise
        return Store(data_dir, lock, writer, pool)

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.data_dir / DATABASE

    @property
    def failed(self) -> str | None:
        """Why nothing can be written any more; None while it can."""
        return self.writer.failed

    def size_bytes(self) -> int:
        """What the file takes on disk, with its write-ahead log."""
        names = (DATABASE, f"{DATABASE}-wal")
        paths = [self.data_dir / name for name in names]
        return sum(path.stat().st_size for path in paths if path.exists())

    def close(self) -> None:
        """Finish what waits, then give the directory up. Harmless when closed already."""
        self.readers.close()
        self.writer.close()
        self._lock.release()
