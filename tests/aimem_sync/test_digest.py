"""Equal records, equal sums; and a difference is found in its bucket."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.change import Change
from aimem_sync.digest import BUCKETS, NOTHING, Digest, bucket_of, record_hash, sum_minus, sum_plus
from aimem_sync.faults import OpFault
from aimem_sync.merge import RecordState
from tests.aimem_sync.histories import ORIGINS, RECORD, History, Replica, fold, histories

hashes = st.binary(min_size=32, max_size=32)
entries = st.lists(st.tuples(st.integers(0, BUCKETS - 1), hashes), max_size=12)


def total(added: list[tuple[int, bytes]]) -> Digest:
    digest = Digest()
    for bucket, record in added:
        digest = digest.add(bucket, record)
    return digest


@given(entries, st.data())
def test_the_order_of_adding_does_not_matter(
    added: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    assert total(added) == total(data.draw(st.permutations(added)))


@given(entries, st.integers(0, BUCKETS - 1), hashes)
def test_removing_undoes_adding(added: list[tuple[int, bytes]], bucket: int, record: bytes) -> None:
    digest = total(added)
    assert digest.add(bucket, record).remove(bucket, record) == digest
    assert digest.remove(bucket, record).add(bucket, record) == digest


@given(hashes, hashes)
def test_sums_are_taken_modulo_two_to_the_256th(a: bytes, b: bytes) -> None:
    expected = (int.from_bytes(a) + int.from_bytes(b)) % 2**256
    assert int.from_bytes(sum_plus(a, b)) == expected
    assert sum_minus(sum_plus(a, b), b) == a
    assert sum_plus(a, NOTHING) == a


@given(entries)
def test_a_digest_is_read_back_as_it_was_written(added: list[tuple[int, bytes]]) -> None:
    digest = total(added)
    assert Digest.decode(digest.encode()) == digest
    assert len(digest.encode()) == 8192


@pytest.mark.parametrize("length", [0, 8191, 8193])
def test_bytes_of_another_length_are_no_digest(length: int) -> None:
    with pytest.raises(OpFault):
        Digest.decode(bytes(length))


def test_a_difference_shows_in_the_root_and_in_its_bucket() -> None:
    one = Digest().add(3, b"\1" * 32)
    other = one.add(9, b"\2" * 32).add(200, b"\3" * 32)
    assert one.root() != other.root()
    assert one.differing(other) == other.differing(one) == [9, 200]
    assert one.differing(one) == []
    assert Digest().root() == Digest().root()


@given(histories())
def test_any_visible_difference_changes_the_hash(history: History) -> None:
    state = fold(history.ops, RecordState(RECORD))
    assert state is not None
    plain = record_hash(state)
    others = []
    if state.heads:
        fewer = dict(state.heads)
        versions = fewer.pop(next(iter(fewer)))
        others.append(replace(state, heads=fewer))
        changed = (replace(versions[0], value="another"), *versions[1:])
        others.append(replace(state, heads={**state.heads, next(iter(state.heads)): changed}))
    if state.tags:
        others.append(replace(state, tags={}))
    if state.counters:
        others.append(replace(state, counters={}))
    others.append(replace(state, purged=True))
    assert plain not in [record_hash(other) for other in others]


@given(histories())
def test_every_head_shows_in_the_hash_the_losing_ones_too(history: History) -> None:
    state = fold(history.ops, RecordState(RECORD))
    assert state is not None
    for register, versions in state.heads.items():
        for version in versions:
            fewer = tuple(other for other in versions if other != version)
            without = replace(state, heads={**state.heads, register: fewer})
            assert record_hash(without) != record_hash(state)


def test_a_conflict_has_another_hash_than_its_winner_alone() -> None:
    ops = [Replica(o).write(Change(RECORD, "memory", {"body": "x"})) for o in ORIGINS[:2]]
    both = fold(ops)
    assert both is not None
    winners = {register: versions[:1] for register, versions in both.heads.items()}
    assert record_hash(replace(both, heads=winners)) != record_hash(both)


@given(histories())
def test_bookkeeping_does_not_show_in_the_hash(history: History) -> None:
    state = fold(history.ops, RecordState(RECORD))
    assert state is not None
    bare = replace(state, overwritten=frozenset(), untagged=frozenset())
    assert record_hash(bare) == record_hash(state)


def test_a_record_with_nothing_to_see_counts_as_no_record() -> None:
    assert record_hash(None) == record_hash(RecordState(RECORD, "memory")) == NOTHING
    assert record_hash(RecordState(RECORD, purged=True)) != NOTHING


def test_two_records_of_the_same_content_have_two_hashes() -> None:
    replica = Replica(ORIGINS[0])
    replica.write(Change(RECORD, "memory", {"body": "x"}))
    state = replica.states[RECORD]
    assert record_hash(replace(state, record_id="other")) != record_hash(state)


def test_records_spread_over_all_buckets() -> None:
    assert {bucket_of(f"record-{n}") for n in range(4000)} == set(range(BUCKETS))
    assert bucket_of(RECORD) == bucket_of(RECORD)
