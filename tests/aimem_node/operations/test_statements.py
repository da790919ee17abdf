"""What a text states plainly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.operations.statements import (
    STATEMENTS_MAX,
    TOKENS_MAX,
    statement_of,
    statements,
    stem,
)


@pytest.mark.parametrize(
    "sentence",
    ["Is it open?", "If it rains we stay.", "It might rain.", "We may deploy.", "Maybe not.",
     "It used to work.", "Today it works.", "Not only Ann came.", "", "   ", "!!!"],
)  # fmt: skip
def test_what_is_not_plainly_stated_is_passed_over(sentence: str) -> None:
    assert statement_of(sentence) is None


@pytest.mark.parametrize("sentence", ["It is due in May.", "The release is on May 5.", "5 may"])
def test_may_is_also_a_month(sentence: str) -> None:
    assert statement_of(sentence) is not None


def test_a_negation_is_counted_and_leaves_the_same_words() -> None:
    plain = statement_of("The API supports pagination.")
    for sentence in (
        "The API doesn't support pagination",
        "the API does not support pagination!",
        "The API never supports pagination",
        "The API no longer supports pagination.",
    ):
        turned = statement_of(sentence)
        assert (turned.tokens, turned.negations) == (plain.tokens, 1)
    assert plain.negations == 0


def test_a_label_is_a_subject_and_numbers_are_spelled_in_one_way() -> None:
    assert statement_of("Upload limit: 1,000 MB").tokens == ("upload", "limit", "=", "1000", "mb")
    assert statement_of("it has three legs").tokens[-2:] == ("3", "leg")


@given(st.text(max_size=200))
def test_any_text_can_be_taken_apart(text: str) -> None:
    found = list(statements(text))
    assert len(found) <= STATEMENTS_MAX
    assert all(0 <= len(one.tokens) <= TOKENS_MAX for one in found)


def test_at_most_so_many_statements_are_read() -> None:
    assert len(list(statements("It is so. " * 500))) == STATEMENTS_MAX


def test_a_stem_forgets_who_and_when_and_leaves_numbers_alone() -> None:
    assert len({stem(word) for word in ("use", "uses", "used")}) == 1
    assert stem("companies") == stem("company")
    assert (stem("8080"), stem("eu-west-1"), stem("class")) == ("8080", "eu-west-1", "class")
