"""Which of several versions a reader is shown, and what is listed beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.change import Change
from aimem_sync.digest import record_hash
from aimem_sync.display import RULES, Life, display, latest
from aimem_sync.merge import RecordState
from tests.aimem_sync.histories import ORIGINS, RECORD, History, Replica, fold, histories

EXPIRED = {"is": "archived", "reason": "ttl_expired", "at": 120, "expires_at": 100}
ARCHIVED = {"is": "archived", "reason": "tidied", "at": 120, "expires_at": None}
DELETED = {"is": "deleted"}
LIVE = {"is": "live"}
WORDS = {Life.LIVE, Life.ARCHIVED, Life.DELETED, Life.UNBORN}


def concurrent(*wishes: dict[str, Any], before: dict[str, Any] | None = None) -> RecordState:
    """The state after one creation and then `wishes`, none of which knew of another."""
    creator = Replica(ORIGINS[3])
    created = creator.write(Change(RECORD, "memory", before or {"body": "first"}))
    ops = [created]
    for origin, wish in zip(ORIGINS, wishes, strict=False):
        writer = Replica(origin)
        writer.take(created)
        ops.append(writer.write(Change(RECORD, "memory", wish)))
    state = fold(reversed(ops))
    assert state is not None
    return state


def test_the_highest_in_the_order_of_writes_is_shown_and_the_rest_are_conflicts() -> None:
    shown = display(concurrent({"body": "a"}, {"body": "b"}))
    assert shown.values["body"] == "b"
    assert [v.value for v in shown.conflicts["body"]] == ["a"]


def test_the_same_words_written_twice_are_no_conflict() -> None:
    shown = display(concurrent({"body": {"x": 1, "y": 2}}, {"body": {"y": 2, "x": 1}}))
    assert shown.conflicts == {}


def test_losing_versions_that_are_alike_are_listed_once() -> None:
    shown = display(concurrent({"body": "a"}, {"body": "a"}, {"body": "b"}))
    assert [v.value for v in shown.conflicts["body"]] == ["a"]


def test_values_that_only_python_thinks_equal_do_conflict() -> None:
    assert "body" in display(concurrent({"body": 1}, {"body": True})).conflicts
    assert "body" in display(concurrent({"body": 1}, {"body": 1.0})).conflicts


@pytest.mark.parametrize("tiers", [("long", "short"), ("short", "long"), ("mid", "long")])
def test_the_longer_tier_wins_over_a_concurrent_demotion(tiers: tuple[str, str]) -> None:
    shown = display(concurrent(*[{"tier": tier} for tier in tiers]))
    assert shown.values["tier"] == "long"
    assert len(shown.conflicts["tier"]) == 1


def test_a_demotion_by_one_who_knew_the_tier_holds() -> None:
    assert display(concurrent({"tier": "short"}, before={"tier": "long"})).values["tier"] == "short"


@pytest.mark.parametrize(
    ("times", "kept"),
    [((200, 100), 200), ((100, 200), 200), ((None, 200), None), ((9, None), None), ((7, "x"), 7)],
)
def test_the_later_expiry_wins_and_never_is_latest(times: tuple[Any, Any], kept: Any) -> None:
    shown = display(concurrent(*({"expires_at": time} for time in times)))
    assert shown.values["expires_at"] == kept


def test_times_of_what_happened_are_merged_not_in_conflict() -> None:
    shown = display(concurrent({"accessed_at": 300, "updated_at": 5}, {"accessed_at": 200}))
    assert shown.values["accessed_at"] == 300
    assert shown.conflicts == {}


@pytest.mark.parametrize("edited_first", [True, False])
def test_an_edit_wins_over_a_concurrent_delete_and_the_delete_is_flagged(
    edited_first: bool,
) -> None:
    wishes: list[dict[str, Any]] = [{"body": "edited"}, {"life": DELETED}]
    shown = display(concurrent(*(wishes if edited_first else wishes[::-1])))
    assert shown.life == Life.LIVE
    assert shown.values["body"] == "edited"
    assert [v.value for v in shown.conflicts["life"]] == [DELETED]


def test_a_delete_that_nobody_contradicts_holds() -> None:
    shown = display(concurrent({"life": DELETED}, {"life": DELETED}))
    assert (shown.life, shown.conflicts, shown.purged) == (Life.DELETED, {}, False)


def test_upkeep_does_not_bring_a_deleted_record_back() -> None:
    upkeep = {"tier": "long", "expires_at": None, "priority": 6, "accessed_at": 9, "updated_at": 9}
    assert display(concurrent({"life": DELETED}, upkeep)).life == Life.DELETED


def test_an_archive_wins_over_a_concurrent_delete() -> None:
    shown = display(concurrent({"life": ARCHIVED}, {"life": DELETED}))
    assert shown.life == Life.ARCHIVED
    assert [v.value for v in shown.conflicts["life"]] == [DELETED]


@pytest.mark.parametrize("touched", [101, None])
def test_a_touch_wins_over_a_concurrent_expiry_without_a_conflict(touched: int | None) -> None:
    before = {"body": "x", "expires_at": 100}
    shown = display(concurrent({"life": EXPIRED}, {"expires_at": touched}, before=before))
    assert shown.life == Life.LIVE
    assert shown.values["life"] == LIVE
    assert shown.conflicts == {}


def test_without_a_longer_touch_an_expiry_holds() -> None:
    before = {"body": "x", "expires_at": 100}
    expired = display(concurrent({"life": EXPIRED}, before=before))
    assert expired.life == Life.ARCHIVED
    shortened = display(concurrent({"life": EXPIRED}, {"expires_at": 99}, before=before))
    assert shortened.life == Life.ARCHIVED


def test_a_touch_does_not_undo_an_archive_made_by_hand() -> None:
    before = {"body": "x", "expires_at": 100}
    shown = display(concurrent({"life": ARCHIVED}, {"expires_at": None}, before=before))
    assert shown.life == Life.ARCHIVED


def test_a_record_whose_creation_has_not_arrived_is_unborn() -> None:
    writer = Replica(ORIGINS[0])
    writer.write(Change(RECORD, "memory", {"body": "x"}))
    touch = writer.write(Change(RECORD, "memory", {"expires_at": 7}, count={"access": 1}))
    state = fold([touch])
    assert state is not None
    assert display(state).life == Life.UNBORN
    assert display(RecordState(RECORD)).life == Life.UNBORN


def test_a_purged_record_shows_nothing() -> None:
    shown = display(RecordState(RECORD, purged=True))
    assert shown.purged
    assert shown.life == Life.DELETED
    assert (shown.values, shown.tags, shown.counters, shown.first) == ({}, (), {}, None)


def test_first_and_last_are_the_oldest_and_newest_versions_standing() -> None:
    shown = display(concurrent({"priority": 1}, {"body": "b"}))
    assert shown.first is not None
    assert shown.last is not None
    assert shown.first.dot.origin == ORIGINS[0]  # the creation is overwritten: life and body
    assert shown.last.dot.origin == ORIGINS[1]


@given(histories(), st.data())
def test_the_order_in_which_a_state_lists_its_parts_does_not_show(
    history: History, data: st.DataObject
) -> None:
    state = fold(history.ops, RecordState(RECORD))
    assert state is not None
    heads = dict(data.draw(st.permutations(list(state.heads.items()))))
    turned = replace(state, heads=heads, tags=dict(list(state.tags.items())[::-1]))
    assert repr(display(turned)) == repr(display(state))
    assert record_hash(turned) == record_hash(state)


def test_a_rule_may_hold_for_one_type_only() -> None:
    assert RULES["link", "valid_until"] is latest


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["is", "reason", "expires_at", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
registers = st.sampled_from(["tier", "expires_at", "life", "updated_at"])


@given(st.lists(st.dictionaries(registers, json_values, min_size=1), min_size=1, max_size=3))
def test_no_value_that_a_peer_may_write_breaks_the_display(wishes: list[dict[str, Any]]) -> None:
    shown = display(concurrent(*wishes))
    assert isinstance(shown.life, str)


@given(histories())
def test_every_head_is_shown_or_alike_or_listed(history: History) -> None:
    state = fold(history.ops, RecordState(RECORD))
    assert state is not None
    shown = display(state)
    assert shown.life in WORDS
    assert shown.values.keys() == state.heads.keys()
    for register, versions in state.heads.items():
        if register in {"accessed_at", "updated_at", "life"}:
            continue
        told = [shown.values[register], *(v.value for v in shown.conflicts.get(register, ()))]
        assert all(version.value in told for version in versions)
