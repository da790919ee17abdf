"""What reaches the index is words and never syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.store.words import STOP_WORDS, WORDS_MAX, quoted, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title: "x" AND (y OR NEAR(z, 2)) -w* ^v {a b}', "title x and y or near z 2 w v a b"),
        ("cafe\u0301 na\u00efve", "caf\u00e9 na\u00efve"),
        ("pass\u200bword \u202eevil\u2066", "password evil"),
        ("don't re-read snake_case", "don t re read snake case"),
        (
            "\u5317\u4eac is \u0411\u0435\u0440\u043b\u0438\u043d",
            "\u5317\u4eac is \u0431\u0435\u0440\u043b\u0438\u043d",
        ),
        ("x\0y", "x y"),
        ("same Same SAME", "same"),
        ("!? ... ''", ""),
    ],
)
def test_words_are_runs_of_letters_and_digits(text, words) -> None:
    assert words_of(text) == words.split()


@given(st.text())
def test_any_text_gives_words_that_can_be_quoted(text) -> None:
    words = words_of(text)
    expression = quoted(words, "AND")
    assert expression.count('"') == 2 * len(words)


def test_a_pasted_document_is_cut() -> None:
    assert len(words_of(" ".join(f"w{at}" for at in range(10_000)))) == WORDS_MAX


def test_stop_words_are_words_themselves() -> None:
    assert all(words_of(word) == [word] for word in STOP_WORDS)
