"""One spelling for every value, and one answer to whether it can be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.canon import canonical_json, check_json, read_json
from aimem_sync.faults import OpFault
from aimem_sync.limits import JSON_DEPTH_MAX, JSON_INT_DIGITS_MAX

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_back_and_written_alike(value: Any) -> None:
    text = canonical_json(value)
    check_json(value)
    assert read_json(text) == value
    assert canonical_json(read_json(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_show(members: dict[str, int]) -> None:
    turned = dict(reversed(members.items()))
    assert canonical_json(members) == canonical_json(turned)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ud8E9e1-.', max_size=40).map(str.encode))
def test_whatever_can_be_read_can_be_written(text: bytes) -> None:
    try:
        value = read_json(text)
    except OpFault:
        return
    canonical_json(value)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'"\\ud800"',
        b'{"\\uDBFF":1}',
        b"\xff",
        b"",
        b"9" * (JSON_INT_DIGITS_MAX + 1),
        b"9" * 10_000,
        nested(JSON_DEPTH_MAX + 1),
        nested(100_000),
    ],
)
def test_text_that_replicas_might_read_differently_is_refused(text: bytes) -> None:
    with pytest.raises(OpFault):
        read_json(text)


def test_the_bounds_themselves_are_within_bounds() -> None:
    read_json(nested(JSON_DEPTH_MAX))
    read_json(b"-" + b"9" * JSON_INT_DIGITS_MAX)
    read_json(b"[" + b"[]," * 200 + b"[]]")
    assert read_json(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1}, b"x", object()])
def test_what_json_cannot_say_is_not_written(value: Any) -> None:
    with pytest.raises(OpFault):
        canonical_json(value)


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [{1: 2}, {"a": [{None: 1}]}, {"a": {3}}, 10**JSON_INT_DIGITS_MAX, ["\udfff"], deep(65)],
)
def test_a_value_that_no_replica_would_read_is_found_before_it_is_signed(value: Any) -> None:
    with pytest.raises(OpFault):
        check_json(value)
    check_json(deep(64))
