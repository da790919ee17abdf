"""Cursors form a lattice, and say exactly what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.cursor import Cursor, Range, Relation
from aimem_sync.faults import Duplicate, Gap, OpFault
from aimem_sync.limits import NUMBER_MAX
from aimem_sync.op import Dot
from tests.aimem_sync.histories import ORIGINS

cursors = st.dictionaries(st.sampled_from(ORIGINS), st.integers(0, 4)).map(Cursor)
dots = st.builds(Dot, st.sampled_from(ORIGINS), st.integers(1, 6))


def covered(cursor: Cursor) -> set[Dot]:
    """The cursor's meaning: the ops it covers."""
    return {Dot(origin, seq) for origin, last in cursor for seq in range(1, last + 1)}


@given(cursors, cursors)
def test_merge_covers_what_either_does_and_meet_what_both_do(a: Cursor, b: Cursor) -> None:
    assert covered(a.merge(b)) == covered(a) | covered(b)
    assert covered(a.meet(b)) == covered(a) & covered(b)


@given(cursors, cursors, cursors)
def test_merge_and_meet_are_a_lattice(a: Cursor, b: Cursor, c: Cursor) -> None:
    assert a.merge(b) == b.merge(a)
    assert a.meet(b) == b.meet(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.meet(b).meet(c) == a.meet(b.meet(c))
    assert a.merge(a) == a == a.meet(a)
    assert a.merge(a.meet(b)) == a == a.meet(a.merge(b))
    assert a.merge(Cursor()) == a
    assert a.meet(Cursor()) == Cursor()


@given(cursors, cursors)
def test_comparison_is_that_of_what_is_covered(a: Cursor, b: Cursor) -> None:
    mine, theirs = covered(a), covered(b)
    expected = (
        Relation.EQUAL
        if mine == theirs
        else Relation.AHEAD
        if mine > theirs
        else Relation.BEHIND
        if mine < theirs
        else Relation.CONCURRENT
    )
    assert a.compare(b) is expected
    assert a.dominates(b) == (mine >= theirs)
    assert (a == b) == (mine == theirs)
    assert a != b or hash(a) == hash(b)


@given(cursors, cursors)
def test_sending_what_is_missing_brings_the_other_level(a: Cursor, b: Cursor) -> None:
    missing = [
        Dot(span.origin, seq)
        for span in a.missing_from(b)
        for seq in range(span.first, span.last + 1)
    ]
    assert set(missing) == covered(a) - covered(b)
    reached = b
    for dot in missing:
        reached = reached.advance(dot)
    assert reached == a.merge(b)


@given(cursors, dots)
def test_a_cursor_advances_by_the_next_op_only(cursor: Cursor, dot: Dot) -> None:
    have = cursor.get(dot.origin)
    assert cursor.covers(dot) == (dot in covered(cursor))
    if dot.seq == have + 1:
        assert covered(cursor.advance(dot)) == covered(cursor) | {dot}
    elif dot.seq > have:
        with pytest.raises(Gap) as gap:
            cursor.advance(dot)
        assert gap.value.have == have
    else:
        with pytest.raises(Duplicate):
            cursor.advance(dot)


@given(cursors)
def test_a_cursor_is_read_back_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.decode(cursor.encode()) == cursor
    assert Cursor.decode(cursor.encode()).encode() == cursor.encode()


def test_an_empty_cursor_is_empty_text() -> None:
    assert Cursor().encode() == ""
    assert Cursor.decode("") == Cursor() == Cursor({ORIGINS[0]: 0})
    assert len(Cursor({ORIGINS[0]: 0})) == 0


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "x",
        f"{ORIGINS[0]}",
        f"{ORIGINS[0]}:0",
        f"{ORIGINS[0]}:1,",
        f"{ORIGINS[0]}:1,{ORIGINS[0]}:2",
        f"{ORIGINS[0]}:{NUMBER_MAX + 1}",
    ],
)
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(OpFault):
        Cursor.decode(text)


def test_ranges_start_after_what_the_other_has() -> None:
    mine, theirs = Cursor({ORIGINS[0]: 5, ORIGINS[1]: 2}), Cursor({ORIGINS[0]: 3, ORIGINS[3]: 9})
    assert mine.missing_from(theirs) == (Range(ORIGINS[0], 4, 5), Range(ORIGINS[1], 1, 2))
