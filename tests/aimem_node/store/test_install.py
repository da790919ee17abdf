"""A snapshot takes the place of the store whole or not at all, and nothing that stood only here
is lost by it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.install import Install, install
from aimem_node.store.listing import Filter
from aimem_node.store.store import Store
from aimem_sync.cursor import Cursor
from tests.aimem_node.store.scribes import whole, words

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ("meta", "config", "idem", "idem_record")


def ops_of(bench, origin=None):
    ops = [placed.op for placed in bench.see(lambda view: view.ops_after(0, 10_000))]
    return [op for op in ops if origin in (None, op.origin)]


def taken(bench, ops):
    bench.do(lambda session: session.take_run(ops))


def installed(bench, path, check=lambda op: True):
    return bench.store.writer.install(path, bench.pen.origin, check).result(60)


def found(bench, word):
    hits = bench.see(lambda view: view.search(word, "any", Filter(), 50)).hits
    return sorted(hit.record_id for hit in hits)


@pytest.fixture
def far(other, pen, tmp_path):
    """Another node that has written much, and a snapshot of it."""
    other.put(*(pen.memory(f"o{at}", f"walrus {at}", tags=["x"]) for at in range(40)))
    other.put(pen.link("l1", "o1", "o2"), pen.archive("o3"), pen.purge("o4"))
    other.path = tmp_path / "snap"
    other.made = other.store.export_snapshot(other.path)
    return other


def test_an_empty_node_becomes_the_node_that_the_snapshot_is_of(bench, far) -> None:
    done = installed(bench, far.path)
    assert (done.heads, done.floor, done.refused) == (far.made.heads, far.made.floor, ())
    assert bench.see(lambda view: whole(view, *LOCAL)) == far.see(lambda v: whole(v, *LOCAL))
    assert bench.see(words) == far.see(words)
    assert found(bench, "walrus") == found(far, "walrus")
    assert bench.store.verify(deep=True).problems == []


def test_what_only_this_node_has_is_put_on_top(bench, far, pen) -> None:
    theirs = ops_of(far)
    taken(bench, theirs[:10])

    def own(session):
        bench.pen.write(session, pen.memory("mine", "a zebra"), "k1")
        session.put_idem("user:ann", "k1", b"h" * 32, b"first answer", 5, ["mine"])
        bench.pen.write(session, pen.edit("o1", priority=9))

    bench.do(own)
    done = installed(bench, far.path)
    assert done.heads == {**far.made.heads, bench.pen.origin: done.heads[bench.pen.origin]}
    assert done.heads[bench.pen.origin].seq == 2
    assert bench.see(lambda view: view.memory("mine")).title == "a zebra"
    assert bench.see(lambda view: view.memory("o1")).priority == 9
    assert found(bench, "zebra") == ["mine"]
    assert bench.see(lambda view: view.idem("user:ann", "k1")).response == b"first answer"
    assert len(bench.see(lambda view: view.answers_of(bench.pen.origin, 1, 2))) == 1
    # The two nodes that have seen the same ops are the same.
    taken(far, ops_of(bench, bench.pen.origin))
    assert bench.see(lambda view: view.digest()) == far.see(lambda view: view.digest())
    assert bench.see(lambda view: view.have()) == far.see(lambda view: view.have())
    assert bench.store.verify(deep=True).problems == []
    bench.put(pen.memory("later"))
    bench.again()
    assert bench.store.verify(deep=True).problems == []


def test_this_nodes_own_values_stay_and_its_lamport_number_never_falls(bench, far, pen) -> None:
    bench.do(lambda session: session.put_meta("node_id", b"me"))
    bench.put(*(pen.memory("m1", f"t{at}") for at in range(90)))
    before = bench.see(lambda view: view.lamport())
    assert before > far.made.lamport
    installed(bench, far.path)
    assert bench.see(lambda view: view.meta("node_id")) == b"me"
    assert bench.see(lambda view: view.lamport()) == bench.do(lambda s: s.lamport()) == before


def test_the_higher_lamport_number_of_a_snapshot_is_taken_over(bench, far) -> None:
    installed(bench, far.path)
    assert bench.do(lambda session: session.lamport()) == far.made.lamport


def test_positions_never_go_back_and_followers_are_told_of_the_last(bench, far, pen) -> None:
    bench.put(*(pen.memory(f"m{at}") for at in range(5)))
    told = []
    bench.store.writer.on_commit(told.append)
    before = bench.see(lambda view: view.last_pos())
    installed(bench, far.path)
    after = bench.see(lambda view: view.ops_after(before, 1_000))
    assert {placed.op.dot for placed in after} == {op.dot for op in ops_of(bench)}
    bench.put(pen.memory("next"))
    bench.do(lambda session: None)  # hooks are called after the answer, and before the next work
    assert told == sorted(told)
    assert told[-1] == bench.see(lambda view: view.last_pos()) == after[-1].pos + 1
    assert bench.see(lambda view: view.counts()).ops == len(ops_of(bench))


def test_the_list_of_members_in_a_snapshot_is_believed_by_nobody_who_has_one(bench, far) -> None:
    far.do(lambda s: s.reset_configs([(1, b"a", b""), (2, b"b", b"p")]))
    far.store.export_snapshot(far.path)
    installed(bench, far.path)
    assert bench.see(lambda view: view.configs()) == [(1, b"a", b""), (2, b"b", b"p")]
    bench.do(lambda s: s.reset_configs([(1, b"mine-1", b"")]))
    far.do(lambda s: s.put_config(3, b"forged", b""))
    far.store.export_snapshot(far.path)
    installed(bench, far.path)
    assert bench.see(lambda view: view.configs()) == [(1, b"mine-1", b"")]


def test_a_snapshot_that_would_lose_ops_changes_nothing(bench, far, pen, now_us) -> None:
    bench.put(*(pen.memory(f"m{at}") for at in range(5)))
    bench.do(lambda s: s.truncate(Cursor({bench.pen.origin: 3}), now_us + 1))
    before = bench.see(lambda view: (whole(view), words(view)))
    done = installed(bench, far.path)
    assert done.refused == (bench.pen.origin,)
    assert done.heads == bench.see(lambda view: view.heads())
    assert done.floor == Cursor({bench.pen.origin: 3})
    assert bench.see(lambda view: (whole(view), words(view))) == before


def test_another_history_of_a_log_changes_nothing(bench, far, pen) -> None:
    bench.put(pen.memory("zzz"), pen=far.pen)
    before = bench.see(whole)
    done = installed(bench, far.path)
    assert done.refused == (far.pen.origin,)
    assert bench.see(whole) == before


@pytest.mark.parametrize("how", ["signature", "cut", "chain"])
def test_a_snapshot_that_cannot_be_believed_changes_nothing(bench, far, pen, how) -> None:
    import apsw

    bench.put(pen.memory("m1"))
    before = bench.see(whole)
    if how == "cut":
        far.path.write_bytes(far.path.read_bytes()[:20_000])
    if how == "chain":
        connection = apsw.Connection(str(far.path))
        connection.execute("UPDATE op SET wall_us = wall_us + 1 WHERE seq = 7")
        connection.close()
    with pytest.raises(Failure) as raised:
        installed(bench, far.path, check=lambda op: how != "signature")
    assert raised.value.code == Code.CORRUPT
    assert bench.see(whole) == before
    bench.put(pen.memory("m2"))
    assert bench.failures == []


def test_readers_go_on_and_see_the_old_store_or_the_new_one(bench, far, pen) -> None:
    import threading

    bench.put(pen.memory("m1", "old"))
    begun, ended = threading.Event(), threading.Event()

    def long(view):
        before = view.have(), view.memory("o1")
        begun.set()
        assert ended.wait(30)
        return before == (view.have(), view.memory("o1")), view.memory("m1").title

    reading = bench.store.readers.submit(long, 60_000)
    assert begun.wait(30)
    installed(bench, far.path)
    ended.set()
    assert reading.result(30) == (True, "old")
    for _ in range(4):  # every reader, whatever it had remembered of the old file
        assert bench.see(lambda view: view.memory("o1")).title == "walrus 1"
        assert found(bench, "walrus") == found(far, "walrus")


def test_writes_that_wait_go_on_top_of_the_new_store(bench, far, pen) -> None:
    bench.put(pen.memory("m1"))
    doing = bench.store.writer.install(far.path, bench.pen.origin, lambda op: True)
    at = 0
    while not doing.done():
        bench.put(pen.memory(f"w{at}", f"seal {at}"))
        at += 1
    assert doing.result(30).refused == ()
    bench.put(pen.memory("last", "seal"))
    assert bench.see(lambda view: view.head(bench.pen.origin)).seq == at + 2
    assert len(found(bench, "seal")) == min(at + 1, 50)
    assert bench.store.verify(deep=True).problems == []


def test_answers_given_here_stay_unless_their_record_was_banned_meanwhile(bench, far, pen) -> None:
    theirs = ops_of(far)
    taken(bench, [op for op in theirs if op.kind != "purge"])
    bench.do(lambda s: s.put_idem("u", "noop", b"", b"kept", 5, ["o1"]))
    bench.do(lambda s: s.put_idem("u", "banned", b"", b"o4 says so", 5, ["o1", "o4"]))
    installed(bench, far.path)
    assert bench.see(lambda view: view.idem("u", "noop")).response == b"kept"
    assert bench.see(lambda view: view.idem("u", "banned")) is None


def test_the_text_of_a_record_banned_elsewhere_leaves_the_file(bench, far, pen) -> None:
    canary = "xylophonecanary"
    far.put(pen.memory("secret", canary, f"{canary} {canary}"))
    taken(bench, ops_of(far))
    far.put(pen.purge("secret"))
    far.store.checkpoint()
    far.store.export_snapshot(far.path)
    installed(bench, far.path)
    bench.store.checkpoint()
    for path in bench.data_dir.iterdir():
        content = path.read_bytes()
        assert canary.encode() not in content, path.name
        assert b"ylophonecanari" not in content, path.name


def test_withheld_bodies_of_the_own_tail_stay_withheld(bench, far, pen, tmp_path) -> None:
    third = pen("d", "user:dan")
    third_store = Store.open(tmp_path / "third", lambda _: None, readers=1)
    ops = []
    for at in range(2):
        change = pen.memory(f"d{at}")
        job = lambda s, c=change: ops.append(third.op(s, c)) or s.take(ops[-1])  # noqa: E731
        third_store.writer.submit(job).result(30)
    third_store.close()
    taken(bench, [ops[0], replace(ops[1], body=None)])
    installed(bench, far.path)
    assert bench.see(lambda view: view.withheld_ops()) == 1
    assert bench.see(lambda view: view.memory("d0")) is not None


CHILD = """
import os, signal, sys
from pathlib import Path
import apsw
from aimem_node.store import install
from aimem_node.store.store import Store
from aimem_sync.op import Origin
data_dir, snapshot, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
install.PAGES_AT_A_TIME = 3
left = [steps]
class Killing:
    def __init__(self, copying): self.copying = copying
    def __enter__(self): self.copying.__enter__(); return self
    def __exit__(self, *why): return self.copying.__exit__(*why)
    @property
    def done(self): return self.copying.done
    def step(self, pages):
        left[0] -= 1
        if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)
        self.copying.step(pages)
