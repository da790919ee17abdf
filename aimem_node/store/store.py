"""One node's memory: one file, one writer, a few readers.

Only the process that holds the directory's lock may have a Store, so nobody else ever sees half a
write or changes a row behind the node's back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aimem_node.store.backup import Backup, backup
from aimem_node.store.database import DATABASE, DirectoryLock, open_database
from aimem_node.store.fulltext import prepare
from aimem_node.store.readers import READERS, Readers
from aimem_node.store.snapshot import SnapshotFile, export_snapshot
from aimem_node.store.vector_index import VectorIndexes
from aimem_node.store.verify import Verified, verify
from aimem_node.store.writer import Writer

if TYPE_CHECKING:
    from aimem_node.store.vector_space import Sizes

VERIFY_BUDGET_MS: Final = 3_600_000
"""An hour: a check that does not end is worth knowing about too."""


class Store:
    """An open data directory. Work goes to `writer` and `readers`; `vectors` keeps up by itself."""

    def __init__(
        self,
        data_dir: Path,
        lock: DirectoryLock,
        writer: Writer,
        readers: Readers,
        vectors: VectorIndexes,
    ) -> None:
        self.data_dir = data_dir
        self.vectors = vectors
        self.writer = writer
        self.readers = readers
        self._lock = lock

    @staticmethod
    def open(
        data_dir: Path,
        on_failed: Callable[[str], None],
        *,
        readers: int = READERS,
        sizes: Sizes | None = None,
    ) -> Store:
        """Open a directory, making it and its file if there are none.

        `on_failed` is called once, on another thread, when nothing can be written any more: leave
        the process then. Raises Failure UNAVAILABLE (another node has it, or a later version wrote
        it), STORAGE (it cannot be written) or CORRUPT (the file is damaged; it is left alone).
        `sizes`: of the pieces of the vector index.
        """
        data_dir = Path(data_dir)
        lock = DirectoryLock(data_dir)
        try:
            connection = open_database(data_dir)
            try:
                prepare(connection)
                vectors = VectorIndexes(data_dir, sizes)
                pool = Readers(data_dir, readers, vectors)
            except BaseException:
                connection.close()
                raise
            writer = Writer(connection, on_failed, vectors)
        except BaseException:
            lock.release()
            raise
        return Store(data_dir, lock, writer, pool, vectors)

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

    def backup(self, to_dir: Path, keep: int, now_us: int, version: str) -> Backup:
        """Make a snapshot while the node runs. See backup. Takes a while: not on the event loop."""
        return backup(self.data_dir, to_dir, keep, now_us, version)

    def export_snapshot(self, to: Path) -> SnapshotFile:
        """Make a snapshot for another member. See snapshot. Takes a while: not on the loop."""
        return export_snapshot(self.data_dir, to)

    def verify(self, *, deep: bool = False, budget_ms: int = VERIFY_BUDGET_MS) -> Verified:
        """Check everything at one moment. See verify. Takes a while: not on the event loop.

        `deep` keeps every record in memory, about 2 KiB each.
        """
        found = self.readers.submit(lambda view: verify(view, deep=deep), budget_ms).result()
        wrong = self.writer.submit(lambda session: session.index_problem()).result()
        if wrong:
            found.problems.append(wrong)
        if deep and self.readers.submit(lambda view: view.spaces(), budget_ms).result():
            found.problems += self.vectors.check().result()
        return found

    def repair(self) -> list[str]:
        """Make again from the log what does not match it; a line about each kind of thing.

        Nothing is written meanwhile, about 20 s per 100,000 memories. Not on the event loop.
        """
        lines = self.writer.submit(lambda session: session.repair()).result()
        self.vectors.rebuild()
        return lines

    def checkpoint(self) -> None:
        """Move all writes into the one file, so that it can be copied; see Writer.scrub."""
        self.writer.scrub().result()

    def close(self) -> None:
        """Finish what waits, then give the directory up. Harmless when closed already."""
        self.readers.close()
        self.vectors.close()
        self.writer.close()
        self._lock.release()
