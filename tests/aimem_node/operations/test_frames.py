"""Words that leave room for one value only."""

import pytest

from aimem_node.operations import frames
from aimem_node.operations.statements import stem


def test_opposites_are_opposite_both_ways_and_never_of_themselves() -> None:
    for one, other in (("enabled", "disabled"), ("stable", "unstable"), ("likes", "hates")):
        a, b = stem(one), stem(other)
        assert frames.are_opposite(a, b)
        assert frames.are_opposite(b, a)
        assert not frames.are_opposite(a, a)
    assert not frames.are_opposite("port", "import")


@pytest.mark.parametrize("words", ["postgres", "eu-west-1", "dark roast coffee"])
def test_a_few_words_can_be_a_name(words: str) -> None:
    assert frames.is_name([stem(word) for word in words.split()])


@pytest.mark.parametrize("words", ["slow", "running", "8080", "in berlin", "a b c d e", ""])
def test_what_only_describes_is_none(words: str) -> None:
    assert not frames.is_name([stem(word) for word in words.split()])


def test_the_last_verb_is_the_one_that_counts() -> None:
    assert frames.last_verb(["service", "runs", "is"]) == "is"
    assert frames.last_verb(["nothing", "here"]) == ""
