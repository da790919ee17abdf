"""The measures, against what a person computes by hand."""

import math

import pytest

from aimem_node.gateways.operator.bench.quality.measures import (
    MEASURES,
    average,
    collapsed,
    recall_at,
    scored,
)

TEN = list("abcdefghij")


def test_recall_divides_by_all_that_should_have_been_found() -> None:
    assert recall_at(5, TEN, {"a", "e", "z"}) == pytest.approx(2 / 3)
    assert recall_at(1, TEN, {"b"}) == 0
    assert recall_at(10, TEN, {*TEN, "x", "y"}) == pytest.approx(10 / 12)


def test_one_ranking_by_hand() -> None:
    found = scored(TEN, {"b", "d", "z"})
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    best = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert found == {
        "R@1": 0,
        "R@5": pytest.approx(2 / 3),
        "R@10": pytest.approx(2 / 3),
        "hit@5": 1,
        "MRR": 1 / 2,
        "nDCG@10": pytest.approx(gain / best),
    }


def test_a_ranking_that_begins_with_all_the_gold_is_perfect() -> None:
    assert all(value == 1 for name, value in scored(TEN, {"a"}).items())
    assert scored(TEN, {"a", "b"})["nDCG@10"] == 1


def test_ten_right_answers_of_twelve_are_a_perfect_order_and_not_a_perfect_recall() -> None:
    found = scored(TEN, {*TEN, "x", "y"})
    assert found["nDCG@10"] == pytest.approx(1)
    assert found["R@10"] == pytest.approx(10 / 12)


def test_what_stands_in_the_eleventh_place_was_not_found() -> None:
    found = scored([*TEN, "late"], {"late"})
    assert all(found[name] == 0 for name in MEASURES)


def test_an_empty_answer_scores_nothing_and_counts() -> None:
    nothing = scored([], {"a"})
    assert all(nothing[name] == 0 for name in MEASURES)
    assert average([nothing, scored(TEN, {"a"})])["MRR"] == 0.5


def test_sessions_are_ranked_by_their_first_turn() -> None:
    assert collapsed(["s2", "s1", "s2", "s3", "s1"]) == ["s2", "s1", "s3"]


def test_a_ranking_that_names_one_thing_twice_is_a_bug_here() -> None:
    with pytest.raises(AssertionError):
        scored(["a", "a"], {"a"})
