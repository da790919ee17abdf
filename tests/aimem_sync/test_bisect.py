"""The place where two logs part is found in as many questions as their length has bits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.bisect import Bisection, questions_max


@given(st.integers(1, 3_000), st.data())
def test_the_last_common_op_is_found_in_few_questions(length: int, data: st.DataObject) -> None:
    common = data.draw(st.integers(0, length - 1))
    mine = [b"same" if seq <= common else b"mine" for seq in range(length + 1)]
    theirs = [b"same" if seq <= common else b"theirs" for seq in range(length + 1)]
    search, asked = Bisection(0, length), 0
    while (seq := search.question) is not None:
        search, asked = search.told(seq, mine[seq], theirs[seq]), asked + 1
    assert search.common == common
    assert asked <= questions_max(length)


def test_a_log_that_ends_before_counts_as_different() -> None:
    search = Bisection(0, 4).told(2, b"x", None)
    assert search == Bisection(0, 2)
    assert search.told(1, None, None) == Bisection(0, 1)


def test_an_answer_to_no_question_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        Bisection(1, 4).told(4, b"x", b"x")
    assert Bisection(3, 4).question is None
    assert [questions_max(n) for n in (1, 2, 3, 1_000)] == [0, 1, 2, 10]
