"""Logs and records in memory."""

import pytest

from aimem_sync.change import Change
from aimem_sync.cursor import Range
from aimem_sync.dot import Origin
from aimem_sync.faults import OpFault
from aimem_sync.limits import BODY_BYTES_MAX, NUMBER_MAX
from chaos.maelstrom.store import Store

A = Origin("a" * 32, "1" * 16)
B = Origin("b" * 32, "2" * 16)


def put(store: Store, record: str, content: str) -> None:
    store.write(Change(record, "set", set={"content": content}), 1, 1)


def test_a_log_that_was_taken_in_makes_the_same_records() -> None:
    a, b = Store(A), Store(B)
    for number in range(5):
        put(a, f"r{number % 3}", f"{number}")
    b.keep(a.read([Range(A, 1, 5)]))
    assert b.states == a.states
    assert b.head(A) == a.head(A)
    assert b.lamport == a.lamport == 5


def test_what_was_written_after_a_log_was_seen_comes_after_it() -> None:
    a, b = Store(A), Store(B)
    put(a, "r", "first")
    b.keep(a.read([Range(A, 1, 1)]))
    put(b, "r", "second")
    assert [version.value for version in b.states["r"].heads["content"]] == ["second"]


def test_a_page_ends_where_a_message_would_become_too_long() -> None:
    store = Store(A)
    for number in range(4):
        put(store, f"r{number}", "x" * (BODY_BYTES_MAX // 2 - 200))
    assert [op.seq for op in store.read([Range(A, 1, 4)])] == [1, 2]
    put(store, "large", "x" * (BODY_BYTES_MAX - 200))
    assert [op.seq for op in store.read([Range(A, 5, 5)])] == [5]


def test_a_counter_that_nobody_could_read_is_not_written() -> None:
    store = Store(A)
    store.write(Change("sum", "sum", count={"up": NUMBER_MAX}), 1, 1)
    before = store.head(A)
    with pytest.raises(OpFault):
        store.write(Change("sum", "sum", count={"up": 1}), 1, 1)
    assert store.head(A) == before
