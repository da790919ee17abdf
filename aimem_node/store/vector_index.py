"""The vector index beside the store: one thread that follows the table of vectors.

The table is the truth and the index a cache of it: the thread reads what has been committed, so a
change that was taken back never reaches it, and the writer never waits for it. Searches see every
commit all the same, since what the index does not know yet is read from the table. Nothing runs,
and numpy is not imported, until somebody wants vectors.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.database import open_reader
from aimem_node.store.meta import META_VECTOR_NUMBERS, META_VECTORS_UNSCRUBBED
from aimem_node.store.vector_file import remove_files
from aimem_node.store.vectors import VectorSpace
from aimem_node.store.view import View

if TYPE_CHECKING:
    from aimem_node.store.session import WriteSession
    from aimem_node.store.vector_space import Served, Sizes, SpaceIndex

ROUND_S: Final = 0.05
"""Between two looks at what is new. Until then it is read from the table."""
RETRY_S: Final = 1.0
"""After the disk or the file has failed."""
SCRUB_EVERY_S: Final = 10.0
"""Purges in a row have the parts saved again once."""
GONE_KEPT_MAX: Final = 256
"""Rows of vector_gone that may stay until the next one is forgotten with them."""


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How far the index of one space is."""

    fingerprint: str
    name: str
    state: str
    "loading, building or ready."
    done: int
    total: int
    "Numbers of vectors: done of so many."


