"""What an edit says it saw."""

from __future__ import annotations

import pytest

from aimem_sync.change import Change, body_for, edit_for
from aimem_sync.edit import Edit
from aimem_sync.op import Kind
from tests.aimem_sync.histories import ORIGINS, RECORD, Replica

LIVE = {"is": "live"}


def state_after(*changes: Change) -> Replica:
    replica = Replica(ORIGINS[0])
    for change in changes:
        replica.write(change)
    return replica


def test_the_first_edit_overwrites_nothing_and_says_the_record_lives() -> None:
    edit = edit_for(Change(RECORD, "memory", {"body": "x"}, tag=("t",)), None, ORIGINS[0])
    assert edit == Edit("memory", {"body": "x", "life": LIVE}, tag=("t",))


def test_an_edit_overwrites_all_heads_it_saw_of_what_it_writes_and_no_others() -> None:
    a, b = state_after(Change(RECORD, "memory", {"body": "x", "priority": 1})), Replica(ORIGINS[1])
    b.take(a.seen[0])
    mine = a.write(Change(RECORD, "memory", {"body": "a"}))
    theirs = b.write(Change(RECORD, "memory", {"body": "b"}))
    a.take(theirs)
    edit = edit_for(Change(RECORD, "memory", {"body": "c"}), a.states[RECORD], ORIGINS[0])
    assert set(edit.over["body"]) == {mine.dot, theirs.dot}
    assert edit.over.keys() == {"body", "life"}


def test_removing_a_tag_names_the_adds_that_were_seen() -> None:
    replica = state_after(Change(RECORD, "memory", tag=("red",)))
    state = replica.states[RECORD]
    edit = edit_for(Change(RECORD, "memory", untag=("red", "blue")), state, ORIGINS[1])
    assert edit.untag == {"red": (replica.seen[0].dot,)}


def test_saving_the_same_tags_again_keeps_one_add_for_each() -> None:
    replica = state_after(*[Change(RECORD, "memory", tag=("red",)) for _ in range(4)])
    assert replica.states[RECORD].tags == {"red": {replica.seen[-1].dot}}


def test_a_tag_both_added_and_removed_is_added() -> None:
    replica = state_after(Change(RECORD, "memory", tag=("t",), untag=("t",)))
    assert replica.states[RECORD].tags.keys() == {"t"}


def test_a_count_is_the_total_of_its_origin_alone() -> None:
    wish = Change(RECORD, "memory", count={"access": 2})
    replica = state_after(wish, wish)
    state = replica.states[RECORD]
    assert edit_for(wish, state, ORIGINS[0]).count == {"access": 6}
    assert edit_for(wish, state, ORIGINS[1]).count == {"access": 2}


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Change(RECORD, "memory", {"body": "y"}), True),
        (Change(RECORD, "memory", tag=("t",)), True),
        (Change(RECORD, "memory", untag=("t",)), True),
        (Change(RECORD, "memory", {"tier": "long", "expires_at": None, "priority": 6}), False),
        (Change(RECORD, "memory", {"accessed_at": 1, "updated_at": 1}), False),
        (Change(RECORD, "memory", {"tier": "long", "confidence": 1}), True),
        (Change(RECORD, "memory", count={"access": 1}), False),
    ],
)
def test_only_people_say_that_a_record_lives(wish: Change, says: bool) -> None:
    state = state_after(Change(RECORD, "memory", {"body": "x"})).states[RECORD]
    edit = edit_for(wish, state, ORIGINS[0])
    assert (edit.set.get("life") == LIVE) == says
    assert ("life" in edit.over) == says


def test_a_wish_about_life_is_left_as_it_is() -> None:
    wish = Change(RECORD, "memory", {"life": {"is": "deleted"}, "body": None})
    assert edit_for(wish, None, ORIGINS[0]).set["life"] == {"is": "deleted"}


def test_counting_on_a_record_not_seen_does_not_bring_it_to_life() -> None:
    edit = edit_for(Change(RECORD, "memory", count={"access": 1}), None, ORIGINS[0])
    assert edit == Edit("memory", count={"access": 1})


def test_a_purge_has_an_empty_body() -> None:
    assert body_for(Change(RECORD, "memory", {"body": 1}, kind=Kind.PURGE), None, ORIGINS[0]) == b""


def test_a_wish_is_not_changed_by_becoming_an_edit() -> None:
    wish = Change(RECORD, "memory", {"body": "x"}, tag=("b", "a"))
    body_for(wish, None, ORIGINS[0])
    assert wish == Change(RECORD, "memory", {"body": "x"}, tag=("b", "a"))
