"""Which pairs are said to contradict each other. That few are wrongly said to matters most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.operations.contradiction import CONFIDENCE, Disagreement, disagreement, said
from aimem_node.operations.contradictions import CONTRADICTS_FROM
from aimem_node.store.sameness import normalised
from tests.aimem_node.operations.contradiction_pairs import AGREEING, CONTRADICTING, RELATED

sentences = st.one_of(
    st.sampled_from([text for pair in CONTRADICTING for text in pair[:2]]),
    st.sampled_from([text for pair in AGREEING for text in pair]),
    st.text(max_size=60),
)


def compared(
    one: str, other: str, titles: tuple[str, str] = ("one", "two"), speakers: str = "xx"
) -> Disagreement:
    a, b = (
        said(title, text, normalised(title), who)
        for title, text, who in zip(titles, (one, other), speakers, strict=True)
    )
    return disagreement(a, b)


@pytest.mark.parametrize(("one", "other", "sign"), CONTRADICTING)
def test_what_cannot_both_hold_is_seen(one: str, other: str, sign: str) -> None:
    found = compared(one, other)
    assert found.signs == (sign,)
    assert found.confidence == CONFIDENCE[sign] >= CONTRADICTS_FROM


@pytest.mark.parametrize(("one", "other"), AGREEING)
def test_what_can_both_hold_is_left_alone(one: str, other: str) -> None:
    assert compared(one, other) == Disagreement((), 0.0)


@pytest.mark.parametrize(("title", "one", "other", "sign"), RELATED)
def test_a_common_topic_says_what_a_bare_value_is_of(
    title: str, one: str, other: str, sign: str
) -> None:
    assert compared(one, other, (title, title)).signs == ((sign,) if sign else ())
    assert compared(one, other, ("one", "two")).signs == (), "and without it nobody knows"


def test_i_is_somebody_else_in_another_mouth() -> None:
    pair = ("I like olives on pizza.", "I don't like olives on pizza.")
    assert compared(*pair).signs == ("negation",)
    assert compared(*pair, speakers="xy").signs == ()


def test_several_signs_are_surer_than_one() -> None:
    found = compared(
        "The release is on May 5. The cluster has three nodes.",
        "The cluster has five nodes. The release is on May 12.",
    )
    assert found.signs == ("date", "number")
    assert max(CONFIDENCE["date"], CONFIDENCE["number"]) < found.confidence < 1


@given(sentences, sentences, st.booleans())
def test_it_is_the_same_both_ways_and_nothing_contradicts_itself(
    one: str, other: str, related: bool
) -> None:
    titles = ("port", "port") if related else ("one", "two")
    there, back = compared(one, other, titles), compared(other, one, titles[::-1])
    assert there == back
    assert 0 <= there.confidence <= 1
    assert compared(one, one, titles).signs == ()


def test_a_long_text_is_compared_by_its_first_page() -> None:
    filler = " ".join(f"Sentence number{at} tells about thing{at}." for at in range(2_000))
    start = "The gateway is written in Go. "
    assert compared(start + filler, "The gateway is written in Rust. " + filler).signs == ("value",)
