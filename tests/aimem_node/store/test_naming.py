"""Names are the same however people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.store.naming import FOLDED_CHARS_MAX, folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("IBM", "ibm"),
        ("straße", "STRASSE"),
        ("  two\t words ", "Two Words"),
        ("e\u0301", "\u00c9"),
        ("\uff21\uff22", "ab"),
        ("\u0130", "i\u0307"),
        ("\u2126", "\u03c9"),
    ],
)
def test_two_spellings_of_a_name_are_one_name(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_different_names_stay_different() -> None:
    assert len({folded(name) for name in ("a b", "ab", "a-b", "\u00e4b", "b a")}) == 5


@given(st.text(max_size=40))
def test_what_was_folded_stays_as_it_is(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert len(folded(name * 40)) <= FOLDED_CHARS_MAX
