"""What reaches the index is words and never syntax."""

import apsw
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aimem_node.store.schema_text import TOKENIZER
from aimem_node.store.words import (
    NAME_MARK,
    STOP_WORDS,
    WORDS_MAX,
    grams_of,
    marked,
    names_of,
    quoted,
    spelled,
    teach,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title: "x" AND (y OR NEAR(z, 2)) -w* ^v {a b}', "title x and y or near z 2 w v a b"),
        ("cafe\u0301 na\u00efve", "caf\u00e9 na\u00efve"),
        ("pass\u200bword \u202eevil\u2066", "password evil"),
        ("don't re-read snake_case", "don t re read snake case"),
        ("北京市 is Берлин", "北京 京市 is берлин"),
        ("iPhone手机 3月", "iphone 手机 3 月"),
        ("x\0y", "x y"),
        ("same Same SAME", "same"),
        ("Straße", "strasse"),
        ("في الْكِتَابِ", "في كتاب"),
        ("!? ... ''", ""),
        ("😀 ❤\ufe0f 👩\u200d👧 ™", ""),
        ("Acme™ №5 😀ok", "acme 5 ok"),
        (f"{NAME_MARK}ann", "ann"),
    ],
)
def test_words_are_runs_of_letters_and_digits(text, words) -> None:
    assert words_of(text) == words.split()


@given(st.text())
def test_any_text_gives_words_that_can_be_quoted(text) -> None:
    words = words_of(text)
    expression = quoted(words, "AND")
    assert expression.count('"') == 2 * len(words)
    assert quoted([marked(word) for word in words], "OR").count('"') == 2 * len(words)
    assert quoted(spelled(text), "OR").count('"') == 2 * len(spelled(text))


# Of the youngest scripts SQLite does not know the capital letters.
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Lu",)) | st.sampled_from("AÄЯΣ")))
@example("0㐀\u102b")
def test_any_text_is_found_by_each_of_its_words(text) -> None:
    read = apsw.Connection(":memory:").fts5_tokenizer(*TOKENIZER)

    def stems(one: str) -> list[str]:
        return read(one.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False)

    given_ = {stem for column in (text, grams_of(text)) for (stem,) in stems(column)}
    assert {stem for word in words_of(text) for (stem,) in stems(word)} <= given_


def test_a_pasted_document_is_cut() -> None:
    assert len(words_of(" ".join(f"w{at}" for at in range(10_000)))) == WORDS_MAX
    assert len(words_of("".join(map(chr, range(0x4E00, 0x5E00))))) == WORDS_MAX


def test_stop_words_are_words_themselves() -> None:
    assert all(words_of(word) == [word] for word in STOP_WORDS)


def test_english_is_given_nothing_more() -> None:
    assert grams_of("Don’t — it’s “fine” 😀 ❤\ufe0f", "a", "[]") == ""
    assert grams_of("done🤔") == "done"


def test_words_that_are_written_so_are_not_given_twice() -> None:
    assert grams_of("Möwen", "café Берлин हिन्दी", "[]") == "moewen"
    assert grams_of("Straße") == "strasse"


def test_words_as_they_are_written_keep_their_letters() -> None:
    assert spelled("Łódź, الكتاب 北京市") == ["łódź", "الكتاب", "北京市"]


def test_names_are_words_of_their_own() -> None:
    assert names_of("user:ann-marie") == " ".join(map(marked, ("user", "ann", "marie")))
    assert names_of("team/a team/b") == " ".join(map(marked, ("team", "a", "b")))
    assert names_of("") == ""


def test_sqlite_is_taught_both() -> None:
    connection = apsw.Connection(":memory:")
    teach(connection)
    row = connection.execute("SELECT memory_grams('北京', 'a', '[]'), memory_names('ai:x')")
    assert row.fetchone() == ("北京 北 京", f"{NAME_MARK}ai {NAME_MARK}x")
    connection.close()
