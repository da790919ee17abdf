"""What a view tells of vectors and of memories without one."""

import numpy as np

from aimem_node.store.sameness import fingerprint
from aimem_node.store.vectors import encoded
from tests.aimem_node.store.conftest import NOW_US
from tests.aimem_node.store.vectored import PRINT, filled, units


def test_vectors_are_told_of_the_memories_that_have_one(vectored) -> None:
    matrix = filled(vectored, 3)
    rids = [row.rid for row in vectored.see(lambda v: v.memories(["m0000", "m0002"]))]
    found = vectored.see(lambda view: view.vectors_of(PRINT, [*rids, 999]))
    assert list(found) == rids
    assert np.abs(found[rids[1]] - matrix[2]).max() < 1e-3
    assert vectored.see(lambda view: view.vectors_of(PRINT, [])) == {}
    assert vectored.see(lambda view: view.vectors_of("unknown", rids)) == {}


def test_another_member_is_given_vectors_of_exactly_the_texts_it_has(vectored) -> None:
    matrix = filled(vectored, 3)
    mark = fingerprint("m0001", "content")
    texts = [("m0002", 5), ("m0001", mark), ("nobody", mark)]
    found = vectored.see(lambda view: view.vector_bodies(PRINT, texts))
    assert found == [("m0001", mark, encoded(matrix[1]))]
    assert vectored.see(lambda view: view.vector_bodies("unknown", texts)) == []


def test_what_is_due_comes_in_pages_the_newest_first(vectored) -> None:
    vectored.write(*(vectored.pen.memory(f"m{at}", f"t{at}", f"c{at}") for at in range(5)))
    first = vectored.see(lambda view: view.vectors_due(2))
    assert [(row.record_id, row.title, row.content) for row in first] == [
        ("m4", "t4", "c4"),
        ("m3", "t3", "c3"),
    ]
    assert first[0].mark == fingerprint("t4", "c4")
    assert first[0].write_id.endswith(":5")
    rest = vectored.see(lambda view: view.vectors_due(9, first[-1].rid))
    assert [row.record_id for row in rest] == ["m2", "m1", "m0"]
    assert vectored.see(lambda view: view.vector_backlog()) == 5
    assert vectored.see(lambda view: view.first_due_us()) == NOW_US


def test_where_nothing_is_due_nothing_waits(vectored) -> None:
    filled(vectored, 2)
    assert vectored.see(lambda view: view.first_due_us()) is None
    assert vectored.see(lambda view: view.vectors_due(5)) == []
    assert vectored.see(lambda view: view.vector_problems()) == []
    assert vectored.see(lambda view: view.vector_count(PRINT)) == 2


def test_without_a_space_there_is_nothing_near_and_that_is_said(vectored) -> None:
    found = vectored.see(lambda view: view.nearest("unknown", units(1)[0], None, 5))
    assert (found.hits, found.missing) == ((), "no vectors of this model are kept here")
