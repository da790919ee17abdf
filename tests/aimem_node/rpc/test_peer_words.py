"""The parts of messages: what is sent comes back, and what is out of bounds is a fault."""

from collections.abc import Callable
from typing import Any

import pytest

from aimem_node.rpc import peer_words as words
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX
from aimem_sync.log import Head

A, B = Origin("aa" * 16, "01" * 8), Origin("bb" * 16, "02" * 8)


def test_cursors_and_heads_come_back() -> None:
    beat = words.wire_class("Frame.Beat")()
    words.put_cursor(beat.floor, Cursor({A: 4, B: NUMBER_MAX}))
    words.put_heads(beat.heads, {A: Head(4, b"\1" * 32)})
    read = words.read_wire("Frame.Beat", beat.SerializeToString())
    assert words.cursor(read.floor) == Cursor({A: 4, B: NUMBER_MAX})
    assert words.heads(read.heads) == {A: Head(4, b"\1" * 32)}


def test_a_log_is_24_bytes() -> None:
    assert len(words.origin_bytes(A)) == 24
    assert words.origin(words.origin_bytes(A)) == A


def test_a_place_in_a_log_that_is_nowhere_is_left_out_of_a_cursor() -> None:
    beat = words.wire_class("Frame.Beat")()
    beat.floor.add(origin=words.origin_bytes(A), seq=0)
    assert words.cursor(beat.floor) == Cursor()


def log_seq(seq: int) -> Any:
    return words.wire_class("LogSeq")(origin=words.origin_bytes(A), seq=seq)


def test_a_dot_comes_back() -> None:
    assert words.dot(log_seq(3)) == Dot(A, 3)


WRONG: list[Callable[[], object]] = [
    lambda: words.number(NUMBER_MAX + 1),
    lambda: words.text("x" * 2_000),
    lambda: words.digest(b""),
    lambda: words.digest(b"\1" * 31, optional=True),
    lambda: words.signature(bytes(1_025)),
    lambda: words.bounded([1, 2, 3], 2),
    lambda: words.incarnation(b"\1" * 7),
    lambda: words.node_id("AA" * 16),
    lambda: words.node_id("aa" * 15),
    lambda: words.origin(b"\1" * 25),
    lambda: words.dot(log_seq(0)),
    lambda: words.read_wire("LogSeq", b"\xff"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_out_of_bounds_is_a_fault(wrong: Callable[[], object]) -> None:
    with pytest.raises(OpFault):
        wrong()


def test_nobody_is_a_node_too() -> None:
    assert words.node_id("") == ""
    assert words.digest(b"", optional=True) == b""
