"""The node's own count of recalls: nothing that is counted is lost, and nothing told twice."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.followers import tally as tally_module
from aimem_node.followers.tally import PENDING_MAX, Tally
from aimem_node.metrics import Metrics
from aimem_node.replica.replica import Written
from aimem_node.replica.touch import Touch
from aimem_node.replica.writing import HERE, NO_ACK, Wish
from tests.harness import DAY_US, START_US, HandClock, Harness

FAR_US = START_US + 30 * DAY_US
HANG_S = 20
"""Reached only when something hangs."""


class Log:
    """A replica that only remembers what it is told, and can be held up or made to fail."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}
        self.writes = 0
        self.asked = 0
        self.failure: BaseException | None = None
        self.begun = asyncio.Event()
        self.kept = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def write(self, intent: Any, work: Callable[[Any], int], wish: Wish) -> Written[int]:
        """What is begun is carried through, whoever has stopped waiting for it."""
        assert wish == HERE, "nobody waits for other members to hold what this node counted"
        return await asyncio.shield(asyncio.ensure_future(self._write(intent, work)))

    async def _write(self, intent: Any, work: Callable[[Any], int]) -> Written[int]:
        self.begun.set()
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        self.writes += 1
        self.kept.set()
        answer = work(self)
        assert intent.decode(intent.encode(answer)) == answer
        return Written(answer, ("dot",) * answer, replayed=False, ack=NO_ACK)

    @staticmethod
    def flush_one(log: Any, record_id: str, touch: Touch) -> int:
        log.told[record_id] = log.told.get(record_id, 0) + touch.times
        return 1


def counting(test: Callable[[Tally, Log, Metrics], Any]) -> None:
    """Run a test with a tally over such a log."""

    async def run() -> None:
        log, metrics = Log(), Metrics()
        tally = Tally(log, HandClock(), metrics, "node:n", Log.flush_one)  # type: ignore[arg-type]
        await asyncio.wait_for(test(tally, log, metrics), HANG_S)

    asyncio.run(run())


def test_recalls_during_a_flush_are_told_with_the_next_one() -> None:
    async def test(tally: Tally, log: Log, _metrics: Metrics) -> None:
        tally.add({"a": None, "b": None}, START_US)
        log.go_on.clear()
        flushing = asyncio.ensure_future(tally.flush())
        await log.begun.wait()
        tally.add({"a": None, "c": None}, START_US + 5)
        log.go_on.set()
        await flushing
        while tally.pending():
            await tally.flush()
        assert log.told == {"a": 2, "b": 1, "c": 1}
        assert tally.of("a") is None

    counting(test)


def test_recalls_from_many_threads_while_it_is_flushed_are_all_told_once() -> None:
    async def test(tally: Tally, log: Log, metrics: Metrics) -> None:
        def recall() -> None:
            for n in range(400):
                tally.add({"all": None, f"one-{n % 7}": None}, START_US + n)

        threads = [threading.Thread(target=recall) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            await tally.flush()
            await asyncio.sleep(0)
        await tally.flush()
        assert log.told["all"] == 1_600
        assert sum(log.told.values()) == 3_200
        assert tally.pending() == 0
        counted = metrics.registry.get_sample_value("aimem_touches_flushed_total")
        assert counted == metrics.registry.get_sample_value("aimem_ops_appended_total") >= 8

    counting(test)


def test_two_flushes_at_once_tell_everything_once() -> None:
    async def test(tally: Tally, log: Log, _metrics: Metrics) -> None:
        tally.add({"a": None, "b": None}, START_US)
        assert sorted(await asyncio.gather(tally.flush(), tally.flush())) == [0, 2]
        assert log.told == {"a": 1, "b": 1}

    counting(test)


def test_a_flush_whose_caller_is_cancelled_is_not_told_a_second_time() -> None:
    async def test(tally: Tally, log: Log, _metrics: Metrics) -> None:
        tally.add({"a": None}, START_US)
        log.go_on.clear()
        flushing = asyncio.ensure_future(tally.flush())
        await log.begun.wait()
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        log.go_on.set()
        await tally.flush()
        assert (log.told, tally.pending()) == ({"a": 1}, 0)

    counting(test)


def test_a_flush_that_fails_keeps_the_count() -> None:
    async def test(tally: Tally, log: Log, metrics: Metrics) -> None:
        tally.add({"a": None}, START_US)
        tally.add({"a": None}, START_US + 9)
        log.failure = Failure(Code.STORAGE, "the disk is full; nothing was written")
        with pytest.raises(Failure):
            await tally.flush()
        assert tally.of("a") == Touch(2, START_US + 9)
        assert metrics.registry.get_sample_value("aimem_touches_flushed_total") == 0
        log.failure = None
        assert await tally.flush() == 1
        assert log.told == {"a": 2}

    counting(test)


def test_counting_goes_on_after_a_flush_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "FLUSH_AFTER_S", 0.001)

    async def test(tally: Tally, log: Log, _metrics: Metrics) -> None:
        log.failure = OSError("no space")
        tally.add({"a": None}, START_US)
        running = asyncio.ensure_future(tally.run())
        await log.begun.wait()
        log.failure = None
        await log.kept.wait()
        assert log.told == {"a": 1}
        running.cancel()

    counting(test)


