"""Text and question come to one spelling, and stay at it whatever Python's Unicode learns."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.store.scripts import PIECE, RUN, base, folded, grams, tokenizer_marks, visible


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "Straße"),
        ("caf\u00e9", "cafe\u0301"),
        ("Łódź", "lódź"),
        ("Ærø", "aero"),
        ("ёлка", "елка"),
        ("Ολόκληρος", "ολοκληροσ"),
        ("مُحَمَّد", "محمد"),
        ("أحمد", "احمد"),
        ("مدرسة", "مدرسه"),
        ("مـــدرسه", "مدرسه"),
        ("کتاب", "كتاب"),
        ("٢٠٢٥", "2025"),
        ("שָׁלוֹם", "שלום"),
        ("ＡＢＣ１", "abc1"),
        ("ﾊﾝｶｸ", "ハンカク"),
        ("か\u3099", "が"),
        ("pass\u200bword", "password"),
        ("می\u200cخواهم", "ميخواهم"),
    ],
)
def test_spellings_of_one_word_become_the_same(one, other) -> None:
    assert folded(one) == folded(other)


def test_what_tells_words_apart_is_kept() -> None:
    assert folded("мой") != folded("мои")
    assert folded("ハ") != folded("バ")
    assert folded("हिन्दी") == "हिन्दी"
    assert visible("Łódź") == "łódź"


def test_the_arabic_article_goes_where_a_word_is_left() -> None:
    assert [base(word) for word in ("الكتاب", "والكتاب", "بالكتاب", "للكتاب")] == ["كتاب"] * 4
    assert [base(word) for word in ("الله", "ال", "كتاب", "salt")] == ["الله", "ال", "كتاب", "salt"]


@pytest.mark.parametrize(
    ("run", "asked", "given_"),
    [
        ("北京市", "北京 京市", "北京 京市 北 京 市"),
        ("猫", "猫", "猫"),
        ("東京タワー", "東京 京タ タワ ワー", "東京 京タ タワ ワー 東 京"),
        ("회의에서", "회의 의에 에서", "회의 의에 에서 회"),
        ("กินข้าว", "กิน นข้ ข้า าว", "กิน นข้ ข้า าว"),
        ("ក្រុង", "ក្រុ រុង", None),
    ],
)
def test_a_run_is_found_by_each_two_characters_with_their_signs(run, asked, given_) -> None:
    if given_ is None:  # a stacked consonant goes with its sign
        assert all(grams(run, asked=True))
        return
    assert grams(run, asked=True) == asked.split()
    assert grams(run, asked=False) == given_.split()


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "M", "N"))))
def test_a_run_that_is_asked_for_is_found_in_itself(text) -> None:
    for run in RUN.findall(folded(text)):
        assert set(grams(run, asked=True)) <= set(grams(run, asked=False))
        assert all(PIECE.findall(gram) == [gram] for gram in grams(run, asked=True))


def test_the_signs_are_no_punctuation() -> None:
    kinds = {unicodedata.category(sign) for sign in tokenizer_marks()}
    assert kinds <= {"Mn", "Mc", "Lo", "Cn"}
