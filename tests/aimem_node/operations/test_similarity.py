"""How alike two texts are: a measure of the texts and of nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from aimem_node.operations.similarity import Shape, shape, similarity

words = st.sampled_from("deploy port the of 8080 9090 notes Postgres staging ! ...".split())  # noqa: SIM905
texts = st.one_of(st.lists(words, max_size=12).map(" ".join), st.text(max_size=30))
shapes = st.builds(shape, texts, texts)

TEXT = (
    "the billing service stores invoices in postgres and sends them by mail every night after"
    " the export has finished without errors"
)


def alike(one: tuple[str, str], other: tuple[str, str]) -> float:
    return similarity(shape(*one), shape(*other))


@given(shapes, shapes)
def test_it_is_between_nothing_and_one_and_the_same_both_ways(one: Shape, other: Shape) -> None:
    assert 0.0 <= similarity(one, other) <= 1.0
    assert similarity(one, other) == similarity(other, one)


@given(shapes)
def test_everything_is_wholly_like_itself(one: Shape) -> None:
    assert similarity(one, one) == 1.0


def test_case_and_spacing_make_no_difference() -> None:
    assert alike(("Deploy", "Port  8080"), ("deploy ", "port 8080")) == 1.0


def test_texts_without_a_word_in_common_are_not_alike() -> None:
    assert alike(("deploy", "port 8080"), ("lunch", "soup today")) == 0.0
    assert alike(("!", "!!!"), ("?", "???")) == 0.0
    assert alike(("", ""), ("deploy", "port")) == 0.0


def test_one_word_in_twenty_leaves_them_alike_and_one_in_eight_does_not() -> None:
    assert alike(("billing", TEXT), ("billing", TEXT.replace("postgres", "mysql"))) > 0.85
    short = "service listens on port {} in staging now"
    assert alike(("port", short.format(8080)), ("port", short.format(9090))) < 0.85


def test_one_page_under_two_titles_is_alike_and_one_word_under_two_is_not() -> None:
    assert alike(("billing notes", TEXT), ("how invoices work", TEXT)) >= 0.85
    assert alike(("Database", "Postgres"), ("Analytics database", "Postgres")) < 0.85


def test_the_order_of_words_counts() -> None:
    assert alike(("t", "ann told bob all of it"), ("t", "bob told ann all of it")) < 1.0


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    start = "word " * 4_000
    assert alike(("t", start + "one"), ("t", start + "other")) == 1.0
