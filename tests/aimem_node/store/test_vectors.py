"""What a vector is: checked when it comes in, read without trusting it, ordered the same always."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.store.vectors import LENGTH_ERROR_MAX, best, decoded, encoded, problem_with
from tests.aimem_node.store.vectored import units


def test_a_vector_that_was_kept_is_one_still() -> None:
    matrix = units(50, dimension=384)
    again = decoded([encoded(one) for one in matrix], 384)
    assert again.dtype == np.float32
    assert all(problem_with(one, 384) == "" for one in again)
    assert np.abs((again * matrix).sum(axis=1) - 1.0).max() < 1e-3


@given(st.lists(st.floats(width=32), min_size=1, max_size=6), st.integers(1, 6))
def test_only_finite_vectors_of_the_dimension_and_of_length_one_are_taken(numbers, dimension):
    vector = np.array(numbers, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        length = float(np.linalg.norm(vector))
        good = len(numbers) == dimension and np.isfinite(vector).all()
        good = good and abs(length - 1) <= LENGTH_ERROR_MAX
        assert (problem_with(vector, dimension) == "") == good


def test_what_cannot_be_read_as_a_vector_is_near_to_nothing() -> None:
    nan = np.full(4, np.nan, dtype="<f2").tobytes()
    read = decoded([b"", nan, b"\0" * 7, encoded(np.array([1, 0, 0, 0]))], 4)
    assert read.tolist() == [[0, 0, 0, 0]] * 3 + [[1, 0, 0, 0]]


@given(st.permutations(range(12)), st.integers(1, 13))
def test_the_best_are_the_same_in_whatever_order_they_come(order, limit) -> None:
    near = np.array([0.5, 0.5, 0.9, 0.1, 0.5, 0.2, 0.5, 0.5, 0.5, 0.9, 0.5, 0.5])
    rids = np.arange(12)
    turned = np.array(order)
    expected = sorted(zip(rids.tolist(), near.tolist(), strict=True), key=lambda x: (-x[1], x[0]))
    assert best(rids[turned], near[turned], limit) == expected[:limit]


@pytest.mark.parametrize("count", [0, 1])
def test_the_best_of_none_are_none(count) -> None:
    assert len(best(np.arange(count), np.ones(count), 5)) == count
