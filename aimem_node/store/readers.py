"""A few threads read, each over its own connection, beside the writer and beside each other.

SQLite gives up the interpreter's lock while it works, so readers really run in parallel. Every
read has a budget: it is cut short from inside SQLite, because a thread cannot be stopped from
outside, and a read that goes on for ever would also keep the WAL from ever being reset.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.database import open_reader
from aimem_node.store.fulltext import prepare
from aimem_node.store.vector_index import VectorIndexes
from aimem_node.store.view import View

T = TypeVar("T")

READERS: Final = 4
"""Threads. Two cores are busy with two; the others are for reads that wait for the disk."""
BUDGET_MS: Final = 2_000
"""What a read may take unless told otherwise."""
CLOSING_S: Final = 5.0
"""What reads under way may still take once the store closes. A deep check is given an hour, and a
node that is told to stop must stop."""
STEPS_BETWEEN_CHECKS: Final = 1_000
"""SQLite instructions: looks at the clock about every 0.1 ms."""


class Readers:
    """The read connections and their threads."""

    def __init__(
        self, data_dir: Path, count: int = READERS, vectors: VectorIndexes | None = None
    ) -> None:
        self._vectors = vectors
        self._waiting: queue.SimpleQueue[tuple[Callable[[View], Any], int, Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._open = True
        self._closing_at = float("inf")
        self._lock = threading.Lock()
        connections = [open_reader(data_dir) for _ in range(count)]
        self._threads = [
            threading.Thread(
                target=self._run, args=(connection,), name=f"aimem-reader-{at}", daemon=True
            )
            for at, connection in enumerate(connections)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, read: Callable[[View], T], budget_ms: int = BUDGET_MS) -> Future[T]:
        """Have `read` done over a view of one moment. The future has what it returns or raises.

        Failure DEADLINE when SQLite worked for longer than `budget_ms`, CORRUPT when the file is
        damaged, STORAGE when it cannot be read. Raises Failure UNAVAILABLE when closed.
        """
        future: Future[T] = Future()
        with self._lock:
            if not self._open:
                raise Failure(Code.UNAVAILABLE, "the store is closing")
            self._waiting.put((read, budget_ms, future))
        return future

    async def read(self, read: Callable[[View], T], budget_ms: int = BUDGET_MS) -> T:
        """The same for who waits on an event loop."""
        return await asyncio.wrap_future(self.submit(read, budget_ms))

    def close(self) -> None:
        """Finish the reads that wait, then stop: within CLOSING_S, whatever they were given."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            self._closing_at = time.monotonic() + CLOSING_S
            for _ in self._threads:
                self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self, connection: apsw.Connection) -> None:
        prepare(connection)
        deadline = _Deadline()

        def is_over() -> bool:
            return deadline.passed() or time.monotonic() > self._closing_at

        connection.set_progress_handler(is_over, STEPS_BETWEEN_CHECKS)
        while (asked := self._waiting.get()) is not None:
            read, budget_ms, future = asked
            if not future.set_running_or_notify_cancel():
                continue
            try:
                deadline.start(budget_ms)
                answer = _in_one_moment(View(connection, self._vectors), connection, read)
            except BaseException as cause:
                if isinstance(cause, apsw.InterruptError) and not self._open:
                    cause = Failure(Code.UNAVAILABLE, "the store is closing")
                future.set_exception(_explained(cause, budget_ms))
            else:
                future.set_result(answer)
            deadline.stop()
        connection.close()


class _Deadline:
    """When the read under way must end."""

    def __init__(self) -> None:
        self._at = float("inf")

    def start(self, budget_ms: int) -> None:
        self._at = time.monotonic() + budget_ms / 1000

    def stop(self) -> None:
        self._at = float("inf")

    def passed(self) -> bool:
        return time.monotonic() > self._at


def _in_one_moment(view: View, connection: apsw.Connection, read: Callable[[View], T]) -> T:
    connection.execute("BEGIN")
    try:
        return read(view)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _explained(cause: BaseException, budget_ms: int) -> BaseException:
    if isinstance(cause, apsw.InterruptError):
        return Failure(
            Code.DEADLINE,
            f"the query took longer than {budget_ms} ms",
            next="Narrow it: name a namespace, use rarer words, or ask for fewer.",
            definite=True,  # a read changes nothing
        )
    if isinstance(cause, apsw.CorruptError | apsw.NotADBError):
        return Failure(Code.CORRUPT, f"the store is damaged: {cause}")
    if isinstance(cause, apsw.IOError | apsw.CantOpenError):
        return Failure(Code.STORAGE, f"the store cannot be read: {cause}")
    return cause
