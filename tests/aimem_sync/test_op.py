"""The bytes of an op: one op, one spelling, nothing accepted that would be spelled otherwise."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.faults import OpFault
from aimem_sync.limits import BODY_BYTES_MAX, NUMBER_MAX, TEXT_BYTES_MAX, WALL_US_MAX
from aimem_sync.op import Dot, Kind, Op, chain_hash, decode_op, encode_op, header_bytes
from tests.aimem_sync.histories import ORIGINS

texts = st.text(max_size=8)
hashes = st.binary(min_size=32, max_size=32)
ops = st.builds(
    Op,
    origin=st.sampled_from(ORIGINS),
    seq=st.integers(1, NUMBER_MAX),
    lamport=st.integers(1, NUMBER_MAX),
    wall_us=st.integers(0, WALL_US_MAX),
    epoch=st.integers(0, NUMBER_MAX),
    kind=st.sampled_from([Kind.EDIT, Kind.PURGE]) | texts,
    record_id=texts,
    author=texts,
    request_key=texts,
    body=st.none() | st.binary(max_size=40),
    body_sha256=hashes,
    prev_chain=hashes,
    chain=hashes,
    sig=st.binary(max_size=72),
)
PLAIN = Op(
    origin=ORIGINS[0],
    seq=7,
    lamport=9,
    wall_us=1_700_000_000_000_000,
    epoch=1,
    kind=Kind.EDIT,
    record_id="r",
    author="user:ann",
    request_key="k",
    body=b"{}",
    body_sha256=sha256(b"{}").digest(),
    prev_chain=bytes(32),
    chain=bytes(32),
    sig=b"s",
)


@given(ops)
def test_an_op_of_any_kind_is_read_back_as_it_was_written(op: Op) -> None:
    encoded = encode_op(op)
    assert decode_op(encoded) == op
    assert encode_op(decode_op(encoded)) == encoded


@given(ops, st.data())
def test_an_op_cut_short_or_with_more_behind_it_is_refused(op: Op, data: st.DataObject) -> None:
    encoded = encode_op(op)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + b"\0"):
        with pytest.raises(OpFault):
            decode_op(wrong)


@given(st.binary(max_size=400))
def test_bytes_that_are_no_op_are_refused_and_nothing_worse(encoded: bytes) -> None:
    with pytest.raises(OpFault):
        decode_op(b"\1" + encoded)


@given(ops, st.data())
def test_a_flipped_byte_is_refused_or_read_as_another_op(op: Op, data: st.DataObject) -> None:
    encoded = bytearray(encode_op(op))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        other = decode_op(bytes(encoded))
    except OpFault:
        return
    assert other != op
    assert encode_op(other) == bytes(encoded)


@given(ops, ops)
def test_two_headers_never_share_bytes(a: Op, b: Op) -> None:
    def fields(op: Op) -> tuple[Any, ...]:
        named = (op.kind, op.record_id, op.author, op.request_key)
        return (op.dot, op.lamport, op.wall_us, op.epoch, named)

    assert (a.header == b.header) == (fields(a) == fields(b))


def test_moving_a_letter_between_fields_changes_the_header() -> None:
    moved = replace(PLAIN, record_id="", author="ruser:ann")
    assert moved.header != PLAIN.header


def test_the_layout_of_an_op_is_what_released_versions_wrote() -> None:
    header = (
        bytes([1]) + b"\xaa" * 16 + b"\x11" * 8
        + (7).to_bytes(8) + (9).to_bytes(8) + (1_700_000_000_000_000).to_bytes(8) + (1).to_bytes(8)
        + b"\0\4edit" + b"\0\1r" + b"\0\x08user:ann" + b"\0\1k"
    )  # fmt: skip
    assert PLAIN.header == header
    rest = b"\1\0\0\0\2{}" + PLAIN.body_sha256 + bytes(64) + b"\0\1s"
    assert encode_op(PLAIN) == header + rest
    withheld = b"\0" + PLAIN.body_sha256 + bytes(64) + b"\0\1s"
    assert encode_op(replace(PLAIN, body=None)) == header + withheld
    expected = sha256(bytes(32) + header + PLAIN.body_sha256).digest()
    assert chain_hash(bytes(32), header, PLAIN.body_sha256) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": 0},
        {"seq": NUMBER_MAX + 1},
        {"lamport": 0},
        {"wall_us": -1},
        {"wall_us": WALL_US_MAX + 1},
        {"epoch": -1},
        {"record_id": "é" * (TEXT_BYTES_MAX // 2 + 1)},
        {"author": "\ud800"},
        {"body": bytes(BODY_BYTES_MAX + 1)},
        {"body_sha256": b"short"},
        {"chain": bytes(33)},
        {"sig": bytes(2000)},
    ],
)
def test_a_field_out_of_bounds_is_not_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(OpFault):
        encode_op(replace(PLAIN, **wrong))


def test_numbers_out_of_bounds_are_not_read() -> None:
    encoded = bytearray(encode_op(PLAIN))
    for at in (25, 33, 41, 49):  # the high bytes of seq, lamport, wall_us, epoch
        wrong = bytearray(encoded)
        wrong[at] = 0xFF
        with pytest.raises(OpFault):
            decode_op(bytes(wrong))


def test_a_body_of_the_largest_size_travels_and_one_byte_more_does_not() -> None:
    largest = encode_op(replace(PLAIN, body=bytes(BODY_BYTES_MAX)))
    assert decode_op(largest).body == bytes(BODY_BYTES_MAX)
    before, after = largest.split((BODY_BYTES_MAX).to_bytes(4), 1)
    with pytest.raises(OpFault):
        decode_op(before + (BODY_BYTES_MAX + 1).to_bytes(4) + b"\0" + after)


def test_an_op_of_a_later_form_is_refused_by_name() -> None:
    with pytest.raises(OpFault, match="form 2"):
        decode_op(b"\2" + encode_op(PLAIN)[1:])


def test_the_order_of_ops_is_lamport_then_origin_then_sequence() -> None:
    assert PLAIN.order_key == (9, ORIGINS[0].node_id, ORIGINS[0].incarnation, 7)
    assert PLAIN.dot == Dot(ORIGINS[0], 7)
    assert PLAIN.order_key < replace(PLAIN, origin=ORIGINS[1], seq=1).order_key
    assert PLAIN.order_key < replace(PLAIN, lamport=10, seq=1).order_key


def test_a_header_can_be_had_without_an_op() -> None:
    header = header_bytes(
        PLAIN.origin, 7, 9, PLAIN.wall_us, 1, Kind.EDIT, "r", author="user:ann", request_key="k"
    )
    assert header == PLAIN.header
