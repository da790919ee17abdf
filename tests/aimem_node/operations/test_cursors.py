"""Cursors go through the hands of callers, who may do anything with them."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.cursors import read_cursor, write_cursor
from tests.harness import Harness

NUMBER = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(NUMBER, max_size=4))
def test_a_cursor_is_read_back_as_it_was_written(key: list[int]) -> None:
    text = write_cursor("list", tuple(key))
    assert read_cursor("list", text, len(key)) == tuple(key)
    assert text.isascii()
    assert "=" not in text


def test_there_is_no_cursor_at_the_end_and_none_at_the_start() -> None:
    assert write_cursor("list", None) == ""
    assert read_cursor("list", "", 3) is None
    assert read_cursor("list", None, 3) is None


def forged(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


FORGED = [
    "x", "é", "====", "\x00", "bm8", forged({}), forged([]), forged(None), forged("list"),
    forged(["list"]), forged(["list", 1, 2]), forged(["list", 1, 2, 3, 4]),
    forged(["list", 1, 2, "3"]), forged(["list", 1, 2, None]), forged(["list", 1, 2, True]),
    forged(["list", 1, 2, 3.5]), forged(["list", 1, 2, 2**63]), forged(["list", 1, 2, [3]]),
    forged(["archive", 1, 2, 3]), forged([["list"], 1, 2, 3]), "W1tb" * 200,
]  # fmt: skip


@pytest.mark.parametrize("text", FORGED)
def test_whatever_is_not_a_cursor_of_the_operation_is_refused(text: str) -> None:
    with pytest.raises(Failure) as caught:
        read_cursor("list", text, 3)
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.cursor")


@given(st.text(max_size=200))
def test_no_text_at_all_makes_it_fail_otherwise(text: str) -> None:
    try:
        read_cursor("list", text, 3)
    except Failure as failure:
        assert failure.code == Code.INVALID_ARGUMENT  # noqa: PT017


def test_every_operation_with_pages_refuses_what_would_not_fit_its_query(node: Harness) -> None:
    record_id = node.store("t")
    for operation, kind, fields in (
        ("List", "list", {}), ("ArchiveList", "archive", {}), ("History", "history",
                                                               {"id": record_id}),
    ):  # fmt: skip
        for key in ([], ["x"], [1, 2, 3, 4, 5], [2**70]):
            with pytest.raises(Failure) as caught:
                node.call(operation, cursor=forged([kind, *key]), **fields)
            assert caught.value.code == Code.INVALID_ARGUMENT, (operation, key)
