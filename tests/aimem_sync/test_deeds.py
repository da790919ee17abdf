"""A request that was sent again to another member, and what became of its two ops."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.change import Change
from aimem_sync.deeds import NAME_CHARS, SEEN_MAX, name_of, signed, twins
from aimem_sync.display import Display, Life, display
from aimem_sync.dot import Dot
from aimem_sync.merge import RecordState
from aimem_sync.op import Op
from aimem_sync.state import Version
from tests.aimem_sync.histories import ORIGINS, RECORD, Replica, fold

A, B, C = ORIGINS[0], ORIGINS[1], ORIGINS[3]
FIRST = Change(RECORD, "memory", {"body": "first"}, tag=("red",))
DELETED = Change(RECORD, "memory", {"life": {"is": "deleted"}})
ARCHIVED = Change(RECORD, "memory", {"life": {"is": "archived", "reason": "tidied"}})


def named(request: str) -> str:
    return name_of("ann", request, "")


def after(*given: list[Op]) -> Display:
    """What is shown once all of these are here, which is the same in any order of logs."""
    shown = [display(_state([op for ops in order for op in ops])) for order in permutations(given)]
    assert all(one == shown[0] for one in shown)
    return shown[0]


def _state(ops: list[Op]) -> RecordState:
    state = fold(ops)
    assert state is not None
    return state


def edit(**registers: Any) -> Change:
    return Change(RECORD, "memory", registers)


def created_twice() -> tuple[Replica, Replica, list[Op], list[Op]]:
    """At a, which then answers nobody, and at b, where the client has sent it again."""
    a, b = Replica(A), Replica(B)
    return a, b, [a.write(FIRST, named("create"))], [b.write(FIRST, named("create"))]


@pytest.mark.parametrize(("gone", "word"), [(DELETED, Life.DELETED), (ARCHIVED, Life.ARCHIVED)])
def test_what_was_taken_away_stays_away_when_a_twin_of_its_creation_arrives(
    gone: Change, word: str
) -> None:
    _, b, at_a, at_b = created_twice()
    at_b.append(b.write(gone, named("remove")))
    shown = after(at_a, at_b)
    assert shown.life == word
    assert shown.conflicts == {}
    assert set(shown.values["life"]) <= {"is", "reason"}, "names of requests are not for readers"


def test_without_a_request_in_common_whoever_wrote_on_did_not_know_of_the_removal() -> None:
    a, b = Replica(A), Replica(B)
    at_a, at_b = (
        [a.write(FIRST, named("his"))],
        [b.write(FIRST, named("hers")), b.write(DELETED, named("remove"))],
    )
    assert after(at_a, at_b).life == Life.LIVE


def test_an_edit_is_not_hidden_behind_a_twin_of_what_it_replaced_nor_in_conflict_with_it() -> None:
    a, b = Replica(A, lamport=1_000), Replica(B)
    at_a = [a.write(FIRST, named("create"))]
    at_b = [b.write(FIRST, named("create")), b.write(edit(body="second"), named("update"))]
    shown = after(at_a, at_b)
    assert shown.values["body"] == "second"
    assert shown.conflicts == {}


def test_a_tag_taken_off_does_not_come_back_with_a_twin() -> None:
    _, b, at_a, at_b = created_twice()
    at_b.append(b.write(Change(RECORD, "memory", tag=("blue",), untag=("red",)), named("untag")))
    assert after(at_a, at_b).tags == ("blue",)


def test_twins_of_an_edit_are_one_too_and_what_was_seen_is_handed_on() -> None:
    a, b = Replica(A), Replica(B)
    created = a.write(FIRST, named("create"))
    b.take(created)
    at_a = [created, a.write(edit(body="second"), named("update"))]
    at_b = [b.write(edit(body="second"), named("update"))]
    at_b += [b.write(edit(body="third"), named("again")), b.write(DELETED, named("remove"))]
    assert after(at_a, at_b).life == Life.DELETED


def test_a_twin_written_over_what_nobody_there_had_seen_speaks_for_it() -> None:
    a, b, at_a, at_b = created_twice()
    at_a += [
        a.write(edit(body="unseen"), named("his own")),
        a.write(edit(body="x"), named("update")),
    ]
    at_b += [b.write(edit(body="x"), named("update")), b.write(DELETED, named("remove"))]
    assert after(at_a, at_b).life == Life.LIVE


def test_who_wrote_over_the_late_twin_is_not_late() -> None:
    a, b, at_a, at_b = created_twice()
    at_a.append(a.write(edit(body="more"), named("update")))
    at_b.append(b.write(DELETED, named("remove")))
    assert after(at_a, at_b).life == Life.LIVE


def test_two_that_have_each_seen_the_twin_of_the_other_both_stand() -> None:
    a, b = Replica(A), Replica(B)
    at_a = [a.write(edit(body="1"), named("one")), a.write(edit(body="2"), named("two"))]
    at_b = [b.write(edit(body="2"), named("two")), b.write(edit(body="1"), named("one"))]
    shown = after(at_a, at_b)
    assert shown.life == Life.LIVE
    assert len(shown.conflicts["body"]) == 1


def test_of_three_the_one_that_knows_neither_stands_with_the_one_that_knows() -> None:
    _, b, at_a, at_b = created_twice()
    c = Replica(C)
    at_b.append(b.write(DELETED, named("remove")))
    at_c = [c.write(edit(body="another"), named("other"))]
    shown = after(at_a, at_b, at_c)
    assert shown.life == Life.LIVE
    assert shown.values["body"] == "another"


@pytest.mark.parametrize(("edits", "word"), [(7, Life.DELETED), (8, Life.LIVE)])
def test_a_twin_is_known_for_as_many_edits_as_are_remembered(edits: int, word: str) -> None:
    _, b, at_a, at_b = created_twice()
    at_b += [b.write(edit(body=str(n)), named(f"update {n}")) for n in range(edits)]
    at_b.append(b.write(DELETED, named("remove")))
    assert SEEN_MAX == 8
    assert after(at_a, at_b).life == word


def test_the_next_edit_clears_a_late_twin_away() -> None:
    _, b, at_a, at_b = created_twice()
    at_b.append(b.write(DELETED, named("remove")))
    for op in at_a:
        b.take(op)
    b.write(edit(body="back"), named("restore"))
    state = b.states[RECORD]
    assert {register: len(heads) for register, heads in state.heads.items()} == {
        "body": 1, "life": 1,
    }  # fmt: skip
    assert display(state).life == Life.LIVE


def test_where_a_late_twin_is_all_there_is_it_is_shown() -> None:
    a, b = Replica(A), Replica(B)
    at_a = [a.write(edit(body="b", priority=9), named("create"))]
    at_b = [b.write(edit(body="b"), named("create")), b.write(edit(body="c"), named("update"))]
    assert after(at_a, at_b).values["priority"] == 9


def test_a_request_has_one_name_and_one_without_a_key_has_its_own() -> None:
    assert name_of("ann", "k", "x:1") == name_of("ann", "k", "y:2")
    assert name_of("ann", "k", "x:1") != name_of("bob", "k", "x:1")
    assert name_of("ann", "", "x:1") != name_of("ann", "", "x:2")
    assert name_of("a", "b", "") != name_of("ab", "", "")


def test_no_more_requests_are_remembered_than_are_allowed_and_the_newest_come_first() -> None:
    b = Replica(B)
    for n in range(20):
        b.write(edit(body=str(n)), named(f"update {n}"))
    [head] = b.states[RECORD].heads["life"]
    assert head.value["by"] == named("update 19")
    names = [one[:NAME_CHARS] for one in head.value["seen"]]
    assert names == [named(f"update {n}") for n in range(18, 10, -1)]


def test_what_was_left_standing_of_an_op_stands_also_while_a_later_one_is_still_to_come() -> None:
    a, b = Replica(A), Replica(B)
    tagged = a.write(FIRST, named("create"))
    b.take(tagged)
    gone = b.write(DELETED, named("remove"))
    a.take(gone)
    back = a.write(edit(title="t"), named("update"))
    state = _state([tagged, back])  # b's log is late; a had seen what is in it
    assert display(state).tags == ("red",)
    assert display(state).values["body"] == "first"


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["is", "by", "seen"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(anything, max_size=4))
def test_nothing_that_a_peer_may_say_of_a_life_raises(values: list[Any]) -> None:
    heads = [Version(Dot(A, at + 1), at, 0, "x", value) for at, value in enumerate(values)]
    assert len(twins(heads)) < max(1, len(heads))
    signed({"is": "live"}, "mine", heads)
