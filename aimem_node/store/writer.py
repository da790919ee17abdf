"""One thread writes; everyone else hands it work.

It takes whatever work is waiting into one transaction, commits once, with one sync of the disk,
and answers only then. A piece of work that fails takes back its own changes and nobody else's.

If the disk fails while a commit is being synced, nothing it says later can be believed: after one
such error SQLite and the kernel report success for writes that are gone. So the writer is then
finished for good, and says of the writes in hand that nobody knows.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.database import BUSY_MS
from aimem_node.store.install import Install, install, replace
from aimem_node.store.meta import IN_INDEX, IN_WAL, META_UNSCRUBBED
from aimem_node.store.session import WriteSession
from aimem_node.store.snapshot import InstalledFile
from aimem_node.store.vector_index import VectorIndexes
from aimem_sync.op import Op, Origin

T = TypeVar("T")
Job: TypeAlias = Callable[[WriteSession], Any]
OnFailed: TypeAlias = Callable[[str], None]
OnCommit: TypeAlias = Callable[[int], None]
"""Called on the writer's thread with the position of the last op in the file."""

WAITING_MAX: Final = 10_000
"""Pieces of work that may wait. At 0.3 ms each that is three seconds: more is refused, since
whoever asked has stopped waiting for it."""
GROUP_JOBS_MAX: Final = 256
GROUP_CHANGES_MAX: Final = 4_000
"""Rows changed in one group, about 400 ops: a bulk store is a group of its own."""
IDLE_S: Final = 0.015
"""Without work for this long, the writer tidies up: it merges what was added to the index,
checkpoints, and scrubs after a purge."""
SCRUB_PAGES: Final = 200
"""Pages of the index merged at a time, about 10 ms of work that a write may have to wait for."""
MERGE_PAGES: Final = 64
"""Pages of the index merged at a time in an idle moment, about 3 ms of work: every commit adds a
part to the index, and a search reads all parts."""
CHECKPOINT_IDLE_PAGES: Final = 256
"""1 MiB. A shorter WAL is left alone until the file is closed."""
CHECKPOINT_BUSY_PAGES: Final = 1_024
"""4 MiB. A longer WAL is moved even while work waits: readers slow down with its length, and work
that waits for a longer one waits 10 ms and more."""
CHECKPOINT_GROUPS: Final = 4
"""A group that is longer than that by itself, as in catching up, is moved together with so many
others like it: most of them change the same pages, which are then written once."""
CHECKPOINT_PAGES_MAX: Final = 8_192
EMPTYING_RETRY_S: Final = 1.0
"""How long a reader that keeps erased words in the WAL is left alone before the next try."""
DISK_FULL_BYTES: Final = 1 << 20
"""Less free space than this makes a failed write a full disk, and not a broken one."""


