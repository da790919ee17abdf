"""Many write at once, one commit serves them, and a broken disk is not believed again."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import wait

import apsw
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store import writer


def hold(bench):
    """Keep the writer busy until the event is set, so that what follows waits together."""
    go = threading.Event()
    started = threading.Event()

    def job(session):
        started.set()
        go.wait(30)

    future = bench.store.writer.submit(job)
    assert started.wait(30)
    return go, future


def test_work_that_waits_together_is_committed_together(bench, pen) -> None:
    commits = []
    bench.store.writer.on_commit(commits.append)
    go, _ = hold(bench)
    futures = [
        bench.store.writer.submit(lambda s, at=at: bench.pen.write(s, pen.memory(f"m{at}")))
        for at in range(50)
    ]
    go.set()
    wait(futures, 30)
    bench.do(lambda s: None)  # the hooks come after the answers
    assert commits == [50]


def test_a_job_that_fails_loses_only_its_own_changes(bench, pen) -> None:
    go, _ = hold(bench)

    def good(at):
        return lambda s: bench.pen.write(s, pen.memory(f"m{at}", f"walrus {at}"))

    def bad(session):
        bench.pen.write(session, pen.memory("bad", "walrus"))
        session.put_meta("bad", b"")
        raise Failure(Code.CONFLICT, "no")

    futures = [bench.store.writer.submit(job) for job in (good(1), bad, good(2), bad, good(3))]
    go.set()
    wait(futures, 30)
    assert [future.exception() is None for future in futures] == [True, False, True, False, True]
    assert bench.see(lambda view: view.memory("bad")) is None
    assert bench.see(lambda view: view.meta("bad")) is None
    assert bench.see(lambda view: view.have().get(bench.pen.origin)) == 3
    assert bench.store.verify(deep=True).problems == []


def test_the_first_job_of_a_group_loses_only_its_own_changes_too(bench, pen) -> None:
    bench.put(pen.memory("m0", "walrus 0"))
    started, go = threading.Event(), threading.Event()

    def bad(session):
        bench.pen.write(session, pen.memory("bad", "walrus"))
        session.put_meta("bad", b"")
        started.set()
        go.wait(30)
        raise Failure(Code.CONFLICT, "no")

    first = bench.store.writer.submit(bad)
    assert started.wait(30)
    futures = [
        bench.store.writer.submit(lambda s, at=at: bench.pen.write(s, pen.memory(f"m{at}")))
        for at in (1, 2)
    ]
    go.set()
    wait([first, *futures], 30)
    assert isinstance(first.exception(), Failure)
    assert [future.exception() for future in futures] == [None, None]
    assert bench.see(lambda view: view.meta("bad")) is None
    assert bench.see(lambda view: view.have().get(bench.pen.origin)) == 3
    assert bench.store.verify(deep=True).problems == []


def test_an_answer_means_that_readers_see_it(bench, pen) -> None:
    for at in range(20):
        bench.put(pen.memory(f"m{at}"))
        assert bench.see(lambda view, at=at: view.memory(f"m{at}")) is not None


def test_too_much_waiting_work_is_refused_at_once(bench, monkeypatch) -> None:
    monkeypatch.setattr("aimem_node.store.writer.WAITING_MAX", 3)
    go, _ = hold(bench)
    futures = [bench.store.writer.submit(lambda s: 1) for _ in range(3)]
    with pytest.raises(Failure) as raised:
        bench.store.writer.submit(lambda s: 1)
    assert raised.value.code == Code.LIMITED
    go.set()
    assert [future.result(30) for future in futures] == [1, 1, 1]


def test_closing_finishes_what_waits_and_refuses_the_rest(bench, pen) -> None:
    go, _ = hold(bench)
    futures = [
        bench.store.writer.submit(lambda s, at=at: bench.pen.write(s, pen.memory(f"m{at}")))
        for at in range(10)
    ]
    go.set()
    bench.store.writer.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(Failure) as raised:
        bench.store.writer.submit(lambda s: 1)
    assert raised.value.code == Code.UNAVAILABLE


def test_a_full_disk_refuses_the_write_and_heals_when_there_is_room(bench, pen) -> None:
    bench.put(pen.memory("m1"))

    def limit(pages):
        return lambda s: s._connection.pragma("max_page_count", pages)

    pages = bench.do(lambda s: s._connection.pragma("page_count"))
    bench.do(limit(pages))

    def fill():
        for at in range(100):
            bench.put(pen.memory(f"n{at}", content="x" * 60_000))

    with pytest.raises(Failure) as raised:
        fill()
    assert raised.value.code == Code.STORAGE
    assert raised.value.definite
    assert "nothing was written" in raised.value.message
    written = bench.see(lambda view: view.last_pos())
    bench.do(limit(1 << 30))
    bench.put(pen.memory("later", content="x" * 60_000))
    assert bench.see(lambda view: view.last_pos()) == written + 1
    assert bench.store.failed is None
    assert bench.failures == []
    assert bench.store.verify(deep=True).problems == []


class FailingDisk:
    """A disk under SQLite whose syncs or writes of the WAL fail from a moment on."""

    def __init__(self) -> None:
        self.broken_sync = False
        disk = self
        usual = apsw.vfs_names()[0]

        class File(apsw.VFSFile):
            def __init__(self, name, flags):
                super().__init__(usual, name, flags)
                self.is_wal = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

            def xSync(self, flags):
                if disk.broken_sync and self.is_wal:
                    error = apsw.IOError("disk I/O error")
                    error.extendedresult = apsw.SQLITE_IOERR_FSYNC
                    raise error
                super().xSync(flags)

        class Disk(apsw.VFS):
            def __init__(self):
                super().__init__("failing", usual, makedefault=True)

            def xOpen(self, name, flags):
                return File(name, flags)

        self.vfs = Disk()


@pytest.fixture
def disk():
    usual = apsw.vfs_names()[0]
    disk = FailingDisk()
    yield disk
    disk.vfs.unregister()
    apsw.set_default_vfs(usual)


def test_after_a_failed_sync_nothing_is_believed_any_more(disk, bench, pen) -> None:
    bench.put(pen.memory("m1"))
    disk.broken_sync = True
    go, _ = hold(bench)
    futures = [
        bench.store.writer.submit(lambda s, at=at: bench.pen.write(s, pen.memory(f"n{at}")))
        for at in range(3)
    ]
    go.set()
    wait(futures, 30)
    failures = [future.exception() for future in futures]
    assert {failure.code for failure in failures} == {Code.UNKNOWN_OUTCOME}
    assert not any(failure.definite for failure in failures)
    disk.broken_sync = False
    with pytest.raises(Failure) as raised:
        bench.put(pen.memory("later"))
    assert raised.value.code == Code.STORAGE
    assert raised.value.definite
    assert "doctor" in raised.value.next
    assert len(bench.failures) == 1
    assert bench.store.failed == bench.failures[0]
    assert bench.see(lambda view: view.memory("m1")) is not None, "reads go on"


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import Pen
from aimem_node.store.store import Store
store = Store.open(Path(sys.argv[1]), lambda reason: None, readers=1)
pen = Pen()
start = store.readers.submit(lambda view: view.last_pos()).result()
futures = []
for at in range(start, 100_000):
    name = f"m{at}"
    futures.append((name, store.writer.submit(
        lambda s, name=name: pen.write(s, pen.memory(name, name, "word " * 100)))))
    if len(futures) >= 16:
        for name, future in futures:
            future.result()
            print(name, flush=True)
        futures = []
"""


