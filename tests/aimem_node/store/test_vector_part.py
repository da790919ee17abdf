"""A graph over many vectors: what is removed is neither found nor saved."""

import threading

import numpy as np
import pytest

from aimem_node.store.vector_part import NOBODY, Part
from tests.aimem_node.store.vectored import units


def part_of(count: int) -> tuple[Part, np.ndarray]:
    part, matrix = Part(16, 1, count), units(count)
    part.add(np.arange(count), matrix)
    return part, matrix


def test_it_proposes_what_is_near_and_tells_how_near() -> None:
    part, matrix = part_of(500)
    rids, near = part.propose(matrix[9], 5)
    assert rids[0] == 9
    assert near[0] == pytest.approx(1.0, abs=0.01)
    held, near = part.similarities(matrix[9], np.array([9, 777, 10]))
    assert held.tolist() == [True, False, True]
    assert near == pytest.approx([1.0, float(matrix[10] @ matrix[9])], abs=0.01)
    held, near = part.similarities(matrix[9], np.array([777]))
    assert (held.tolist(), len(near)) == ([False], 0)


def test_an_empty_one_proposes_nothing() -> None:
    rids, near = Part(16, 1, 0).propose(units(1)[0], 5)
    assert len(rids) == len(near) == 0


def test_what_is_removed_is_not_proposed_and_something_is_written_over_it() -> None:
    part, matrix = part_of(300)
    before = part.content()
    assert part.remove(np.array([9, 10, 5000])) == 2
    assert not set(part.propose(matrix[9], 50)[0].tolist()) & {9, 10}
    part.overwrite_removed()
    assert part.removed == 0
    held = part.rids()
    assert set(held[held < NOBODY].tolist()) == set(range(300)) - {9, 10}
    bits = (matrix[9].view(np.uint32) + 0x8000 >> 16).astype("<u2").tobytes()[:8]
    assert bits in before
    assert bits not in part.content()
    assert all(rid < NOBODY for rid in part.propose(matrix[9], 300)[0].tolist())


def test_none_is_pushed_out_by_those_that_come_later() -> None:
    part, chance = Part(16, 1, 1), np.random.default_rng(3)
    live = np.empty(0, dtype=np.int64)
    for turn in range(20):
        comes = np.arange(turn * 300, turn * 300 + 300)
        part.add(comes, units(300, seed=turn))
        live = np.union1d(live, comes)
        goes = chance.choice(live, len(live) // 4, replace=False)
        assert part.remove(goes) == len(goes)
        live = np.setdiff1d(live, goes)
        if turn % 5 == 2:
            part.overwrite_removed()
        held = part.rids()
        assert np.array_equal(np.sort(held[held < NOBODY]), live)


def test_a_saved_one_is_the_same_when_it_is_loaded() -> None:
    part, matrix = part_of(300)
    again = Part(16, 1, 300, part.content())
    assert len(again) == 300
    for at in range(0, 300, 30):
        assert again.propose(matrix[at], 5)[0].tolist() == part.propose(matrix[at], 5)[0].tolist()


@pytest.mark.parametrize("content", [b"nothing", b"\0" * 4096])
def test_what_is_none_cannot_be_loaded(content) -> None:
    with pytest.raises((RuntimeError, ValueError)):
        Part(16, 1, 1, content)


def test_it_can_be_searched_by_several_while_one_adds() -> None:
    part, matrix = part_of(200)
    wrong, over = set(), threading.Event()

    def search() -> None:
        while not over.is_set():
            for at in range(0, 200, 20):
                if at not in part.propose(matrix[at], 10)[0].tolist():
                    wrong.add(at)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    more = units(2_000, seed=5)
    for at in range(0, 2_000, 100):
        part.add(np.arange(at, at + 100) + 1_000, more[at : at + 100])
        part.remove(np.arange(at, at + 50) + 1_000)
    over.set()
    for thread in threads:
        thread.join()
    assert len(wrong) <= 1, "an approximate search may lose one among neighbours that are alike"
