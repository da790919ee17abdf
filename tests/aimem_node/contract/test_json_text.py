"""JSON text, guarded."""

from typing import Any

import pytest
from any_value import JSON
from hypothesis import given

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.json_text import (
    INT_DIGITS_MAX,
    OBJECT_DEPTH_MAX,
    check_json,
    dumps,
    dumps_pretty,
    loads,
)
from aimem_sync import limits


@given(JSON)
def test_what_is_written_reads_back(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert loads(dumps_pretty(value).encode()) == value


def test_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    assert dumps({"b": 1, "a": "ä"}) == dumps({"a": "ä", "b": 1}) == '{"a":"ä","b":1}'


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "NaN", "Infinity", "[1e999]", '{"a":1,"a":2}', b"\xff", '"\\ud800"',
        '{"\\udfff":1}', "[" * 100_000, "9" * 301, '{"a":' * 70 + "1" + "}" * 70, "'a'", "[1,]",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(Failure) as caught:
        loads(text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    caught.value.message.encode()


def test_a_text_beyond_its_bound_is_not_even_read() -> None:
    with pytest.raises(Failure) as caught:
        loads("[" * 11, max_bytes=10)
    assert caught.value.code is Code.TOO_LARGE


def test_free_json_is_bounded_in_depth() -> None:
    nest: Any = {}
    for _ in range(OBJECT_DEPTH_MAX - 1):
        nest = {"a": nest}
    check_json(nest)
    with pytest.raises(Failure, match="deeper"):
        check_json({"a": nest})


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, {"a": object()}, ["\ud800"], 10**301])
def test_values_that_json_cannot_say_are_refused(value: Any) -> None:
    with pytest.raises(Failure):
        check_json(value)


def test_an_op_can_hold_whatever_is_let_in() -> None:
    assert limits.JSON_INT_DIGITS_MAX >= INT_DIGITS_MAX
    assert limits.JSON_DEPTH_MAX > OBJECT_DEPTH_MAX
