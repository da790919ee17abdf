"""A long space is cut into parts that are saved once, taken up after a restart, and made again only
where they are not what the table says."""

import threading

import pytest

from aimem_node.store import vector_space
from aimem_node.store.vector_file import read_about
from tests.aimem_node.store.vectored import PRINT, Vectored, filled, names, units


@pytest.fixture
def vectored(tmp_path):
    made = Vectored(tmp_path / "node")
    yield made
    made.store.close()


def parts_of(vectored):
    return vectored.store.vectors._indexes[PRINT].served.parts


def test_a_long_space_is_cut_into_parts_that_find_what_comparing_all_finds(vectored) -> None:
    matrix = filled(vectored)
    vectored.settle()
    assert len(parts_of(vectored)) >= 3
    for at in range(0, 700, 70):
        found = vectored.near(matrix[at])
        assert names(found) == vectored.brute(matrix[at])
        assert found.missing == ""


def test_nothing_is_made_again_at_a_restart(vectored) -> None:
    matrix = filled(vectored)
    vectored.settle()
    saved = {path: path.stat().st_mtime_ns for path in vectored.files()}
    assert len(saved) >= 3
    vectored.add({"late": units(1, seed=9)[0]})
    vectored.again()
    vectored.settle()
    assert {path: path.stat().st_mtime_ns for path in vectored.files()} == saved
    index = vectored.store.vectors._indexes[PRINT]
    assert index.remade == 0
    assert sum(len(part) for part in index.served.parts) > 500
    assert names(vectored.near(units(1, seed=9)[0], limit=1)) == ["late"]
    assert names(vectored.near(matrix[5])) == vectored.brute(matrix[5])


@pytest.mark.parametrize("harm", ["missing", "cut", "changed", "another version", "no sense"])
def test_a_part_that_is_not_whole_is_made_again_and_the_others_are_not(vectored, harm) -> None:
    matrix = filled(vectored)
    vectored.settle()
    vectored.store.close()
    first, *others = vectored.files()
    content = first.read_bytes()
    line, _, rest = content.partition(b"\n")
    if harm == "missing":
        first.unlink()
    else:
        at = len(rest) // 2
        first.write_bytes(
            {
                "cut": content[: len(content) // 2],
                "changed": line + b"\n" + rest[:at] + bytes([rest[at] ^ 1]) + rest[at + 1 :],
                "another version": line.replace(b'"usearch": "', b'"usearch": "9') + b"\n" + rest,
                "no sense": b"{}\n",
            }[harm]
        )
    saved = {path: path.stat().st_mtime_ns for path in others}
    vectored.again()
    vectored.settle()
    assert {path: path.stat().st_mtime_ns for path in others} == saved
    assert vectored.files() == [first, *others]
    for at in range(0, 700, 100):
        assert names(vectored.near(matrix[at])) == vectored.brute(matrix[at])


def test_what_went_while_nobody_looked_is_not_found_after_a_restart(vectored) -> None:
    matrix = filled(vectored)
    vectored.settle()
    vectored.store.vectors.close()  # the thread is gone; the writer goes on
    vectored.end(*(f"m{at:04}" for at in range(0, 700, 7)))
    vectored.change("m0001", "something else")
    vectored.give({"m0001": -matrix[1]})
    vectored.again()
    vectored.settle()
    for at in range(14):
        assert names(vectored.near(matrix[at])) == vectored.brute(matrix[at])
    assert names(vectored.near(-matrix[1], limit=1)) == ["m0001"]


def test_files_of_another_numbering_or_another_model_are_not_used(vectored, tmp_path) -> None:
    filled(vectored, 300)
    vectored.settle()
    vectored.store.close()
    other = Vectored(tmp_path / "other")
    matrix = filled(other, 300, seed=2)
    other.settle()
    other.store.close()
    for path in vectored.files():
        (other.data_dir / path.name).write_bytes(path.read_bytes())
    other.again()
    other.settle()
    assert names(other.near(matrix[3])) == other.brute(matrix[3])
    other.store.close()


def test_neighbours_that_have_lost_most_of_their_vectors_become_one_part(vectored) -> None:
    matrix = filled(vectored, 900)
    vectored.settle()
    before = len(parts_of(vectored))
    vectored.end(*(f"m{at:04}" for at in range(500) if at % 8))
    vectored.settle()
    assert len(parts_of(vectored)) < before
    assert len(vectored.files()) == len(parts_of(vectored))
    for at in range(0, 900, 90):
        assert names(vectored.near(matrix[at])) == vectored.brute(matrix[at])
    vectored.again()
    vectored.settle()
    assert names(vectored.near(matrix[8])) == vectored.brute(matrix[8])


def test_what_is_put_into_a_graph_when_the_node_stops_is_saved(vectored, monkeypatch) -> None:
    monkeypatch.setattr(vector_space, "ADDED_PER_STEP", 20)
    stopped = threading.Event()
    moves = vector_space.SpaceIndex._move

    def stop_while_moving(index) -> bool:
        more = moves(index)
        if index._moving and any(part.unsaved >= 20 for part in index._parts):
            stopped.set()
            vectored.store.vectors._closing.wait(30)
        return more

    monkeypatch.setattr(vector_space.SpaceIndex, "_move", stop_while_moving)
    matrix = filled(vectored)
    vectored.store.vectors.start()
    assert stopped.wait(30)
    vectored.store.close()
    [path] = vectored.files()
    assert read_about(path).upto >= 20
    monkeypatch.undo()
    vectored.store = vectored._opened()
    vectored.settle()
    assert vectored.store.vectors._indexes[PRINT].remade == 0
    assert names(vectored.near(matrix[5])) == vectored.brute(matrix[5])
