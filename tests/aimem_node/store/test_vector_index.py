"""The index follows the table: no commit is missed, nothing purged is kept, and nobody who needs no
vectors pays for it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aimem_node.store import vector_space
from aimem_node.store.backup import restore
from aimem_node.store.listing import Filter
from aimem_node.store.vector_index import VectorIndexes
from aimem_node.store.vector_space import SpaceIndex
from tests.aimem_node.store.conftest import Pen
from tests.aimem_node.store.vectored import PRINT, TOY, Vectored, filled, names, units

ROOT = Path(__file__).resolve().parents[3]


def test_a_search_sees_every_commit_at_once(vectored) -> None:
    matrix = filled(vectored, 50)
    for at in range(3):
        vectored.add({f"new{at}": matrix[at]})
        found = vectored.near(matrix[at], limit=2)
        assert set(names(found)) == {f"m{at:04}", f"new{at}"}
        vectored.end(f"new{at}")
        assert names(vectored.near(matrix[at], limit=1)) == [f"m{at:04}"]


def test_the_space_of_a_model_is_never_mixed_with_that_of_another(vectored) -> None:
    matrix = filled(vectored, 300)
    vectored.settle()
    new = type("New", (), {"fingerprint": "e" * 32, "name": "new", "dimension": 4})()
    vectored.do(lambda session: session.set_space(new))
    one = np.array([1, 0, 0, 0], dtype=np.float32)

    def give(session) -> None:
        rows = session.vectors_due(10)
        session.put_vectors(new.fingerprint, [(row.rid, row.mark, one) for row in rows])

    vectored.do(give)
    vectored.settle()
    found = vectored.see(lambda view: view.nearest(new.fingerprint, one, Filter(), 20))
    assert len(found.hits) == 10
    assert names(vectored.near(matrix[3])) == vectored.brute(matrix[3])
    while vectored.do(lambda session: session.drop_space(PRINT)):
        pass
    vectored.settle()
    assert not [path for path in vectored.files() if "ffff" in path.name]


def test_a_space_that_was_dropped_and_made_anew_is_served_again(vectored) -> None:
    filled(vectored, 300)
    vectored.settle()
    new = type("New", (), {"fingerprint": "e" * 32, "name": "new", "dimension": 4})()

    def swap(session) -> None:
        session.set_space(new)
        while session.drop_space(PRINT):
            pass
        session.set_space(TOY)

    vectored.do(swap)
    matrix = units(300, seed=2)
    vectored.give({f"m{at:04}": matrix[at] for at in range(300)})
    vectored.settle()
    assert vectored.store.vectors.serve(vectored.see(lambda view: view.space(PRINT))) is not None
    for at in range(0, 300, 50):
        assert names(vectored.near(matrix[at])) == vectored.brute(matrix[at])


def test_files_of_a_space_that_went_while_no_index_ran_are_removed_at_the_next_start(
    vectored,
) -> None:
    filled(vectored, 300)
    vectored.settle()
    vectored.store.vectors.close()
    left = vectored.files()[0]
    aside = left.with_name(left.name + ".new")
    aside.write_bytes(b"half of a part, when the power went")
    new = type("New", (), {"fingerprint": "e" * 32, "name": "new", "dimension": 4})()
    vectored.do(lambda session: session.set_space(new))
    while vectored.do(lambda session: session.drop_space(PRINT)):
        pass
    assert left.exists()
    vectored.again()
    vectored.settle()
    assert not left.exists()
    assert not aside.exists()


def test_a_check_beside_writers_finds_nothing_wrong(vectored, monkeypatch) -> None:
    matrix = filled(vectored, 300)
    vectored.settle()
    vectored.add({"newest": matrix[5], "newer": matrix[6]})  # are in the tail
    vectored.settle()
    problems = SpaceIndex.problems

    def just_after_others_wrote(index) -> list[str]:
        vectored.end("m0007", "newest")
        vectored.change("m0008", "other words")
        vectored.give({"m0008": matrix[7]})
        vectored.add({"late": matrix[9]})
        monkeypatch.undo()
        return problems(index)

    monkeypatch.setattr(SpaceIndex, "problems", just_after_others_wrote)
    assert vectored.store.verify(deep=True).problems == []
    assert vectored.store.verify(deep=True).problems == []


def test_a_check_speaks_of_all_that_was_committed_before_it_was_asked_for(
    vectored, monkeypatch
) -> None:
    matrix = filled(vectored, 300)
    vectored.settle()
    take_back, asked = VectorIndexes._take_back, []

    def at_the_end_of_a_round(indexes, index) -> None:
        take_back(indexes, index)
        if not asked:
            vectored.add({"late": matrix[9]})
            asked.append(indexes.check())

    monkeypatch.setattr(VectorIndexes, "_take_back", at_the_end_of_a_round)
    first = vectored.store.vectors.check()
    seen: list[int] = []

    def note(_) -> None:  # at once, on the thread that answers
        seen.append(vectored.store.vectors._indexes[PRINT].served.seen)

    first.result(30)
    asked[0].add_done_callback(note)
    assert asked[0].result(30) == []
    assert seen == [vectored.see(lambda view: view._value("SELECT max(vid) FROM vector"))]


def bf16(vector: np.ndarray) -> bytes:
    bits = vector.astype(np.float16).astype(np.float32).view(np.uint32)
    return bytes(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes())


def is_saved(vectored, vector: np.ndarray) -> bool:
    return any(bf16(vector) in path.read_bytes() for path in vectored.files())


@pytest.mark.parametrize("before", ["", "archive", "change"])
def test_the_vector_of_a_purged_memory_is_in_no_file(vectored, before) -> None:
    matrix = filled(vectored)
    vectored.settle()
    assert is_saved(vectored, matrix[7])
    if before == "archive":
        vectored.end("m0007")
    elif before == "change":
        vectored.change("m0007", "other words")
        vectored.give({"m0007": units(1, seed=5)[0]})
    vectored.settle()
    assert not before or is_saved(vectored, matrix[7]), "nobody wanted it erased so far"
    vectored.end("m0007", by="purge")
    vectored.settle()
    assert not is_saved(vectored, matrix[7])
    assert not is_saved(vectored, units(1, seed=5)[0])
    assert is_saved(vectored, matrix[8])
    vectored.again()
    vectored.settle()
    assert names(vectored.near(matrix[8])) == vectored.brute(matrix[8])


def test_a_purge_that_the_index_does_not_see_is_made_up_for_at_the_next_start(vectored) -> None:
    matrix = filled(vectored)
    vectored.settle()
    vectored.store.vectors.close()
    vectored.end("m0007", by="purge")
    vectored.again()
    vectored.settle()
    assert not is_saved(vectored, matrix[7])


@pytest.mark.parametrize("spaces", ["kept", "dropped"])
def test_without_an_index_at_work_a_purge_removes_the_files(vectored, spaces) -> None:
    filled(vectored)
    vectored.settle()
    vectored.store.vectors.close()
    if spaces == "dropped":
        vectored.do(lambda session: session._connection.execute("DELETE FROM space"))
    vectored.store.close()
    vectored.store = vectored._opened()  # nobody asks for vectors
    assert vectored.files()
    vectored.end("m0007", by="purge")
    assert not vectored.files()


def test_repair_and_a_deep_check_mend_what_is_wrong_with_vectors(vectored) -> None:
    matrix = filled(vectored, 300)
    vectored.settle()
    assert vectored.store.verify(deep=True).problems == []
    harm = (
        "UPDATE vector SET body = x'00' WHERE rid = 3; UPDATE vector SET mark = 1 WHERE rid = 4;"
        "INSERT INTO vector(sid, rid, mark, body) VALUES(1, 7777, 0, zeroblob(32));"
        "DELETE FROM vector WHERE rid = 5; INSERT INTO vector_due(rid) VALUES(7778)"
    )
    vectored.do(lambda session: session._connection.execute(harm))
    problems = vectored.store.verify(deep=True).problems
    assert any("not of what it says" in problem for problem in problems)
    assert any("not of its dimension" in problem for problem in problems)
    assert any("are not due" in problem for problem in problems)
    assert any("due for a vector and are not live" in problem for problem in problems)
    assert any("too many" in problem for problem in problems)
    vectored.store.repair()
    assert vectored.store.verify(deep=True).problems == []
    due = vectored.see(lambda view: [row.record_id for row in view.vectors_due(10)])
    assert due == ["m0004", "m0003", "m0002"]
    for at in (2, 3, 4):
        del vectored.vectors[f"m{at:04}"]
    assert names(vectored.near(matrix[9])) == vectored.brute(matrix[9])


def test_what_is_no_vector_in_the_table_is_made_again(vectored) -> None:
    filled(vectored, 20)
    vectored.settle()
    nan = np.full(16, np.nan, dtype="<f2").tobytes()
    vectored.store.vectors.close()
    vectored.do(lambda s: s._connection.execute("UPDATE vector SET body = ? WHERE rid = 3", (nan,)))
    found = vectored.near(units(1)[0], limit=50)
    assert all(np.isfinite(hit.similarity) for hit in found.hits)
    vectored.again()
    vectored.settle()
    due = vectored.see(lambda view: [row.record_id for row in view.vectors_due(10)])
    assert due == ["m0002"]


def test_a_part_that_is_being_saved_while_all_is_to_be_made_again_is_not_taken_up(
    vectored, monkeypatch
) -> None:
    matrix = filled(vectored)
    vectored.settle()
    write_part, inodes = vector_space.write_part, []

    def while_it_is_written(*given):
        monkeypatch.undo()
        vectored.store.vectors.rebuild()
        path = write_part(*given)
        inodes.append((path, path.stat().st_ino, path.open("rb")))  # open: no other gets its number
        return path

    monkeypatch.setattr(vector_space, "write_part", while_it_is_written)
    vectored.add({f"more{at}": matrix[at] for at in range(100)})
    vectored.settle()
    assert vectored.store.vectors.failed == ""
    ((path, inode, file),) = inodes
    assert not path.exists() or path.stat().st_ino != inode
    file.close()
    for at in range(0, 700, 100):
        assert set(names(vectored.near(matrix[at], 5))) == set(vectored.brute(matrix[at], 5))


def test_the_index_says_how_far_it_is(vectored) -> None:
    filled(vectored, 300)
    vectored.settle()
    (status,) = vectored.store.vectors.status()
    assert (status.name, status.state, status.done) == ("toy", "ready", status.total)


def test_vectors_that_are_gone_are_forgotten_in_the_table_too(vectored) -> None:
    filled(vectored, 600)
    vectored.settle()
    vectored.end(*(f"m{at:04}" for at in range(400)))
    vectored.settle()
    assert vectored.see(lambda view: view._value("SELECT count(*) FROM vector_gone")) == 0


def test_a_store_without_vectors_never_imports_what_they_take(tmp_path) -> None:
    code = """
