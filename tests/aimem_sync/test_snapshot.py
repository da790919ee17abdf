"""A snapshot is taken only where the present log gives back what it lacks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.cursor import Cursor, Range
from aimem_sync.snapshot import Plan, is_useful, plan
from tests.aimem_sync.cluster import AT_A, AT_B, AT_C

cursors = st.dictionaries(st.sampled_from((AT_A, AT_B, AT_C)), st.integers(0, 5)).map(Cursor)


def test_own_ops_beyond_the_snapshot_are_the_tail() -> None:
    have, theirs = Cursor({AT_A: 5, AT_B: 1}), Cursor({AT_A: 3, AT_B: 9})
    assert plan(have, Cursor({AT_A: 3}), theirs) == Plan((Range(AT_A, 4, 5),), ())


def test_a_snapshot_that_would_lose_ops_is_refused_and_says_of_which_log() -> None:
    have, theirs = Cursor({AT_A: 5}), Cursor({AT_A: 3, AT_B: 9})
    assert plan(have, Cursor({AT_A: 4}), theirs) == Plan((), (AT_A,))


@given(cursors, cursors, cursors)
def test_an_accepted_snapshot_never_leaves_less_than_there_was(
    have: Cursor, floor: Cursor, theirs: Cursor
) -> None:
    decided = plan(have, floor.meet(have), theirs)
    after = theirs.merge(Cursor({r.origin: r.last for r in decided.tail}))
    assert decided.refused or after == have.merge(theirs)


def test_a_snapshot_of_what_is_held_already_is_of_no_use() -> None:
    assert not is_useful(Cursor({AT_A: 2}), Cursor({AT_A: 2}))
    assert is_useful(Cursor({AT_A: 2}), Cursor({AT_A: 1, AT_B: 1}))
