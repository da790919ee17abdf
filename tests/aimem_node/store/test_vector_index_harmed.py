"""The index is harmed in the middle of its work: by failures, by those who write, by a kill.

Nothing wrong is found then or later, and nothing that is there is missed.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from aimem_node.store import vector_index, vector_space
from aimem_node.store.vector_space import SpaceIndex
from tests.aimem_node.store.vectored import Vectored, filled, names, units

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("where", ["_loaded", "step", "_save"])
@pytest.mark.parametrize("cause", [ValueError("a mistake"), OSError("disk is full")])
def test_an_index_that_fails_says_so_and_begins_again(vectored, monkeypatch, where, cause) -> None:
    monkeypatch.setattr(vector_index, "RETRY_S", 0.01)
    matrix = filled(vectored)
    vectored.settle()
    vectored.store.close()
    vectored.store = vectored._opened()
    if where != "_loaded":
        vectored.store.vectors.remove_files()
    fails, turns = getattr(SpaceIndex, where), []

    def fail_once(*given):
        turns.append(where)
        if len(turns) != 2:
            return fails(*given)
        raise cause

    monkeypatch.setattr(SpaceIndex, where, fail_once)
    saved = {path: path.stat().st_mtime_ns for path in vectored.files()[:2]}
    checked = vectored.store.vectors.check().result(30)
    assert checked == [f"the index of vectors cannot be kept: {cause}"]
    vectored.add({f"more{at}": matrix[at] for at in range(100)})
    vectored.settle()
    if where == "_loaded":
        assert {path: path.stat().st_mtime_ns for path in saved} == saved, "loaded, not made again"
    for at in range(0, 300, 50):
        assert names(vectored.near(matrix[at])) == vectored.brute(matrix[at])


@pytest.mark.parametrize("where", ["load", "_loaded", "_catch_up", "_fill", "_move", "_save"])
def test_memories_that_change_while_the_index_works_are_found_as_they_are(
    vectored, monkeypatch, where
) -> None:
    """Before and behind each piece of work, on its own thread: nothing can come in between."""
    matrix = filled(vectored)
    vectored.settle()
    vectored.store.close()
    vectored.files()[1].unlink()  # so that one part is made from the table
    vectored.store = vectored._opened()
    monkeypatch.setattr(vector_space, "ADDED_PER_STEP", 20)
    new, turns, wrong = units(40, seed=9), [], []
    works = getattr(SpaceIndex, where)

    def change_some() -> None:
        turn = len(turns)
        if turn >= 12:
            return
        turns.append(turn)
        base = turn * 50
        vectored.end(f"m{base + 1:04}", f"m{base + 2:04}")
        vectored.end(f"m{base + 3:04}", by="purge")
        vectored.change(f"m{base + 4:04}", "other words")
        vectored.change(f"m{base + 5:04}", "other words")
        vectored.write(vectored.pen.edit(f"m{base + 1:04}", life={"is": "live"}))
        vectored.give({f"m{base + 1:04}": new[turn], f"m{base + 4:04}": -new[turn]})
        for at in range(1, 6):
            one = matrix[base + at]
            if names(vectored.near(one, 5)) != vectored.brute(one, 5):
                wrong.append((turn, at))
        wrong.extend(
            (turn, name)
            for name, one in ((f"m{base + 1:04}", new[turn]), (f"m{base + 4:04}", -new[turn]))
            if name not in names(vectored.near(one, 1))
        )

    def beside(*given):
        change_some()
        done = works(*given)
        change_some()
        return done

    monkeypatch.setattr(SpaceIndex, where, beside)
    vectored.store.vectors.start()
    vectored.add({f"late{at:03}": one for at, one in enumerate(units(70, seed=11))})
    vectored.settle()
    assert turns
    assert wrong == []
    for at in range(0, 700, 35):
        assert names(vectored.near(matrix[at], 5)) == vectored.brute(matrix[at], 5)
    vectored.again()
    vectored.settle()
    assert vectored.store.verify(deep=True).problems == []


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from aimem_node.store import vector_file, vector_space
from tests.aimem_node.store.vectored import Vectored, filled
at, turn = sys.argv[2], int(sys.argv[3])
place, name = {
    "before": (vector_space, "write_part"),
    "half written": (vector_file.os, "fsync"),
    "before the rename": (vector_file, "put_in_place"),
    "before the former ones go": (vector_space, "remove_part"),
}[at]
left = [turn]
works = getattr(place, name)
def killed(*given):
    if threading.current_thread().name != "aimem-vectors":
        return works(*given)
    if left[0] == 0:
        if at == "half written":
            os.ftruncate(given[0], os.fstat(given[0]).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return works(*given)
setattr(place, name, killed)
vectored = Vectored(Path(sys.argv[1]))
filled(vectored, 900)
vectored.settle()
vectored.end(*(f"m{at:04}" for at in range(500) if at % 8))
vectored.settle()
"""


@pytest.mark.parametrize(
    ("at", "turn"),
    [
        *(("before", turn) for turn in (0, 2)),
        *(("half written", turn) for turn in (0, 2)),
        *(("before the rename", turn) for turn in (0, 2)),
        ("before the former ones go", 0),
    ],
)
def test_a_node_that_is_killed_while_it_saves_has_a_whole_index_again(tmp_path, at, turn) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "node"), at, str(turn)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert ran.returncode == -9, ran.stderr
    vectored = Vectored(tmp_path / "node")
    matrix = units(900)
    is_live = {
        row.record_id
        for row in vectored.see(lambda v: v.memories([f"m{at:04}" for at in range(900)]))
        if row.life == "live"
    }
    vectored.vectors = {f"m{at:04}": matrix[at] for at in range(900) if f"m{at:04}" in is_live}
    for _ in range(2):
        vectored.store.vectors.start()
        for at_row in range(0, 900, 90):
            assert names(vectored.near(matrix[at_row], 5)) == vectored.brute(matrix[at_row], 5)
        vectored.settle()
        assert vectored.store.verify(deep=True).problems == []
        vectored.again()
    vectored.store.close()