def test_a_killed_node_has_every_acknowledged_write_once(bench, tmp_path, pen) -> None:
    bench.store.close()
    acknowledged: list[str] = []
    for kills_after in (1, 40, 150):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(bench.data_dir), os.path.dirname(__file__)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        acknowledged += [child.stdout.readline().strip() for _ in range(kills_after)]
        child.send_signal(signal.SIGKILL)
        acknowledged += child.stdout.read().split("\n")[:-1]
        child.wait(30)
        child.stdout.close()
        assert all(acknowledged), "the child writes"
        bench.again()
        held = bench.see(lambda view, ids=tuple(acknowledged): view.memories(ids))
        assert [row.record_id for row in held] == acknowledged
        ops = bench.see(lambda view: view.ops_after(0, 100_000))
        names = [placed.op.record_id for placed in ops]
        assert len(names) == len(set(names)), "none twice"
        assert bench.store.verify(deep=True).problems == []
        bench.store.close()


def test_a_long_log_of_writes_is_moved_into_the_file_in_an_idle_moment(
    bench, pen, monkeypatch
) -> None:
    moved = threading.Event()
    checkpoint = bench.store.writer._checkpoint

    def noticed(mode):
        answer = checkpoint(mode)
        moved.set()
        return answer

    monkeypatch.setattr(bench.store.writer, "_checkpoint", noticed)
    bench.put(*(pen.memory(f"m{at}", content="x" * 60_000) for at in range(30)))
    assert moved.wait(30)
    bench.do(lambda s: None)
    assert (bench.data_dir / "aimem.db").stat().st_size > 30 * 60_000
    assert bench.store.writer._wal_pages == 0


