"""Two states are compared only where their ops are the same."""

from __future__ import annotations

from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest
from aimem_sync.divergence import Comparison, Likeness, compare, compare_roots
from tests.aimem_sync.cluster import AT_A

HERE, FURTHER = Cursor({AT_A: 1}), Cursor({AT_A: 2})
ONE = Digest().add(7, b"x" * 32)


def test_equal_ops_and_different_states_have_diverged_and_it_says_where() -> None:
    assert compare(HERE, ONE, HERE, Digest()) == Comparison(Likeness.DIVERGED, (7,))
    assert compare(HERE, ONE, HERE, ONE) == Comparison(Likeness.EQUAL)


def test_who_lacks_ops_is_not_compared() -> None:
    assert compare(HERE, ONE, FURTHER, Digest()) == Comparison(Likeness.UNKNOWN)


def test_roots_alone_say_whether_but_not_where() -> None:
    assert compare_roots(HERE, b"r", HERE, b"s") is Likeness.DIVERGED
    assert compare_roots(HERE, b"r", HERE, b"r") is Likeness.EQUAL
    assert compare_roots(HERE, b"", HERE, b"r") is Likeness.UNKNOWN
    assert compare_roots(HERE, b"r", FURTHER, b"r") is Likeness.UNKNOWN
