"""A snapshot is of one moment, whole, and holds nothing that is this node's own business."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import apsw
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_sync.cursor import Cursor


def test_a_snapshot_says_what_it_holds(bench, pen, tmp_path, now_us) -> None:
    bench.put(pen.memory("m1"), pen.memory("m2"), pen.memory("m3"))
    bench.do(lambda s: s.truncate(Cursor({bench.pen.origin: 1}), now_us + 1))
    made = bench.store.export_snapshot(tmp_path / "snap")
    assert made.path == tmp_path / "snap"
    assert made.heads == bench.see(lambda view: view.heads())
    assert made.floor == Cursor({bench.pen.origin: 1})
    assert made.lamport == 3
    content = made.path.read_bytes()
    assert (made.bytes, made.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("snap*")) == [made.path]


def test_a_snapshot_tells_nothing_of_the_node_that_made_it(bench, pen, tmp_path) -> None:
    bench.put(pen.memory("m1"))
    bench.do(lambda session: session.put_meta("secret", b"walrus-secret-walrus"))
    made = bench.store.export_snapshot(tmp_path / "snap")
    connection = apsw.Connection(str(made.path))
    names = {name for (name,) in connection.execute("SELECT k FROM meta")}
    assert names == {"schema", "lamport"}
    connection.close()
    assert b"walrus-secret" not in made.path.read_bytes()


def test_a_snapshot_takes_the_place_of_an_older_one(bench, pen, tmp_path) -> None:
    first = bench.store.export_snapshot(tmp_path / "snap")
    bench.put(pen.memory("m1"))
    second = bench.store.export_snapshot(tmp_path / "snap")
    assert first.heads == {}
    assert second.heads != {}


def test_writes_go_on_while_a_snapshot_is_made_and_none_is_cut_in_two(bench, pen, tmp_path) -> None:
    bench.put(*(pen.memory(f"m{at}") for at in range(200)))
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(bench.store.export_snapshot, tmp_path / "snap")
        at = 0
        while not making.done():
            bench.put(pen.memory(f"x{at}"), pen.memory(f"y{at}"))
            at += 1
    made = making.result()
    connection = apsw.Connection(str(made.path))
    (ops,) = connection.execute("SELECT count(*) FROM op").fetchone()
    (records,) = connection.execute("SELECT count(*) FROM record").fetchone()
    connection.close()
    assert ops == records == made.heads[bench.pen.origin].seq
    assert ops % 2 == 0, "a job is in it whole or not at all"


def test_a_node_from_which_bodies_are_withheld_makes_no_snapshot(
    bench, other, pen, tmp_path
) -> None:
    other.put(pen.memory("m1"))
    (op,) = [placed.op for placed in other.see(lambda view: view.ops_after(0, 10))]
    bench.do(lambda session: session.take(replace(op, body=None)))
    with pytest.raises(Failure) as raised:
        bench.store.export_snapshot(tmp_path / "snap")
    assert raised.value.code == Code.UNAVAILABLE
    assert list(tmp_path.glob("snap*")) == []


def test_a_place_without_room_is_a_storage_failure(bench, tmp_path) -> None:
    with pytest.raises(Failure) as raised:
        bench.store.export_snapshot(tmp_path / "nowhere" / "snap")
    assert raised.value.code == Code.STORAGE