def test_hooks_are_told_the_last_position_after_the_commit(bench, pen) -> None:
    told = []
    done = threading.Event()

    def hook(pos):
        told.append((pos, bench.see(lambda view: view.last_pos())))
        done.set()

    bench.store.writer.on_commit(hook)
    bench.put(pen.memory("m1"), pen.memory("m2"))
    assert done.wait(30)
    bench.do(lambda s: s.put_meta("x", b"no op, no call"))
    assert told == [(2, 2)]


def test_whoever_waits_for_a_locked_file_is_told_and_not_kept_waiting(
    bench, pen, monkeypatch
) -> None:
    bench.put(pen.memory("m1"))
    bench.do(lambda session: session._connection.set_busy_timeout(10))
    stranger = apsw.Connection(str(bench.data_dir / "aimem.db"))
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(Failure) as raised:
        bench.put(pen.memory("m2"))
    assert (raised.value.code, raised.value.definite) == (Code.UNAVAILABLE, True)
    stranger.execute("ROLLBACK")
    stranger.close()
    bench.put(pen.memory("m3"))
    assert [row.record_id for row in bench.see(lambda v: v.memories(["m1", "m2", "m3"]))] == [
        "m1",
        "m3",
    ]


def test_erased_words_leave_the_wal_once_the_reader_in_the_way_has_gone(
    bench, pen, monkeypatch
) -> None:
    monkeypatch.setattr(writer, "EMPTYING_RETRY_S", 0.01)
    tried, emptied = threading.Event(), threading.Event()
    empty = bench.store.writer._empty_wal

    def noticed():
        empty()
        tried.set()
        if not bench.store.writer._unemptied:
            emptied.set()

    monkeypatch.setattr(bench.store.writer, "_empty_wal", noticed)
    bench.put(pen.memory("m1", content="canaryzebra"))
    reading, go = threading.Event(), threading.Event()

    def read(view):
        view.last_pos()
        reading.set()
        go.wait(30)

    held = bench.store.readers.submit(read)
    assert reading.wait(30)
    bench.put(pen.purge("m1"))
    assert tried.wait(30)
    assert not emptied.is_set(), "the reader still stands on the pages"
    bench.put(pen.memory("m2"))
    go.set()
    held.result(30)
    assert emptied.wait(30)
    bench.do(lambda session: None)
    left = [p.name for p in bench.data_dir.iterdir() if p.is_file() and b"canary" in p.read_bytes()]
    assert left == []
    assert bench.see(lambda view: view.meta("unscrubbed")) is None
