"""The laws of the fold: any order, any repetition, one state."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.change import Change
from aimem_sync.cursor import Cursor
from aimem_sync.digest import record_hash
from aimem_sync.display import display
from aimem_sync.merge import RecordState, apply, collect, join, state_of
from aimem_sync.op import Kind, Op
from chaos.checker.model import Model, Said
from tests.aimem_sync.histories import (
    ORIGINS,
    RECORD,
    History,
    Replica,
    changes,
    edits,
    fold,
    histories,
    purges,
)

with_purges = histories(st.one_of(changes, changes, changes, changes, purges))


def folded(ops: list[Op]) -> RecordState:
    return fold(ops, RecordState(RECORD)) or RecordState(RECORD)


def model_of(ops: list[Op]) -> Model:
    return Model(
        (Said(str(op.dot), op.lamport, op.kind, _body(op)) for op in ops),
        RECORD,
    )


def _body(op: Op) -> object:
    return json.loads(op.body) if op.kind == Kind.EDIT and op.body is not None else None


def two() -> tuple[Replica, Replica]:
    return Replica(ORIGINS[0]), Replica(ORIGINS[1])


@given(with_purges, st.data())
def test_every_order_with_any_repetition_ends_in_one_state_one_display_one_digest(
    history: History, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(history.ops), max_size=6)) if history.ops else []
    shuffled = data.draw(st.permutations(history.ops + again))
    one, other = folded(history.ops), folded(shuffled)
    assert one == other
    assert display(one) == display(other)
    assert record_hash(one) == record_hash(other)


@given(with_purges)
def test_the_fold_agrees_with_a_model_that_keeps_every_op(history: History) -> None:
    state, model = folded(history.ops), model_of(history.ops)
    shown = display(state)
    assert {
        register: [(str(v.dot), v.value) for v in versions]
        for register, versions in state.heads.items()
    } == model.heads()
    assert {tag: set(map(str, dots)) for tag, dots in state.tags.items()} == model.tags()
    assert shown.counters == model.counters()
    assert shown.purged == model.purged
    assert shown.values == model.shown()
    assert shown.tags == tuple(sorted(model.tags()))
    assert record_hash(state) == model.hash()


@given(histories())
def test_every_replica_agrees_with_the_model_of_what_it_alone_has_seen(history: History) -> None:
    for replica in history.replicas:
        state = replica.states.get(RECORD, RecordState(RECORD))
        model = model_of(replica.seen)
        assert display(state).values == model.shown()
        assert sorted(state.tags) == sorted(model.tags())


@given(histories())
def test_replicas_that_have_caught_up_are_equal(history: History) -> None:
    for replica in history.replicas:
        for op in history.missing(replica):
            replica.take(op)
    states = [replica.states.get(RECORD) for replica in history.replicas]
    assert all(state == states[0] for state in states)
    assert len({record_hash(state) for state in states}) == 1


@given(histories())
def test_no_op_overwrites_a_version_with_a_higher_or_equal_lamport(history: History) -> None:
    lamports = {op.dot: op.lamport for op in history.ops}
    for op in history.ops:
        for _, dot in state_of(op).overwritten:
            assert lamports[dot] < op.lamport


@given(with_purges)
def test_applying_an_op_is_joining_what_it_says(history: History) -> None:
    state: RecordState | None = None
    for op in history.ops:
        joined = join(state or RecordState(RECORD), state_of(op))
        state = apply(state, op)
        assert state == joined


@given(with_purges, st.data())
def test_join_is_commutative_associative_and_idempotent(
    history: History, data: st.DataObject
) -> None:
    parts = data.draw(st.lists(st.integers(0, 2), min_size=len(history.ops)))
    a, b, c = (
        folded([op for op, part in zip(history.ops, parts, strict=False) if part == which])
        for which in range(3)
    )
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c)) == folded(history.ops)
    assert join(a, a) == a
    assert join(a, join(a, b)) == join(a, b)
    assert join(a, RecordState(RECORD)) == a


@given(with_purges)
def test_a_replayed_op_changes_nothing(history: History) -> None:
    state = folded(history.ops)
    for op in history.ops:
        assert apply(state, op) == state


@given(histories(), st.data())
def test_collecting_what_everyone_has_seen_is_never_noticed(
    history: History, data: st.DataObject
) -> None:
    stable = history.replicas[0].have
    for replica in history.replicas[1:]:
        stable = stable.meet(replica.have)
    for replica in history.replicas:
        plain = replica.states.get(RECORD, RecordState(RECORD))
        collected = collect(plain, stable)
        for op in [None, *data.draw(st.permutations(history.missing(replica)))]:
            if op is not None:
                plain, collected = apply(plain, op), apply(collected, op)
            assert display(collected) == display(plain)
            assert record_hash(collected) == record_hash(plain)


def test_what_somebody_may_still_send_is_not_collected() -> None:
    a, b = two()
    written = a.write(Change(RECORD, "memory", {"body": "old"}, ("red",)))
    b.take(written)
    erased = b.write(Change(RECORD, "memory", {"body": "new"}, untag=("red",)))
    ahead = collect(folded([erased]), Cursor({erased.origin: 1}))  # `written` is still to come
    shown = display(apply(ahead, written))
    assert (shown.values["body"], shown.tags, shown.conflicts) == ("new", (), {})


@given(histories())
def test_once_all_is_stable_nothing_of_the_bookkeeping_is_left(history: History) -> None:
    everything = Cursor({op.origin: len(history.log(op.origin)) for op in history.ops})
    state = collect(folded(history.ops), everything)
    assert not state.overwritten
    assert not state.untagged


@given(histories(), histories())
def test_arguments_are_never_changed(history: History, other: History) -> None:
    a, b = folded(history.ops), folded(other.ops)
    before = (repr(a), repr(b))
    join(a, b)
    collect(a, Cursor({ORIGINS[0]: 3}))
    display(a)
    assert (repr(a), repr(b)) == before


def test_concurrent_writes_both_stay_and_a_later_one_takes_the_place_of_both() -> None:
    a, b = two()
    first = a.write(Change(RECORD, "memory", {"body": "one"}))
    second = b.write(Change(RECORD, "memory", {"body": "two"}))
    a.take(second)
    b.take(first)
    assert [v.value for v in a.states[RECORD].heads["body"]] == ["two", "one"]
    third = b.write(Change(RECORD, "memory", {"body": "three"}))
    assert [v.value for v in folded([third, first, second]).heads["body"]] == ["three"]


def test_a_tag_added_while_another_replica_removes_it_stays() -> None:
    a, b = two()
    b.take(a.write(Change(RECORD, "memory", tag=("red",))))
    removed = a.write(Change(RECORD, "memory", untag=("red",)))
    added = b.write(Change(RECORD, "memory", tag=("red",)))
    a.take(added)
    b.take(removed)
    assert display(a.states[RECORD]).tags == display(b.states[RECORD]).tags == ("red",)


def test_a_removed_tag_does_not_return_when_its_adding_arrives_late() -> None:
    a, b = two()
    added = a.write(Change(RECORD, "memory", tag=("red",)))
    b.take(added)
    removed = b.write(Change(RECORD, "memory", untag=("red",)))
    assert display(folded([removed, added])).tags == ()


def test_counters_add_up_over_origins_and_a_late_flush_does_not_lower_them() -> None:
    a, b = two()
    flushes = [a.write(Change(RECORD, "memory", count={"access": n})) for n in (3, 4)]
    flushes.append(b.write(Change(RECORD, "memory", count={"access": 10})))
    for order in (flushes, flushes[::-1], flushes * 2):
        assert display(folded(order)).counters == {"access": 17}


def test_a_purged_record_never_returns_whatever_comes_after() -> None:
    a, b = two()
    b.take(a.write(Change(RECORD, "memory", {"body": "secret"}, ("red",), count={"access": 1})))
    purge = a.write(Change(RECORD, "memory", kind=Kind.PURGE))
    later = b.write(Change(RECORD, "memory", {"body": "again"}, ("blue",)))
    for order in permutations([later, *a.seen]):
        state = folded(order)
        assert state == RecordState(RECORD, purged=True)
    assert apply(state, replace(purge, body=None)) == state


def test_a_purge_needs_no_body() -> None:
    purge = Replica(ORIGINS[0]).write(Change(RECORD, "memory", kind=Kind.PURGE))
    assert apply(None, replace(purge, body=None)).purged


def test_unknown_kinds_and_withheld_bodies_say_nothing_until_they_can_be_read() -> None:
    a, _ = two()
    op = a.write(Change(RECORD, "memory", {"body": "x"}))
    blank = apply(None, replace(op, body=None))
    assert blank == apply(None, replace(op, kind="kind-of-tomorrow")) == RecordState(RECORD)
    assert apply(blank, op) == folded([op])


def test_a_body_that_cannot_be_read_is_passed_over() -> None:
    op = Replica(ORIGINS[0]).write(Change(RECORD, "memory", {"body": "x"}))
    for body in (b"", b"\xff", b"[]", b'{"type":1}', b"[" * 100_000, b'{"type":"m","set":NaN}'):
        assert apply(None, replace(op, body=body)) == RecordState(RECORD)


def test_a_version_that_its_own_op_overwrites_is_never_seen() -> None:
    a, _ = two()
    op = a.write(Change(RECORD, "memory", {"body": "x"}))
    body = b'{"over":{"body":["%s"]},"set":{"body":"x"},"type":"memory"}' % str(op.dot).encode()
    state = apply(None, replace(op, body=body))
    assert state.heads == {}
    assert apply(state, replace(op, body=body)) == state


@given(st.lists(edits, min_size=1, max_size=8))
def test_one_writer_alone_never_sees_a_conflict_and_always_its_last_word(
    wishes: list[Change],
) -> None:
    replica = Replica(ORIGINS[0])
    for wish in wishes:
        replica.write(wish)
        shown = display(replica.states[RECORD])
        assert shown.conflicts == {}
        assert all(
            shown.values[register] == value
            for register, value in wish.set.items()
            if register != "life"
        )
        assert set(wish.tag) <= set(shown.tags)
        assert not (set(wish.untag) - set(wish.tag)) & set(shown.tags)
