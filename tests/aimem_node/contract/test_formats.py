"""The shapes of text."""

import re

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.contract.formats import FORMATS, PATTERNS
from aimem_node.contract.values import Format


def test_every_declared_format_is_checked() -> None:
    assert set(FORMATS) == {word.value for word in Format}


SAMPLES = [
    "", " ", "a", "a b", "a\nb", "a\tb", "a\x00", "a\x7f", "a/b", "a//b", "/a", "a/", "a/../b",
    "a/./b", ".", "..", "...", "*", "a/*", "a*", "a\\b", "é/ü", "a/b/c/d/e/f/g/h",
    "a/b/c/d/e/f/g/h/i", "ai:x@h.y-1", "ai x", "ABC", "abc_1", "a-b",
]  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("text", SAMPLES)
def test_a_pattern_takes_what_its_format_keeps_as_it_is(name: str, text: str) -> None:
    try:
        kept = FORMATS[name](text) == text
    except Failure:
        kept = False
    assert bool(re.search(PATTERNS[name], text)) is kept


def test_every_format_of_text_has_a_pattern() -> None:
    assert set(PATTERNS) == set(FORMATS) - {"json_object"}