class Writer:
    """The write connection and its thread."""

    def __init__(
        self, connection: apsw.Connection, on_failed: OnFailed, vectors: VectorIndexes | None = None
    ) -> None:
        """Start. `on_failed` is called once, on the writer's thread, when it is finished."""
        self._connection = connection
        self._vectors = vectors or VectorIndexes(Path(connection.filename).parent)
        self._vectors.follow(self.submit)
        self._session = WriteSession(connection, self._vectors)
        self._on_failed = on_failed
        self._on_commit: list[OnCommit] = []
        self._waiting: deque[tuple[Job, Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failed: str | None = None
        self._wal_pages = 0
        self._wal_end = 0
        self._group_pages = 0
        self._unscrubbed = False
        self._unemptied = False  # what was scrubbed may still stand in the WAL
        self._merging = False
        self._unmerged = True
        connection.set_wal_hook(self._measure_wal)
        self._thread = threading.Thread(target=self._run, name="aimem-writer", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> str | None:
        """Why nothing can be written any more; None while it can."""
        return self._failed

    def on_commit(self, hook: OnCommit) -> None:
        """Call `hook` after every commit that added ops. It must be quick and must not raise."""
        self._on_commit.append(hook)

    def submit(self, job: Callable[[WriteSession], T]) -> Future[T]:
        """Have `job` done in the next transaction. The future is done once that is on disk.

        Whatever the job raises is raised by the future, and none of its changes are kept. Raises
        Failure LIMITED when too much waits, UNAVAILABLE when closed, STORAGE when finished. A
        future that fails with UNKNOWN_OUTCOME means: sync failed, ask again after a restart.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._failed is not None:
                raise _finished(self._failed)
            if self._closing:
                raise Failure(Code.UNAVAILABLE, "the store is closing; nothing was written")
            if len(self._waiting) >= WAITING_MAX:
                raise Failure(
                    Code.LIMITED,
                    f"{WAITING_MAX} writes are waiting; nothing was written",
                    next="Send it again a little later, and fewer at once.",
                )
            self._waiting.append((job, future))
            self._changed.notify()
        return future

    async def write(self, job: Callable[[WriteSession], T]) -> T:
        """The same for who waits on an event loop."""
        return await asyncio.wrap_future(self.submit(job))

    def scrub(self) -> Future[None]:
        """Empty the WAL into the file, and rid both of what is left of purged memories.

        Happens by itself some time after a purge; wait for this one to be sure that the text is
        gone. Merging the index takes about a second per 100,000 memories, and nothing is written
        meanwhile. Without a purge it is a checkpoint. Fails with Failure UNAVAILABLE if a reader
        was in the way for too long.
        """
        return self.submit(_Scrub())

    def close(self) -> None:
        """Finish the work that waits, then stop. The connection is closed."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def install(
        self, path: Path, own: Origin, check: Callable[[Op], bool]
    ) -> Future[InstalledFile]:
        """Put a snapshot of another member in the place of everything that members share.

        What stands only here is put on top of it: ops it lacks, this node's own values, answers
        given here. `own` is the log that this node writes. `check` is called on another thread
        with the last op of every log in the file: whether its signature holds. The file is used
        up. The future says where the logs end then, or which of them would have lost ops; then
        nothing was changed. Fails with Failure CORRUPT if the file cannot be believed.
        """
        return install(self.submit, path, own, check)

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._live()
        except BaseException as cause:
            # Nobody else would ever notice: work would wait for a thread that is gone.
            self._finish(f"the writer stopped: {type(cause).__name__}: {cause}")
            raise

    def _live(self) -> None:
        self._unscrubbed = self._session.meta(META_UNSCRUBBED) == IN_INDEX
        self._unemptied = self._session.meta(META_UNSCRUBBED) == IN_WAL
        while not self._is_over():
            if self._waiting:
                self._group()
            elif self._unscrubbed:
                self._scrub_step()
            elif self._unmerged:
                self._merge_step()
            elif self._failed is None and self._unemptied:
                self._empty_wal()
            elif self._failed is None:
                self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
        if self._failed is None:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.set_wal_hook(None)
        self._connection.close()

    def _is_over(self) -> bool:
        """Wait for work, or for a moment without any in which there is something to tidy."""
        long = min(CHECKPOINT_GROUPS * self._group_pages, CHECKPOINT_PAGES_MAX)
        if self._wal_pages >= max(CHECKPOINT_BUSY_PAGES, long) and self._failed is None:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return True
                untidy = self._failed is None and (
                    self._unscrubbed or self._unmerged or self._wal_pages >= CHECKPOINT_IDLE_PAGES
                )
                wait_s = IDLE_S if untidy else None
                if self._unemptied and self._failed is None and not untidy:
                    wait_s = EMPTYING_RETRY_S
                if not self._changed.wait(wait_s) and wait_s is not None:
                    return False
        return False

    def _group(self) -> None:
        """Take waiting work into one transaction, commit, answer."""
        done: list[tuple[Future[Any], Any]] = []
        before = 0
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except BaseException as cause:
            # Told now, all of them: nobody knows how long it will be so.
            self._abandon(self._take_all(), cause, committing=False)
            return
        try:
            before = self._session.last_pos()
            self._work(done)
            self._session.finish()
        except BaseException as cause:
            self._abandon(done, cause, committing=False)
            return
        try:
            self._connection.execute("COMMIT")
        except BaseException as cause:
            self._abandon(done, cause, committing=True)
            return
        self._vectors.committed(self._session)
        for future, answer in done:
            future.set_result(answer)
        last_pos = self._session.last_pos()
        if last_pos > before:
            self._unmerged = True
            self._unscrubbed = self._session.meta(META_UNSCRUBBED) == IN_INDEX
            for hook in self._on_commit:
                hook(last_pos)

    def _take_all(self) -> list[tuple[Future[Any], Any]]:
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
        return [(future, None) for _, future in waiting if future.set_running_or_notify_cancel()]

    def _work(self, done: list[tuple[Future[Any], Any]]) -> None:
        changes = self._connection.total_changes()
        for _ in range(GROUP_JOBS_MAX):
            with self._changed:
                if not self._waiting or (
                    done and isinstance(self._waiting[0][0], _Scrub | Install)
                ):
                    return  # these are groups of their own
                job, future = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(job, _Scrub):
                self._scrub_all(future)
                return
            if isinstance(job, Install):
                self._install(job, future)
                return
            self._one(job, future, done)
            if self._connection.total_changes() - changes >= GROUP_CHANGES_MAX:
                return

    def _one(self, job: Job, future: Future[Any], done: list[tuple[Future[Any], Any]]) -> None:
        """Do one piece of work. Raises only if the whole transaction is lost.

        The first one needs no savepoint, which would copy every page that it changes: nobody else
        has done anything yet, so the transaction itself is begun anew.
        """
        mark, is_first = self._session.mark(), not done
        if not is_first:
            self._connection.execute("SAVEPOINT job")
        try:
            answer = job(self._session)
        except BaseException as cause:
            if not self._connection.in_transaction or _is_broken(cause):
                done.append((future, None))  # SQLite took back the whole group, this one too
                raise
            self._connection.execute("ROLLBACK" if is_first else "ROLLBACK TO job")
            self._session.back_to(mark)
            future.set_exception(self._explained(cause, committing=False))
            self._connection.execute("BEGIN IMMEDIATE" if is_first else "RELEASE job")
            return
        if not is_first:
            self._connection.execute("RELEASE job")
        done.append((future, answer))

    def _abandon(
        self, done: list[tuple[Future[Any], Any]], cause: BaseException, *, committing: bool
    ) -> None:
        """Take the group back, tell everyone in it, and stop for good if the disk is broken."""
        failure = self._explained(cause, committing=committing)
        finished = _is_broken(cause) and not self._disk_is_full(cause)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error:
            finished = True
        finished = finished or self._connection.in_transaction
        self._session = WriteSession(self._connection, self._vectors)
        if finished:
            self._finish(str(cause) or type(cause).__name__)
        for future, _ in done:
            future.set_exception(failure)

    def _finish(self, reason: str) -> None:
        with self._changed:
            if self._failed is not None:
                return
            self._failed = reason
            refused = list(self._waiting)
            self._waiting.clear()
        for _, future in refused:
            if future.set_running_or_notify_cancel():
                future.set_exception(_finished(reason))
        self._on_failed(reason)

    def _scrub_all(self, future: Future[None]) -> None:
        """Inside the group's transaction: merge all of the index; then empty the WAL."""
        try:
            if self._unscrubbed:
                self._session.merge_index(-SCRUB_PAGES)
                while self._session.merge_index(SCRUB_PAGES):
                    pass
                self._session.put_meta(META_UNSCRUBBED, IN_WAL)
            self._connection.execute("COMMIT")
            self._unemptied = self._unemptied or self._unscrubbed
            self._unscrubbed = self._merging = False
            emptied = self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._connection.execute("BEGIN IMMEDIATE")
        except BaseException as cause:
            future.set_exception(self._explained(cause, committing=False))
            raise
        if emptied:
            self._session.delete_meta(META_UNSCRUBBED)
            self._unemptied = False
            future.set_result(None)
        else:
            future.set_exception(
                Failure(
                    Code.UNAVAILABLE,
                    "a long read kept the log of recent writes from being emptied",
                    next="Try again in a moment.",
                )
            )

    def _install(self, job: Install, future: Future[InstalledFile]) -> None:
        """Outside the group's transaction, which has done nothing yet: put a snapshot in place."""
        try:
            self._connection.execute("COMMIT")
            try:
                with self._vectors.replacing():
                    found = replace(self._connection, self._session, job)
            except Failure as failure:  # about the snapshot: the store is as it was
                future.set_exception(failure)
                self._connection.execute("BEGIN IMMEDIATE")
                return
            self._session = WriteSession(self._connection, self._vectors)
            self._merging = False
            self._unemptied = self._session.meta(META_UNSCRUBBED) == IN_WAL
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._connection.execute("BEGIN IMMEDIATE")
        except BaseException as cause:
            if not future.done():
                future.set_exception(self._explained(cause, committing=True))
            raise
        job.placed(found)
        future.set_result(found)

    def _merge_step(self) -> None:
        """Merge what recent commits have added to the index, as long as nobody waits."""
        try:
            while self._unmerged and not self._waiting and not self._closing:
                with self._connection:
                    self._unmerged = self._session.merge_index(MERGE_PAGES)
        except apsw.Error as cause:
            self._abandon([], cause, committing=True)
            self._unmerged = False  # the next commit tries again

    def _scrub_step(self) -> None:
        """Do a part of what `scrub` does, while nobody waits."""
        begun, self._merging = self._merging, True
        try:
            with self._connection:
                left = self._session.merge_index(SCRUB_PAGES if begun else -SCRUB_PAGES)
                if not left:
                    self._session.put_meta(META_UNSCRUBBED, IN_WAL)
        except apsw.Error as cause:
            self._abandon([], cause, committing=True)
            self._unscrubbed = False  # until the next start: a full disk is not helped by trying
            return
        if not left:
            self._merging = self._unscrubbed = False
            self._unemptied = True
            self._empty_wal()

    def _empty_wal(self) -> None:
        """The last part of a scrub, tried until no reader is in the way. Makes nobody wait."""
        self._connection.set_busy_timeout(0)
        try:
            if self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE):
                self._unemptied = False
                with self._connection:
                    self._session.delete_meta(META_UNSCRUBBED)
        except apsw.Error as cause:
            self._abandon([], cause, committing=True)
        finally:
            self._connection.set_busy_timeout(BUSY_MS)

    def _checkpoint(self, mode: int) -> bool:
        """Move the WAL into the file; whether all of it was moved."""
        try:
            pages, moved = self._connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False  # a reader is in the way; the next idle moment will do
        except apsw.Error as cause:
            if _is_broken(cause) and not self._disk_is_full(cause):
                self._finish(str(cause))
            return False
        # A passive checkpoint leaves the count as it is, and the next commit starts over.
        self._wal_pages = max(0, pages - moved)
        return pages == moved

    def _measure_wal(self, connection: apsw.Connection, name: str, pages: int) -> int:
        del connection, name
        self._wal_pages = pages
        # A WAL that was moved as a whole begins anew with the next commit.
        self._group_pages = pages - self._wal_end if pages > self._wal_end else pages
        self._wal_end = pages
        return apsw.SQLITE_OK

    # -- what went wrong -------------------------------------------------------------------

    def _explained(self, cause: BaseException, *, committing: bool) -> BaseException:
        """What the caller is told. Failures and bugs are passed on as they are."""
        if isinstance(cause, apsw.FullError) or self._disk_is_full(cause):
            return Failure(
                Code.STORAGE,
                "the disk is full; nothing was written",
                next="Make room on the disk of the data directory, then send it again.",
            )
        if isinstance(cause, apsw.ReadOnlyError):
            return Failure(
                Code.STORAGE,
                f"the store cannot be written: {cause}; nothing was written",
                next="Make the data directory writable again.",
            )
        if isinstance(cause, apsw.BusyError):
            return Failure(
                Code.UNAVAILABLE,
                "the store is locked by another program; nothing was written",
                next="Close whatever has the database file open, then send it again.",
            )
        if not _is_broken(cause):
            return cause
        if committing:
            return Failure(
                Code.UNKNOWN_OUTCOME,
                f"the disk failed while the write was being kept: {cause}",
                next="Send it again with the same request key once the node runs again.",
            )
        return _finished(str(cause))

    def _disk_is_full(self, cause: BaseException) -> bool:
        # A disk that fills up may also come back as a failed write. A failed sync never counts
        # as that, whatever the disk looks like: it may have lost what was written before.
        if (
            not isinstance(cause, apsw.IOError)
            or getattr(cause, "extendedresult", 0) != apsw.SQLITE_IOERR_WRITE
        ):
            return False
        try:
            space = os.statvfs(os.path.dirname(self._connection.filename))
        except OSError:
            return False
        return space.f_bavail * space.f_frsize < DISK_FULL_BYTES


class _Scrub:
    """Stands in the queue for a scrub, part of which no transaction may surround."""

    def __call__(self, _: WriteSession) -> None:
        raise AssertionError("the writer does this itself")


def _is_broken(cause: BaseException) -> bool:
    return isinstance(cause, apsw.IOError | apsw.CorruptError | apsw.NotADBError)


def _finished(reason: str) -> Failure:
    return Failure(
        Code.STORAGE,
        f"this node's disk failed and it writes no more: {reason}. Nothing was written",
        next="Restart the node, then run `aimem-node doctor`.",
    )
