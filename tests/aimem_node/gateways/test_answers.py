"""An answer says everything an agent needs, and little else."""

import json

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.values import (
    GetResponse,
    HistoryResponse,
    ListResponse,
    Memory,
    MemoryVersion,
    NamespaceCount,
    NamespacesResponse,
    Reason,
    RecallResponse,
    Tier,
)
from aimem_node.gateways.answers import (
    Format,
    answer_text,
    failure_text,
    items_text,
    read_format,
)

RECALL = OPERATIONS["Recall"]


def memory(**fields):
    known = {"id": "m1", "title": "Deploy day", "content": "Tuesdays", "tier": Tier.MID}
    return Memory(**{**known, "namespace": "team/api", "priority": 5, **fields})


def compact(operation, response) -> list[str]:
    return answer_text(OPERATIONS[operation], response, Format.TOON_COMPACT).split("\n")


def test_rows_hold_the_content_and_the_facts_stand_above() -> None:
    answer = RecallResponse(
        memories=(memory(score=0.91234), memory(id="m2", score=0.5)), count=2, mode="keyword"
    )
    assert compact("Recall", answer) == [
        "count:2|mode:keyword",
        "memories[2]{id|title|tier|namespace|priority|score|content}:",
        "m1|Deploy day|mid|team/api|5|0.912|Tuesdays",
        "m2|Deploy day|mid|team/api|5|0.5|Tuesdays",
    ]


def test_one_row_is_one_line_whatever_the_content() -> None:
    nasty = "a|b\\c\nd\re\r\n"
    lines = compact("List", ListResponse(memories=(memory(content=nasty),), count=1))
    assert len(lines) == 3
    assert lines[2].endswith("|a\\|b\\\\c\\nd\\re\\r\\n")


def test_no_rows_are_an_empty_table() -> None:
    assert compact("List", ListResponse()) == ["count:0", "memories[0]:"]


def test_a_column_that_one_row_needs_is_there_for_all() -> None:
    lines = compact("List", ListResponse(memories=(memory(), memory(tags=("x", "y"))), count=2))
    assert lines[1] == "memories[2]{id|title|tier|namespace|priority|tags|content}:"
    assert lines[2].split("|")[5] == ""
    assert lines[3].split("|")[5] == "x,y"


def test_the_full_table_shows_every_column_that_is_not_empty() -> None:
    answer = ListResponse(
        memories=(memory(metadata={"a": [1]}, access_count=3, author="user:ann"),)
    )
    text = answer_text(OPERATIONS["List"], answer, Format.TOON)
    header = text.split("\n")[1]
    assert "metadata" in header
    assert "access_count" in header
    assert "archive_reason" not in header
    assert header.endswith("|content}:")
    assert '{"a":[1]}' in text


def test_other_nouns_show_all_they_have() -> None:
    namespaces = NamespacesResponse(namespaces=(NamespaceCount(namespace="a", count=2),))
    assert compact("Namespaces", namespaces) == ["namespaces[1]{namespace|count}:", "a|2"]
    history = HistoryResponse(
        id="m", versions=(MemoryVersion(write_id="o:1", kind="store"),), count=1
    )
    assert compact("History", history) == [
        "id:m|count:1",
        "versions[1]{write_id|kind}:",
        "o:1|store",
    ]


def test_nothing_beside_the_rows_is_lost() -> None:
    answer = RecallResponse(
        memories=(memory(),), count=1, left_out=4, unavailable=("semantic: no embedder", "graph"),
        reasons=(Reason(id="m1", factors={"bm25": 0.5}),),
    )  # fmt: skip
    text = answer_text(RECALL, answer, Format.TOON_COMPACT)
    assert "left_out:4" in text
    assert "unavailable:semantic: no embedder,graph" in text
    assert 'reasons[1]{id|factors}:\nm1|{"bm25":0.5}' in text


def test_json_on_request_is_the_whole_answer() -> None:
    answer = json.loads(answer_text(RECALL, RecallResponse(memories=(memory(),)), Format.JSON))
    assert answer["memories"][0]["archive_reason"] == ""


def test_an_answer_without_rows_is_json() -> None:
    answer = json.loads(answer_text(OPERATIONS["Get"], GetResponse(memory=memory()), Format.TOON))
    assert answer["memory"]["content"] == "Tuesdays"
    assert answer["links"] == []


def test_a_table_costs_less_than_half_of_the_json() -> None:
    answer = ListResponse(memories=tuple(memory(id=f"m{i}") for i in range(20)), count=20)
    table = answer_text(OPERATIONS["List"], answer, Format.TOON_COMPACT)
    assert 2 * len(table) < len(answer_text(OPERATIONS["List"], answer, Format.JSON))


def test_a_part_of_a_stream_says_whether_there_is_more() -> None:
    assert json.loads(items_text([NamespaceCount(namespace="a", count=1)], True)) == {
        "items": [{"namespace": "a", "count": 1}], "count": 1, "more": True,
    }  # fmt: skip


@pytest.mark.parametrize("word", ["json", "toon", "toon_compact"])
def test_known_formats_are_read(word) -> None:
    assert read_format(word) == word


@pytest.mark.parametrize("word", ["xml", "", 3, None, ["json"]])
def test_an_unknown_format_is_refused_with_the_known_ones(word) -> None:
    with pytest.raises(Failure) as refused:
        read_format(word)
    assert refused.value.path == "$.format"
    assert "toon_compact" in refused.value.next


def test_a_failure_says_code_place_reason_and_next_step() -> None:
    failure = Failure(Code.NOT_FOUND, "no memory 'x'", "$.id", next="List them.")
    assert failure_text(failure) == "NOT_FOUND at $.id: no memory 'x'. Next: List them."
    assert failure_text(Failure(Code.LIMITED, "busy", next="Wait")) == "LIMITED: busy. Next: Wait."
