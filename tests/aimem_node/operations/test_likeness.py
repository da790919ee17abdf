"""How alike two texts are: by meaning where that can be trusted, by words where it cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.operations.likeness import (
    LOOKED_CLOSELY_FROM,
    Likened,
    Said,
    differences,
    is_filled_in,
    likened,
)

NEAR = 0.97
"""What a model gives for one sentence with another number in it."""


def compare(
    one: str, other: str, cosine: float | None = NEAR, tokens_max: int = 256, title: str = ""
) -> Likened:
    return likened(Said(title, one), Said(title, other), cosine, tokens_max)


words = st.sampled_from(
    "the port is 5432 5433 not open closed cat Tom Mia 2026-05-01 5 GB 30 s. always never".split()  # noqa: SIM905
)
texts = st.lists(words, min_size=1, max_size=14).map(" ".join)
cosines = st.none() | st.floats(-1, 1)


@given(texts, texts, cosines)
def test_it_is_between_nothing_and_one_and_the_same_both_ways(
    one: str, other: str, cosine: float | None
) -> None:
    there, back = compare(one, other, cosine), compare(other, one, cosine)
    assert 0 <= there.similarity <= 1
    assert there.similarity == back.similarity


@given(texts, cosines)
def test_equal_texts_are_wholly_alike_whatever_a_model_says(
    text: str, cosine: float | None
) -> None:
    assert compare(text, text.upper(), cosine) == Likened(1.0, by_meaning=False, differs=())


def test_a_paraphrase_is_alike_by_meaning_though_not_by_words() -> None:
    one, other = "we hold the retro on friday afternoon", "team looks back at the sprint weekly"
    assert compare(one, other, None).similarity < LOOKED_CLOSELY_FROM
    assert compare(one, other, 0.93) == Likened(0.93, by_meaning=True, differs=())


def test_what_shares_its_words_is_alike_though_a_model_sees_little() -> None:
    one = "the billing service stores invoices in postgres and sends them by mail every night"
    other = f"{one} too"
    by_words = compare(one, other, None)
    assert by_words.similarity > 0.8
    assert compare(one, other, 0.3) == by_words
    assert not by_words.by_meaning


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("the database listens on port 5432", "the database listens on port 5433", "number"),
        ("a backup weighs 5 GB", "a backup weighs 7 GB", "number"),
        ("a backup weighs 5 GB", "a backup weighs 5 MB", "number"),
        ("it is retried after 30 seconds", "it is retried after 60", "number"),
        ("it is retried after 30 seconds", "it is retried after 30 minutes", "number"),
        ("the limit is 1,000 requests", "the limit is 10,000 requests", "number"),
        ("release v2.1.0 fixed the leak", "release v2.1.1 fixed the leak", "number"),
        ("it was fixed by #4711 at last", "it was at last fixed with #4712", "number"),
        ("the audit is on 2026-05-01", "the audit is on 2026-06-01", "date"),
        ("the contract ends in 2027 as agreed", "the contract as agreed ends in 2028", "date"),
        ("the standup begins at 9:30", "the standup begins at 10:30", "date"),
        ("the api is public", "the api is not public", "negation"),
        ("you can deploy on a friday", "you can't deploy on a friday", "negation"),
        ("we deploy with a review", "we deploy without a review", "negation"),
        ("the cache is enabled in production", "the cache is disabled in production", "opposite"),
        ("the disk is encrypted at rest", "the disk is unencrypted at rest", "opposite"),
        ("run it before the migration", "run it after the migration", "opposite"),
        ("Ann likes long meetings", "Ann hates long meetings", "opposite"),
    ],
)  # fmt: skip
def test_what_differs_is_said_and_the_vectors_do_not_count(
    one: str, other: str, differs: str
) -> None:
    for a, b in ((one, other), (other, one)):
        like = compare(a, b)
        assert differs in like.differs
        assert not like.by_meaning
        assert like.similarity < NEAR
        assert like.similarity == compare(a, b, None).similarity


def test_what_differs_is_told_in_order() -> None:
    one = "The port is 5432. The audit is not public."
    other = "The port is 5433. The audit is public."
    assert compare(one, other).differs == ("negation", "number")


def test_a_number_in_the_title_counts_too() -> None:
    found = differences(Said("Invoice 12", "was paid"), Said("Invoice 13", "was paid"))
    assert found == ("number",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the cat is called Tom", "the cat is called Mia"),
        ("the service was deployed to staging by Ann", "the service was deployed to berlin by Ann"),
        ("my favourite dish is pasta with tomatoes", "my favourite dish is soup with tomatoes"),
        ("die Katze heißt Tom", "die Katze heißt Mia"),
    ],
)
def test_one_sentence_with_another_word_filled_in_is_judged_by_its_words(
    one: str, other: str
) -> None:
    like = compare(one, other)
    assert not like.by_meaning
    assert like.similarity < 0.85
    assert like.similarity == compare(one, other, None).similarity


def test_a_paraphrase_is_not_taken_for_a_sentence_that_is_filled_in() -> None:
    one, other = "the build broke because of a typo", "a typo made our build fail"
    assert not is_filled_in(Said("", one), Said("", other))
    assert compare(one, other, 0.93).by_meaning


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the limit is 1,000 requests", "the limit is 1000 requests"),
        ("we sold 1,250,000 tickets", "we sold 1250000 tickets"),
        ("a backup weighs 5 GB", "a backup weighs 5GB"),
        ("it is retried after 30 seconds", "it is retried after 30s"),
        ("it is retried after 30 s", "it is retried after 30 seconds"),
        ("it is retried after 60 seconds", "it is retried after 1 minute"),
        ("the plan costs $20", "the plan costs 20 dollars"),
        ("a share of 5%", "a share of 5 percent"),
        ("issue #12 is done", "issue 12 is done"),
        ("release v2.1 is out", "release 2.1 is out"),
    ],
)
def test_a_number_that_is_written_differently_is_the_same_number(one: str, other: str) -> None:
    for a, b in ((one, other), (other, one)):
        like = compare(a, b)
        assert like.differs == ()
        assert like.similarity >= NEAR


def test_a_text_that_only_says_more_differs_in_nothing() -> None:
    one = "the database listens on port 5432"
    other = f"{one} and has done so since 2019"
    like = compare(one, other, 0.92)
    assert like == Likened(0.92, by_meaning=True, differs=())


def test_what_is_hardly_alike_is_not_looked_at_closely() -> None:
    like = compare("the api is public", "the api is not public and never was, says Bo", 0.2)
    far = compare("port 5432", "room 77 is booked by somebody else", 0.4)
    assert far == Likened(0.4, by_meaning=True, differs=())
    assert like.similarity == compare("the api is public", "the api is not public and never was, "
                                      "says Bo", None).similarity  # fmt: skip


def test_a_text_longer_than_the_model_reads_is_not_judged_by_its_vector() -> None:
    one = "zebra " * 300
    other = "gnu " * 300
    assert compare(one, other, NEAR, tokens_max=256) == Likened(0.0, by_meaning=False, differs=())
    assert compare(one, other, NEAR, tokens_max=8_192).by_meaning
    assert compare(one, other, NEAR, tokens_max=0).by_meaning, "nobody knows how much it reads"
    assert not compare(one, "gnu", NEAR, tokens_max=256).by_meaning, "either of them"


def test_other_scripts_are_longer_to_a_model_than_they_look() -> None:
    assert Said("", "word " * 60).tokens_about == 100
    assert Said("", "数据库在生产环境运行" * 10).tokens_about >= 100
    assert Said("标题", "ab c" * 3).tokens_about == 2 + 4


@pytest.mark.parametrize("cosine", [-0.4, 1.0001])
def test_a_cosine_that_is_out_of_bounds_is_brought_back(cosine: float) -> None:
    like = compare("we hold the retro on friday", "zebras", cosine)
    assert like.similarity == min(1.0, max(0.0, cosine))


def test_of_very_long_texts_the_end_is_compared_by_words_alone() -> None:
    page = "the billing service stores invoices in postgres every night. " * 100
    like = compare(f"{page} port 5432", f"{page} port 5433", NEAR, tokens_max=256)
    assert like.similarity < 1.0
    assert not like.by_meaning


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Der Dienst ist öffentlich.", "Der Dienst ist nicht öffentlich."),
        ("Le serveur est ouvert.", "Le serveur n'est pas ouvert."),
        ("El puerto está abierto.", "El puerto no está abierto."),
        ("这个服务是公开的", "这个服务不是公开的"),
        ("サーバーは動く", "サーバーは動かない"),
        ("الخدمة متاحة", "الخدمة ليست متاحة"),
    ],
)
def test_a_negation_in_another_language_stands_between_two_texts(one: str, other: str) -> None:
    assert "negation" in likened(Said("", one), Said("", other), 0.97).differs
    assert likened(Said("", one), Said("", f"{one} "), 0.97).differs == ()


@pytest.mark.parametrize(
    ("one", "other"), [("we write C#", "we write C++"), ("it is -5 outside", "it is 5 outside")]
)
def test_what_only_a_sign_tells_apart_is_not_the_same(one: str, other: str) -> None:
    assert likened(Said("", one), Said("", other), 0.99).differs != ()
    assert likened(Said("", one), Said("", f"{one}."), 0.99).differs == ()
