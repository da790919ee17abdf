"""The body of an edit: canonical when written, patient when read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.dot import Dot
from aimem_sync.edit import Edit
from aimem_sync.faults import OpFault
from aimem_sync.limits import BODY_BYTES_MAX, NUMBER_MAX
from tests.aimem_sync.histories import ORIGINS

dots = st.builds(Dot, st.sampled_from(ORIGINS), st.integers(1, 9))
seen = st.dictionaries(
    st.text(max_size=3),
    st.lists(dots, unique=True, min_size=1).map(lambda found: tuple(sorted(found, key=str))),
    max_size=3,
)
edits = st.builds(
    Edit,
    type=st.text(max_size=5),
    set=st.dictionaries(st.text(max_size=3), st.integers() | st.text(), max_size=3),
    over=seen,
    tag=st.lists(st.text(max_size=3), unique=True).map(lambda tags: tuple(sorted(tags))),
    untag=seen,
    count=st.dictionaries(st.text(max_size=3), st.integers(0, NUMBER_MAX), max_size=3),
)


@given(edits)
def test_an_edit_is_read_back_as_it_was_written(edit: Edit) -> None:
    body = edit.encode()
    assert Edit.decode(body) == edit
    assert Edit.decode(body).encode() == body


def test_parts_that_say_nothing_are_left_out() -> None:
    assert Edit("memory").encode() == b'{"type":"memory"}'


def test_tags_and_dots_are_sorted_and_tags_said_once() -> None:
    late, early = Dot(ORIGINS[1], 1), Dot(ORIGINS[0], 2)
    body = json.loads(Edit("m", tag=("b", "a", "b"), untag={"x": (late, early)}).encode())
    assert body["tag"] == ["a", "b"]
    assert body["untag"]["x"] == [str(early), str(late)]


def test_keys_of_a_newer_version_are_passed_over() -> None:
    assert Edit.decode(b'{"type":"m","shiny":{"a":[1]},"set":{"b":1}}') == Edit("m", {"b": 1})


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"type":null}',
        '{"type":"m","set":[]}',
        '{"type":"m","over":{"body":"a"}}',
        '{"type":"m","over":{"body":["a:1"]}}',
        '{"type":"m","over":{"body":[1]}}',
        '{"type":"m","tag":"abc"}',
        '{"type":"m","tag":{}}',
        '{"type":"m","tag":[1]}',
        '{"type":"m","untag":[]}',
        '{"type":"m","count":{"a":-1}}',
        '{"type":"m","count":{"a":true}}',
        '{"type":"m","count":{"a":1.0}}',
        '{"type":"m","count":{"a":9007199254740993}}',
    ],
)
def test_a_body_of_another_shape_is_refused(body: str) -> None:
    with pytest.raises(OpFault):
        Edit.decode(body.encode())


def test_an_edit_larger_than_one_op_is_refused() -> None:
    spare = BODY_BYTES_MAX - len(Edit("m", {"b": ""}).encode())
    assert len(Edit("m", {"b": "x" * spare}).encode()) == BODY_BYTES_MAX
    with pytest.raises(OpFault):
        Edit("m", {"b": "x" * (spare + 1)}).encode()
