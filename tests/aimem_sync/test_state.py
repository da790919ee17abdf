"""A state survives its row, and equal states have equal rows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.change import Change
from aimem_sync.op import Kind
from aimem_sync.state import RecordState, decode_state, encode_state
from tests.aimem_sync.histories import (
    ORIGINS,
    RECORD,
    History,
    Replica,
    changes,
    fold,
    histories,
    purges,
)


@given(histories(st.one_of(changes, changes, changes, purges)), st.data())
def test_a_state_is_read_back_as_it_was_written(history: History, data: st.DataObject) -> None:
    state = fold(history.ops, RecordState(RECORD))
    assert state is not None
    row = encode_state(state)
    assert decode_state(RECORD, row) == state
    shuffled = fold(data.draw(st.permutations(history.ops)), RecordState(RECORD))
    assert shuffled is not None
    assert encode_state(shuffled) == row


@given(histories())
def test_folding_on_from_a_row_is_folding_on(history: History) -> None:
    plain, kept = RecordState(RECORD), RecordState(RECORD)
    for op in history.ops:
        plain = fold([op], plain) or plain
        kept = decode_state(RECORD, encode_state(fold([op], kept) or kept))
        assert kept == plain


def test_each_origin_is_written_once() -> None:
    replica = Replica(ORIGINS[0])
    for word in ("a", "b", "c"):
        wish = Change(RECORD, "memory", {"body": word, "priority": 1}, ("t", "u"), count={"n": 1})
        replica.write(wish)
    row = encode_state(replica.states[RECORD])
    assert row.count(str(ORIGINS[0]).encode()) == 1
    assert row.count(b"user:a") == 1


def test_a_blank_record_and_a_purged_one_have_a_row() -> None:
    for state in (RecordState(RECORD), RecordState(RECORD, purged=True)):
        assert decode_state(RECORD, encode_state(state)) == state


def test_a_record_known_only_by_what_was_overwritten_is_blank_and_not_empty() -> None:
    replica = Replica(ORIGINS[0])
    replica.write(Change(RECORD, "memory", tag=("t",)))
    replica.write(Change(RECORD, "memory", {"life": {"is": "live"}}, untag=("t",)))
    gone = replica.write(Change(RECORD, "memory", untag=("t",)))
    state = RecordState(RECORD, "memory", untagged=frozenset({("t", gone.dot)}))
    assert state.is_blank
    assert decode_state(RECORD, encode_state(state)) == state
    assert not RecordState(RECORD, purged=True).is_blank


def test_a_damaged_row_is_never_read_as_another_state() -> None:
    replica = Replica(ORIGINS[0])
    replica.write(Change(RECORD, "memory", {"body": "x"}))
    row = json.loads(encode_state(replica.states[RECORD]))
    del row["d"]
    with pytest.raises((ValueError, LookupError, TypeError)):
        decode_state(RECORD, json.dumps(row).encode())
    with pytest.raises(ValueError):
        decode_state(RECORD, b"{")


def test_a_purge_leaves_nothing_of_the_record_in_its_row() -> None:
    replica = Replica(ORIGINS[0])
    replica.write(Change(RECORD, "memory", {"body": "secret"}, ("hidden",)))
    replica.write(Change(RECORD, "memory", kind=Kind.PURGE))
    assert encode_state(replica.states[RECORD]) == b'{"p":1,"type":""}'