import sys
from pathlib import Path
from aimem_node.store.listing import Filter
from aimem_node.store.store import Store
from tests.aimem_node.store.conftest import Pen
store = Store.open(Path(sys.argv[1]), print)
pen = Pen()
changes = [pen.memory("m1"), pen.memory("m2"), pen.memory("m3"), pen.archive("m1"), pen.purge("m2")]
for change in changes:
    store.writer.submit(lambda session, change=change: pen.write(session, change)).result()
store.readers.submit(lambda view: (view.vectors_due(5), view.spaces())).result()
found = store.readers.submit(lambda view: view.search("content", "any", Filter(), 9)).result()
assert len(found.hits) == 1, found
assert store.verify(deep=True).problems == []
store.close()
ours = ["vector_space", "vector_part", "vector_tail", "vector_search"]
names = ["numpy", "usearch", *(f"aimem_node.store.{name}" for name in ours)]
print(*(name for name in names if name in sys.modules))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "node")],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert ran.stdout.strip() == ""


def test_vectors_come_with_a_snapshot_and_serve_where_the_model_is_the_same(
    vectored, tmp_path
) -> None:
    matrix = filled(vectored, 300)
    vectored.settle()
    taken = vectored.store.export_snapshot(tmp_path / "snapshot")
    other = Vectored(tmp_path / "other")
    other.pen = Pen("b", "user:bob")
    other.add({"mine": -matrix[0]})
    other.settle()
    other.store.writer.install(taken.path, other.pen.origin, lambda op: True).result(30)
    other.vectors.update(vectored.vectors)
    assert "mine" not in names(other.near(-matrix[0], 1)), "it is embedded again"
    due = other.see(lambda view: [row.record_id for row in view.vectors_due(10)])
    assert due == ["mine"]
    other.give({"mine": -matrix[0]})
    other.settle()
    for at in range(0, 300, 50):
        assert names(other.near(matrix[at])) == other.brute(matrix[at])
    assert other.store.verify(deep=True).problems == []
    other.store.close()


def test_after_a_restore_nothing_of_the_later_index_is_used(vectored, tmp_path) -> None:
    matrix = filled(vectored, 300)
    vectored.settle()
    saved = vectored.store.backup(tmp_path / "backups", 0, 1, "1")
    vectored.add({f"late{at:03}": -matrix[at] for at in range(300)})
    vectored.settle()
    vectored.store.close()
    restore(saved.path, vectored.data_dir, 2)
    vectored.store = vectored._opened()
    for at in range(300):
        del vectored.vectors[f"late{at:03}"]
    vectored.add({f"new{at:03}": matrix[at] for at in range(0, 300, 2)})
    vectored.settle()
    for at in range(0, 300, 50):
        assert names(vectored.near(-matrix[at])) == vectored.brute(-matrix[at])
