"""Reads are of one moment, run beside each other, and end in time."""

import threading

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store import readers

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


def test_a_read_sees_one_moment_however_long_it_takes(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    looked, go = threading.Event(), threading.Event()

    def read(view):
        first = view.last_pos()
        looked.set()
        go.wait(30)
        return first, view.last_pos(), view.memory("m2")

    future = bench.store.readers.submit(read)
    assert looked.wait(30)
    bench.put(pen.memory("m2"))
    go.set()
    assert future.result(30) == (1, 1, None)
    assert bench.see(lambda view: view.last_pos()) == 2


def test_a_read_that_takes_too_long_is_cut_short(bench) -> None:
    with pytest.raises(Failure) as raised:
        bench.see(lambda view: view._connection.execute(ENDLESS).get, budget_ms=30)
    assert raised.value.code == Code.DEADLINE
    assert raised.value.definite, "a read changes nothing"
    assert "30 ms" in raised.value.message
    assert bench.see(lambda view: view.last_pos()) == 0, "the thread goes on"


def test_reads_run_beside_each_other(bench) -> None:
    together = threading.Barrier(2, timeout=30)
    futures = [bench.store.readers.submit(lambda view: together.wait()) for _ in range(2)]
    assert sorted(future.result(30) for future in futures) == [0, 1]


def test_what_a_read_raises_reaches_its_caller_alone(bench) -> None:
    def fails(view):
        raise KeyError("mine")

    with pytest.raises(KeyError):
        bench.see(fails)
    assert bench.see(lambda view: view.last_pos()) == 0


def test_a_cancelled_read_is_not_done(bench) -> None:
    go = threading.Event()
    busy = [bench.store.readers.submit(lambda view: go.wait(30)) for _ in range(2)]
    done = []
    future = bench.store.readers.submit(lambda view: done.append(1))
    assert future.cancel()
    go.set()
    assert all(one.result(30) for one in busy)
    bench.see(lambda view: None)
    assert done == []


def test_closed_readers_refuse(bench) -> None:
    bench.store.readers.close()
    with pytest.raises(Failure) as raised:
        bench.store.readers.submit(lambda view: None)
    assert raised.value.code == Code.UNAVAILABLE


def test_closing_does_not_wait_for_a_read_that_was_given_an_hour(bench, monkeypatch) -> None:
    monkeypatch.setattr(readers, "CLOSING_S", 0.05)
    begun = threading.Event()

    def endless(view):
        begun.set()
        return view._connection.execute(ENDLESS).get

    future = bench.store.readers.submit(endless, 3_600_000)
    assert begun.wait(30)
    bench.store.readers.close()
    with pytest.raises(Failure) as raised:
        future.result(0)
    assert raised.value.code == Code.UNAVAILABLE
