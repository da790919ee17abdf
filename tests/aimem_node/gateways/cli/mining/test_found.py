"""Texts and times from elsewhere become such as a memory may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract import formats, json_text
from aimem_node.contract.times import read_time
from aimem_node.gateways.cli.mining.found import facts_of, moment, one_line, plain, tags_of

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
)


@given(ANY_TEXT)
def test_any_text_becomes_one_that_the_contract_takes(text: str) -> None:
    kept = plain(text)
    assert formats.clean(kept) == kept
    json_text.check_unicode(kept)
    assert plain(kept) == kept


def test_both_halves_of_an_emoji_become_one() -> None:
    assert plain("a\ud83d\ude00b\ud83d") == "a😀b\ufffd"


@given(ANY_TEXT, st.integers(8, 120))
def test_a_title_is_one_line_within_its_bounds(text: str, bytes_max: int) -> None:
    line = one_line(text, bytes_max)
    assert "\n" not in line
    assert len(line.encode()) <= bytes_max
    if line:
        assert formats.title(line) == line


@given(st.lists(ANY_TEXT | st.integers() | st.none()))
def test_any_words_become_tags(words) -> None:
    for tag in tags_of(*words):
        assert formats.tag(tag) == tag
        assert len(tag.encode()) <= 128


@given(st.dictionaries(ANY_TEXT, ANY_JSON, max_size=4))
def test_any_foreign_metadata_becomes_such_as_may_be_kept(value) -> None:
    json_text.check_json(facts_of(value))


def test_metadata_that_is_nested_without_end_is_flattened() -> None:
    deep: dict = {}
    inner = deep
    for _ in range(60):
        inner["a"] = {}
        inner = inner["a"]
    inner["a"] = "end"
    json_text.check_json(facts_of(deep))
    assert "end" in str(facts_of(deep))


@pytest.mark.parametrize(
    "value",
    ["2025-03-01T08:00:00.500000Z", "2025-03-01T09:00:00.5+01:00", "2025-03-01T08:00:00.5",
     "2025-03-01 08:00:00.5", "1740816000.500000", 1740816000.5, 1740816000500],
)  # fmt: skip
def test_a_time_is_read_in_every_form_that_exports_have(value) -> None:
    assert moment(value) == read_time("2025-03-01T08:00:00.5Z")


def test_seconds_as_text_are_exact() -> None:
    assert moment("1694190770.058699") == 1_694_190_770_058_699


@pytest.mark.parametrize(
    "value", [None, True, "", "soon", float("nan"), float("inf"), 10**30, "9" * 30, [], {}]
)
def test_what_is_no_time_is_none(value) -> None:
    assert moment(value) is None
