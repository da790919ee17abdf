"""Count recalls here, and tell the log now and then.

A recall is not a write: it waits for no disk and no peer. What it does to a memory (a longer
life, a higher tier) is counted in memory, shown at once, and flushed as one op per memory. A
crash loses at most the recalls of one interval, never a memory: where a life would end before
the next flush, the flush comes at once.
"""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Mapping

from aimem_node import logs
from aimem_node.clocks import Clock
from aimem_node.metrics import Metrics
from aimem_node.replica.replica import Intent, Replica, Tx
from aimem_node.replica.touch import Touch
from aimem_node.replica.writing import HERE

FLUSH_AFTER_S = 60.0
"""Between two flushes. A crash costs the counting since, and what a flush had not reached yet."""
FLUSH_MEMORIES_MAX = 2
"""Memories in one write, about 1 ms of work that a caller's write may have to wait for."""
FLUSH_PAUSE_S = 0.02
"""Between two such writes: a long flush is a trickle of a hundred memories a second, and leaves
the writer idle long enough to tidy up in between."""
GIVE_WAY_S = 0.1
"""A longer pause while callers write: they wait for an answer, and the count waits for nobody."""
PENDING_MAX = 5_000
"""Touched memories that are kept waiting; beyond this a flush starts at once."""

FlushOne = Callable[[Tx, str, Touch], int]
"""What recalls do to one memory: appends its op and returns 1, or 0 if there is nothing to do."""


class Tally:
    """The node's own count of recalls, and the task that flushes it."""

    def __init__(
        self, replica: Replica, clock: Clock, metrics: Metrics, author: str, flush_one: FlushOne
    ) -> None:
        self._flush_one = flush_one
        self._replica = replica
        self._clock = clock
        self._metrics = metrics
        self._author = author
        self._pending: dict[str, Touch] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._urgent = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._log = logs.get("followers")

    def add(self, recalled: Mapping[str, int | None], now_us: int) -> None:
        """Count one recall of each memory. Called on a reader's thread."""
        with self._lock:
            for record_id in recalled:
                old = self._pending.get(record_id)
                times = 1 if old is None else old.times + 1
                self._pending[record_id] = Touch(times, now_us)
            full = len(self._pending) > PENDING_MAX
        soon_us = now_us + int(2 * FLUSH_AFTER_S * 1_000_000)
        if full or any(ends is not None and ends < soon_us for ends in recalled.values()):
            self._loop.call_soon_threadsafe(self._urgent.set)

    def of(self, record_id: str) -> Touch | None:
        """What is counted and not yet flushed."""
        return self._pending.get(record_id)

    def pending(self) -> int:
        """How many memories have recalls that are not in the log."""
        return len(self._pending)

    async def run(self) -> None:
        """Flush for ever; cancelled when the node stops."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_AFTER_S):
                    await self._urgent.wait()
            self._urgent.clear()
            try:
                await self.flush(FLUSH_PAUSE_S)
            except Exception as error:  # a full disk must not end the counting
                self._log.warning("touches_not_flushed", error=str(error))

    async def flush(self, pause_s: float = 0.0) -> int:
        """Write all that is counted into the log. Returns how many memories it concerned.

        One write at a time, and each to the end even if the caller is cancelled: what is in the
        log must be struck from the count, or it would be told a second time.
        """
        flushed = 0
        while self._pending:
            flushed += await asyncio.shield(self._flush_in_turn())
            asked = self._replica.asked
            await asyncio.sleep(pause_s)
            if pause_s and self._replica.asked != asked:
                await asyncio.sleep(GIVE_WAY_S)
        return flushed

    async def _flush_in_turn(self) -> int:
        async with self._flushing:
            with self._lock:
                batch = dict(itertools.islice(self._pending.items(), FLUSH_MEMORIES_MAX))
            return await self._flush_batch(batch) if batch else 0

    async def _flush_batch(self, batch: Mapping[str, Touch]) -> int:
        intent: Intent[int] = Intent(
            author=self._author,
            now_us=self._clock.now_us(),
            encode=lambda n: str(n).encode(),
            decode=int,
        )

        def work(tx: Tx) -> int:
            return sum(self._flush_one(tx, record_id, touch) for record_id, touch in batch.items())

        written = await self._replica.write(intent, work, HERE)
        self._forget(batch)
        self._metrics.touched.inc(written.response)
        self._metrics.ops.inc(len(written.write_ids))
        return written.response

    def _forget(self, batch: Mapping[str, Touch]) -> None:
        with self._lock:
            for record_id, done in batch.items():
                now = self._pending[record_id]
                if now.times == done.times:
                    del self._pending[record_id]
                else:
                    self._pending[record_id] = Touch(now.times - done.times, now.at_us)
