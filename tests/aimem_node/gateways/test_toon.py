"""What is written as a table can be read back: for every operation that answers with rows."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aimem_node.contract import codec
from aimem_node.contract.errors import Failure
from aimem_node.contract.facts import Field
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.shapes import SHAPES
from aimem_node.contract.values import ListResponse, Memory, Reason, RecallResponse
from aimem_node.gateways import toon
from aimem_node.gateways.answers import COMPACT_COLUMNS, Format, answer_text
from tests.aimem_node.contract.any_value import values

WITH_ROWS = sorted(name for name, one in OPERATIONS.items() if one.rows)
HEADER = re.compile(r"([a-z0-9_]+)\[(\d+)\](?:\{(.*)\})?:")
EMPTY = (None, "", [], {})
PLAIN = {"\\n": "\n", "\\r": "\r", "\\0": ""}


def cut(text: str, mark: str) -> list[str]:
    """A text cut at a mark that no backslash stands before."""
    pieces, at = [""], 0
    while at < len(text):
        if text[at] == "\\":
            pieces[-1] += text[at : at + 2]
            at += 2
            continue
        if text[at] == mark:
            pieces.append("")
        else:
            pieces[-1] += text[at]
        at += 1
    return pieces


def bare(text: str) -> str:
    """A text without its escapes."""
    return re.sub(r"\\.", lambda found: PLAIN.get(found.group(), found.group()[1:]), text)


def value_of(field: Field, cell: str) -> Any:
    if not cell:
        return None
    if field.repeated and field.kind in ("string", "enum", "timestamp"):
        return [bare(item) for item in cut(cell, ",")]
    if field.repeated or field.kind in ("json", "message"):
        return json.loads(bare(cell))
    if field.kind == "bool":
        return cell == "1"
    if field.kind in ("int", "float"):
        return {"int": int, "float": float}[field.kind](cell)
    return bare(cell)


def decode(text: str, cls: type) -> dict[str, Any]:
    """The answer of a class that a text says."""
    shape = SHAPES[cls]
    answer: dict[str, Any] = {}
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        header = HEADER.fullmatch(line)
        if header is None:
            for fact in cut(line, "|"):
                name, _, cell = fact.partition(":")
                answer[name] = value_of(shape.field(name), cell)
            continue
        name, count, columns = header.groups()
        fields = {one.name: one for one in SHAPES[shape.field(name).message].fields}
        shown = [fields[column] for column in columns.split("|")] if columns else []
        rows, lines = lines[: int(count)], lines[int(count) :]
        assert len(rows) == int(count)
        answer[name] = []
        for row in rows:
            cells = cut(row, "|")
            assert len(cells) == max(1, len(shown))
            answer[name].append(
                {one.name: value_of(one, cell) for one, cell in zip(shown, cells, strict=False)}
            )
    return answer


def meant(value: Any, cls: type, columns: Any = None) -> dict[str, Any]:
    """What is left of a message when all that says nothing is taken out, at every depth of ours."""
    kept = {}
    for field in SHAPES[cls].fields:
        part = value.get(field.name)
        if part in EMPTY or (columns and field.name not in columns):
            continue
        if field.kind == "message":
            ones = part if field.repeated else [part]
            ones = [meant(one, field.message) for one in ones]
            part = ones if field.repeated else ones[0]
        elif not field.presence and not field.repeated and part == 0:
            continue
        elif isinstance(part, float):
            part = pytest.approx(part, rel=0.006, abs=0.0006)
        kept[field.name] = part
    return kept


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("name", WITH_ROWS)
@given(data=st.data())
def test_every_answer_with_rows_can_be_read_back(name: str, data: st.DataObject) -> None:
    operation = OPERATIONS[name]
    response = data.draw(values(operation.response))
    try:
        text = answer_text(operation, response, Format.TOON)
    except Failure:
        assume(False)  # a value that JSON cannot say either
    said = codec.to_json(response)
    assert meant(decode(text, operation.response), operation.response) == meant(
        said, operation.response
    )
    compact = decode(answer_text(operation, response, Format.TOON_COMPACT), operation.response)
    rows = SHAPES[operation.response].field(operation.rows)
    columns = COMPACT_COLUMNS.get(rows.message)
    assert [meant(row, rows.message) for row in compact[operation.rows]] == [
        meant(row, rows.message, columns) for row in said[operation.rows]
    ]


NASTY = st.lists(st.text('ab,|\\\n\r:[]{}0"', max_size=12), max_size=4)


@given(NASTY, NASTY, st.dictionaries(st.text('a|\\\n"', max_size=4), NASTY, max_size=3))
def test_no_text_can_be_taken_for_the_form_around_it(contents, tags, metadata) -> None:
    answer = ListResponse(
        memories=tuple(
            Memory(id=f"m{n}", content=content, tags=tuple(tags), metadata=metadata)
            for n, content in enumerate(contents)
        ),
        count=len(contents),
    )
    rows = decode(answer_text(OPERATIONS["List"], answer, Format.TOON), ListResponse)["memories"]
    assert [row.get("content") or "" for row in rows] == contents
    assert all((row.get("tags") or []) == tags for row in rows)
    assert all((row.get("metadata") or {}) == metadata for row in rows)


def test_a_list_of_texts_with_commas_is_no_longer_list() -> None:
    texts = {
        answer_text(OPERATIONS["List"], ListResponse(memories=(Memory(tags=tags),)), Format.TOON)
        for tags in (("a,b",), ("a", "b"), ("a\\", "b"), ("",), ("", ""))
    }
    assert len(texts) == 5


def test_the_content_is_in_every_table_of_memories() -> None:
    """ai-memory left it out, so that every hit cost another call."""
    for name in WITH_ROWS:
        operation = OPERATIONS[name]
        rows = SHAPES[operation.response].field(operation.rows)
        if rows.message is not Memory:
            continue
        answer = operation.response(**{rows.attribute: (Memory(id="m", content="what it says"),)})
        for wanted in (Format.TOON, Format.TOON_COMPACT):
            assert "what it says" in answer_text(operation, answer, wanted)


def test_a_small_number_is_not_shown_as_none() -> None:
    answer = RecallResponse(
        memories=(Memory(id="m", confidence=0.0, score=1e-9),),
        reasons=(Reason(id="m", factors={"k": "", "z": 0}),),
    )
    text = answer_text(OPERATIONS["Recall"], answer, Format.TOON)
    [row] = decode(text, RecallResponse)["memories"]
    assert (row["confidence"], row["score"]) == (0.0, 1e-9)
    assert decode(text, RecallResponse)["reasons"] == [{"id": "m", "factors": {"k": "", "z": 0}}]


def test_a_text_that_was_cut_is_seen_to_be() -> None:
    answer = ListResponse(memories=(Memory(id="a"), Memory(id="b")), count=2)
    text = answer_text(OPERATIONS["List"], answer, Format.TOON_COMPACT)
    with pytest.raises(AssertionError):
        decode(text.rpartition("\n")[0], ListResponse)


def test_rows_without_anything_to_say_are_still_counted() -> None:
    shape = SHAPES[ListResponse]
    assert toon.text({"memories": [{}, {}]}, shape, "memories") == "memories[2]:\n\n"