class Connection:
    def __init__(self, connection): self._it = connection
    def __getattr__(self, name): return getattr(self._it, name)
    def backup(self, *args): return Killing(self._it.backup(*args))
replaced = install.replace
from aimem_node.store import writer
writer.replace = lambda connection, session, job: replaced(Connection(connection), session, job)
store = Store.open(data_dir, print, readers=1)
store.writer.install(snapshot, Origin('a' * 32, 'a' * 16), lambda op: True).result(60)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_crash_at_any_moment_leaves_the_old_store_or_the_new_one(
    bench, far, pen, tmp_path
) -> None:
    bench.put(*(pen.memory(f"m{at}", "before the crash") for at in range(5)))
    old = bench.see(lambda view: view.have())
    new = old.merge(far.see(lambda view: view.have()))
    outcomes = []
    for steps in (0, 1, 4, 1_000):
        bench.store.close()
        copy = tmp_path / f"copy{steps}"
        copy.write_bytes(far.path.read_bytes())
        ran = subprocess.run(
            [sys.executable, "-c", CHILD, str(bench.data_dir), str(copy), str(steps)],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ran.returncode == -9, ran.stderr
        bench.again()
        have = bench.see(lambda view: view.have())
        assert have in (old, new)
        outcomes.append(have == new)
        assert bench.store.verify(deep=True).problems == []
        assert found(bench, "crash") == [f"m{at}" for at in range(5)]
    assert outcomes == [False, False, False, True]


def test_a_closing_store_says_so(bench, far) -> None:
    bench.store.close()
    with pytest.raises(Failure) as raised:
        installed(bench, far.path)
    assert raised.value.code == Code.UNAVAILABLE


def test_where_the_logs_end_is_told_before_anything_that_was_done_after(bench, far) -> None:
    told = []

    def submit(job):
        future = bench.store.writer.submit(job)
        if isinstance(job, Install):
            later = bench.store.writer.submit(lambda _: None)
            later.add_done_callback(lambda _: told.append("later"))
        return future

    placing = install(submit, far.path, bench.pen.origin, lambda op: True)
    placing.add_done_callback(lambda _: told.append("installed"))
    placing.result(60)
    bench.do(lambda session: None)
    assert told == ["installed", "later"]
