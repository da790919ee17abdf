"""What counts as one text, and as one topic."""

from hypothesis import given
from hypothesis import strategies as st

from aimem_node.store.sameness import fingerprint, is_same, normalised, topic_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def test_case_spacing_width_and_invisible_marks_make_no_other_text() -> None:
    said = ("Deploy  Notes", "Ｐort 8080\n\tis\u200b open")
    again = ("deploy notes ", "port 8080 is OPEN")
    assert is_same(said, again)
    assert fingerprint(*said) == fingerprint(*again)


def test_another_word_or_sign_makes_another_text() -> None:
    for other in (("a", "port 80"), ("a b", "port"), ("a", "port 8080!")):
        assert not is_same(("a", "port 8080"), other)
        assert fingerprint("a", "port 8080") != fingerprint(*other)


@given(texts, texts)
def test_a_fingerprint_is_a_number_of_64_bits_and_that_of_the_normalised_text(
    title: str, content: str
) -> None:
    number = fingerprint(title, content)
    assert -(1 << 63) <= number < 1 << 63
    assert number == fingerprint(normalised(title), normalised(content))


def test_a_topic_is_that_of_the_metadata_and_else_the_title() -> None:
    assert topic_of("Title", {}) == "title"
    assert topic_of("Title", {"topic": "  The  Port "}) == "the port"
    for nothing in ("", "  ", 5, None, ["x"]):
        assert topic_of("Title", {"topic": nothing}) == "title"
    assert len(topic_of("t", {"topic": "x" * 9_999})) == 512
