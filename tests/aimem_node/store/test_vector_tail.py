"""The newest vectors: what was shown stays as it was, whatever happens after."""

import numpy as np

from aimem_node.store.vector_tail import Tail
from tests.aimem_node.store.vectored import units


def tail_of(count: int) -> tuple[Tail, np.ndarray]:
    tail, matrix = Tail(16), units(count)
    tail.put(np.arange(1, count + 1), np.arange(count) + 100, matrix)
    return tail, matrix


def test_the_nearest_and_those_equally_near_are_proposed() -> None:
    tail, matrix = tail_of(300)
    tail.put(np.arange(301, 304), np.array([7, 8, 9]), np.stack([matrix[5]] * 3))
    rids, similarities = tail.shown().propose(matrix[5], 2)
    assert sorted(rids.tolist()) == [7, 8, 9, 105]
    assert np.allclose(similarities, 1.0, atol=1e-5)


def test_similarities_are_told_of_those_that_are_there() -> None:
    tail, matrix = tail_of(50)
    wanted = np.array([149, 99, 100, 5000])
    held, similarities = tail.shown().similarities(matrix[0], wanted)
    assert held.tolist() == [True, False, True, False]
    assert np.allclose(similarities, [matrix[49] @ matrix[0], 1.0], atol=1e-5)
    held, _ = Tail(16).shown().similarities(matrix[0], wanted)
    assert not held.any()


def test_a_vector_is_replaced_by_the_next_one_of_the_same_memory() -> None:
    tail, matrix = tail_of(10)
    tail.put(np.array([11]), np.array([103]), -matrix[3:4])
    assert len(tail) == 10
    vids, rids, _ = tail.first(100)
    assert vids.tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert rids.tolist()[-1] == 103


def test_what_was_moved_on_is_still_seen_by_whom_it_was_shown_to() -> None:
    tail, matrix = tail_of(400)
    before = tail.shown()
    _, rids, _ = tail.first(350)
    tail.drop_first(rids)
    for at in range(5):  # it makes room by then, in new arrays
        tail.put(np.arange(200) + 1000 * (at + 1), np.arange(200) + 1000 * (at + 1), units(200, at))
    assert before.propose(matrix[3], 1)[0].tolist() == [103]
    assert 103 not in tail.rids()
    assert len(tail) == 50 + 1000
    assert tail.shown().propose(matrix[399], 1)[0].tolist() == [499]


def test_what_is_gone_is_not_proposed_even_to_whom_it_was_shown() -> None:
    tail, matrix = tail_of(20)
    shown = tail.shown()
    tail.remove(np.array([105, 9999]))
    assert shown.propose(matrix[5], 1)[0].tolist() != [105]
    assert len(tail) == 19