class VectorIndexes:
    """The indexes of all spaces. Its methods may be called from any thread."""

    def __init__(self, data_dir: Path, sizes: Sizes | None = None) -> None:
        self._data_dir = data_dir
        self._sizes = sizes
        self._submit: Callable[[Callable[[WriteSession], Any]], Future[Any]] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._generation = 0
        self._held = False
        self._without_files = False
        self._indexes: dict[str, SpaceIndex] = {}
        self._checks: list[Future[list[str]]] = []
        self._scrubbed_at = float("-inf")
        self.failed = ""
        "Why the last round failed; it is tried again."

    def follow(self, submit: Callable[[Callable[[WriteSession], Any]], Future[Any]]) -> None:
        """Given once: the queue of the writer."""
        self._submit = submit

    def start(self) -> None:
        """Load what was saved and keep up from now on. Harmless when it runs already."""
        with self._lock:
            if self._thread is not None or self._submit is None or self._closing.is_set():
                return
            self._thread = threading.Thread(target=self._run, name="aimem-vectors", daemon=True)
            self._woken.set()
            self._thread.start()

    def serve(self, space: VectorSpace) -> Served | None:
        """What there is of the index of a space; None while it is being loaded. Starts that."""
        self.start()
        index = self._indexes.get(space.fingerprint)
        if self._held or index is None or index.space.sid != space.sid:
            return None
        return index.served

    def status(self) -> list[IndexStatus]:
        """How far each is, as far as they were begun."""
        found = []
        for index in list(self._indexes.values()):
            space, served = index.space, index.served
            done, total = index.progress()
            state = "ready" if done >= total else "building"
            if served is None:
                state = "loading"
            found.append(IndexStatus(space.fingerprint, space.name, state, done, total))
        return found

    def committed(self, session: WriteSession) -> None:
        """On the writer's thread, after a commit and before anybody is told of it."""
        if session.vectors_wanted:
            session.vectors_wanted = False
            self.start()
        if session.vectors_purged:
            session.vectors_purged = False
            if self._thread is None:  # nobody is there to write over them
                self.remove_files()
        self._woken.set()

    @contextmanager
    def replacing(self) -> Iterator[None]:
        """While the table is replaced by another: serve nothing, then begin anew with that one."""
        self._held = True
        try:
            yield
        finally:
            self._begin_anew()
            self._held = False

    def rebuild(self) -> None:
        """Throw away what was saved, and make it again from the table while it is served."""
        self._begin_anew(without_files=True)

    def _begin_anew(self, *, without_files: bool = False) -> None:
        with self._lock:  # a round has either the former indexes and number, or the new ones
            self._generation += 1
            self._indexes = {}
            self._without_files = self._without_files or without_files
            if self._thread is None:  # the files may be of the former table
                self.remove_files()
        self._woken.set()

    def remove_files(self) -> None:
        """Remove all saved parts."""
        remove_files(self._data_dir)

    def check(self) -> Future[list[str]]:
        """Compare all of it with the table, once it has taken in all: a sentence per problem.

        What keeps the index from being kept is a problem too. Raises Failure UNAVAILABLE when
        closed; the future, when it is closed meanwhile.
        """
        future: Future[list[str]] = Future()
        with self._lock:
            if self._closing.is_set():
                raise Failure(Code.UNAVAILABLE, "the store is closing")
            self._checks.append(future)
        self.start()
        self._woken.set()
        return future

    def close(self) -> None:
        """Stop, and save what would take long to make again."""
        with self._lock:
            self._closing.set()
            thread, checks, self._checks = self._thread, self._checks, []
        self._woken.set()
        for future in checks:
            future.set_exception(Failure(Code.UNAVAILABLE, "the store is closing"))
        if thread is not None:
            thread.join()

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        try:
            while True:
                self._woken.clear()
                if self._closing.is_set():  # looked at after clearing: close sets it, then wakes
                    self._keep()
                    return
                pause_s = RETRY_S
                try:
                    connection = connection or open_reader(self._data_dir)
                    pause_s = self._round(connection)
                    self.failed = ""
                except (apsw.Error, OSError, Failure) as cause:
                    self._fail(cause)  # of the disk or the file; the indexes are as they were
                except Exception as cause:
                    self._fail(cause)
                    with self._lock:  # nobody knows how far they came: they are loaded again
                        self._indexes = {}
                self._closing.wait(ROUND_S)
                self._woken.wait(None if pause_s == ROUND_S else pause_s)
        finally:
            if connection is not None:
                connection.close()

    def _keep(self) -> None:
        """Save at the end what would take long to make again. Without it only time is lost."""
        with contextlib.suppress(apsw.Error, OSError, Failure):
            for index in self._indexes.values():
                index.keep()

    def _fail(self, cause: Exception) -> None:
        self.failed = str(cause) or type(cause).__name__
        with self._lock:
            checks = list(self._checks)
        self._answer(checks, [f"the index of vectors cannot be kept: {self.failed}"])

    def _round(self, connection: apsw.Connection) -> float:
        """Take in all that is new; how long to wait for the next round, ROUND_S: until woken."""
        # Not above: a node without vectors needs neither.
        from aimem_node.store.vector_space import SpaceIndex, moment

        with self._lock:
            generation, indexes = self._generation, self._indexes
            asked = list(self._checks)  # who asks later is told of what is committed later
            without_files, self._without_files = self._without_files, False
        if without_files:  # not where it was asked for: one of them may just have been written
            self.remove_files()

        def is_over() -> bool:
            return self._closing.is_set() or self._generation != generation

        with moment(connection):
            view = View(connection)
            spaces = view.spaces()
            numbering = view.meta(META_VECTOR_NUMBERS)
            purged = view.meta(META_VECTORS_UNSCRUBBED)
        self._drop(indexes, spaces)
        if spaces and not numbering:
            numbering = self._do(lambda session: session.vector_numbers())
        assert numbering or not spaces
        for space in spaces:
            index = indexes.get(space.fingerprint)
            if index is None:
                index = SpaceIndex(connection, self._data_dir, space, self._sizes)
                indexes[space.fingerprint] = index
                try:
                    index.load(f"{(numbering or b'').hex()}-{space.sid}", is_over)
                except BaseException:
                    del indexes[space.fingerprint]  # half of it is none
                    raise
            while not is_over() and index.step():
                self._take_back(index)
            self._take_back(index)
            if is_over():
                return 0.0
        pause_s = self._scrub(indexes, purged) if purged else ROUND_S
        if asked:
            problems = [problem for index in indexes.values() for problem in index.problems()]
            self._answer(asked, problems)
        return pause_s

    def _drop(self, indexes: dict[str, SpaceIndex], spaces: list[VectorSpace]) -> None:
        """Give up what is of no space any more, files of an earlier run included."""
        kept = {space.fingerprint: space.sid for space in spaces}
        for fingerprint, index in list(indexes.items()):
            if kept.get(fingerprint) != index.space.sid:  # it may have been dropped and made anew
                del indexes[fingerprint]
        remove_files(self._data_dir, kept)

    def _take_back(self, index: SpaceIndex) -> None:
        """What the writer has to do for an index."""
        sid = index.space.sid
        if index.broken:
            self._do(lambda session: session.reject_vectors(sid, index.broken))
            index.broken = []
        if index.gone_upto - index.forgotten_upto > GONE_KEPT_MAX:
            self._do(lambda session: session.forget_gone(sid, index.gone_upto))
            index.forgotten_upto = index.gone_upto

    def _scrub(self, indexes: dict[str, SpaceIndex], purged: bytes) -> float:
        """Save again what may hold vectors of purged memories; how long to wait for the rest."""
        left_s = self._scrubbed_at + SCRUB_EVERY_S - time.monotonic()
        if left_s > 0:
            return left_s
        for index in indexes.values():
            index.scrub()
        self._scrubbed_at = time.monotonic()
        self._do(lambda session: session.vectors_scrubbed(purged))
        return ROUND_S

    def _answer(self, asked: list[Future[list[str]]], problems: list[str]) -> None:
        with self._lock:  # without those that `close` answered
            answered = [future for future in asked if future in self._checks]
            self._checks = [future for future in self._checks if future not in answered]
        for future in answered:
            future.set_result(problems)

    def _do(self, job: Callable[[WriteSession], Any]) -> Any:
        assert self._submit is not None
        return self._submit(job).result()