def test_a_life_that_ends_before_the_next_flush_is_told_at_once() -> None:
    async def test(tally: Tally, log: Log, _metrics: Metrics) -> None:
        running = asyncio.ensure_future(tally.run())
        tally.add({"far": FAR_US, "never": None}, START_US)
        await asyncio.sleep(0)
        assert not log.begun.is_set()
        tally.add({"ending": START_US + 60_000_000}, START_US)
        await log.begun.wait()  # a minute early, or this hangs
        await tally.flush()  # which waits for the one under way
        assert set(log.told) == {"far", "never", "ending"}
        running.cancel()

    counting(test)


def test_too_many_touched_memories_are_told_at_once_and_in_parts() -> None:
    async def test(tally: Tally, log: Log, _metrics: Metrics) -> None:
        running = asyncio.ensure_future(tally.run())
        tally.add({str(n): None for n in range(PENDING_MAX)}, START_US)
        await asyncio.sleep(0)
        assert not log.begun.is_set()
        tally.add({"one more": None}, START_US)
        await log.begun.wait()
        await tally.flush()  # which waits for the one under way
        assert len(log.told) == PENDING_MAX + 1
        assert log.writes >= PENDING_MAX // tally_module.FLUSH_MEMORIES_MAX
        running.cancel()

    counting(test)


def test_a_recalled_memory_is_not_archived_before_its_recall_is_told(node: Harness) -> None:
    kept = node.store("kept", "apples", ttl_secs=600)
    gone = node.store("gone", "pears", ttl_secs=600)
    node.core.tasks[0].cancel()  # no flush but ours
    node.clock.move(seconds=599)
    node.call("Recall", context="apples")
    node.clock.move(seconds=2)
    assert node.call("Gc")["collected"] == 1
    assert node.memory(gone)["life"] == "archived"
    assert node.flush() == 1
    assert node.call("Gc")["collected"] == 0
    assert node.memory(kept)["life"] == "live"


def test_a_node_that_stops_tells_its_recalls_first(tmp_path: Path) -> None:
    first = Harness(tmp_path / "n")
    record_id = first.store("t", "apples")
    first.call("Recall", context="apples")
    first.stop()
    again = Harness(tmp_path / "n", seed=1)
    try:
        assert again.memory(record_id)["access_count"] == 1
    finally:
        again.stop()


def test_a_memory_that_was_deleted_meanwhile_takes_nothing_up_again(node: Harness) -> None:
    record_id = node.store("t", "apples")
    node.call("Recall", context="apples")
    node.call("Delete", id=record_id)
    ops = node.call("Stats")["ops"]
    assert node.flush() == 0
    assert node.call("Stats")["ops"] == ops
    assert node.core.tally.pending() == 0
