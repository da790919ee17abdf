"""Telling nodes that agree from nodes that only say so."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aimem_node.contract.values import NodeStatusResponse, OriginStatus
from aimem_node.gateways.demo import agreement
from aimem_node.gateways.demo.agreement import Standing, differences, lacking_ops

LEVEL = Standing("a", {"a~1": (10, "aa"), "b~1": (5, "bb")}, "d1", 15)


def test_equal_nodes_differ_in_nothing() -> None:
    assert differences([LEVEL, replace(LEVEL, name="b"), replace(LEVEL, name="c")]) == []


def test_a_log_that_ends_elsewhere_is_named() -> None:
    other = replace(LEVEL, name="b", heads={"a~1": (10, "aa"), "b~1": (5, "xx")})
    assert differences([LEVEL, other]) == ["a and b differ in the log b~1"]


def test_a_log_that_one_of_them_never_heard_of_is_named() -> None:
    other = replace(LEVEL, name="b", heads={"a~1": (10, "aa")})
    assert differences([LEVEL, other]) == ["a and b differ in the log b~1"]


def test_equal_logs_with_unequal_state_are_not_equal() -> None:
    found = differences([LEVEL, replace(LEVEL, name="b", digest="d2", records=14)])
    assert found == [
        "a and b differ in the digest of their state",
        "a and b hold 15 and 14 records",
    ]


def test_what_verify_found_counts_even_on_the_only_node() -> None:
    assert differences([replace(LEVEL, problems=("op 3 does not match",))]) == [
        "verify on a: op 3 does not match"
    ]


def test_lacking_counts_only_what_the_other_has_more() -> None:
    assert lacking_ops({"a": (3, ""), "c": (9, "")}, {"a": (5, ""), "b": (4, "")}) == 6


def test_a_log_without_ops_is_no_log() -> None:
    status = NodeStatusResponse(
        origins=[OriginStatus(origin="a", have=2, head="h"), OriginStatus(origin="b")]
    )
    assert agreement.heads_of(status) == {"a": (2, "h")}


def test_only_a_memory_that_is_held_word_for_word_is_present() -> None:
    promised = {"1": "one", "2": "two", "3": "three"}
    assert agreement.present(promised, {"1": "one", "2": "TWO", "4": "four"}) == 1


def test_answers_are_the_same_when_words_and_order_are_whatever_the_scores() -> None:
    answers = {
        "a": [{"id": "1", "content": "x", "score": 0.9}, {"id": "2", "content": "y"}],
        "b": [{"id": "1", "content": "x", "score": 0.8}, {"id": "2", "content": "y"}],
    }
    assert agreement.same_answer(answers)
    assert agreement.odd_ones(answers) == []


def test_another_order_or_other_words_are_another_answer() -> None:
    one, two = {"id": "1", "content": "x"}, {"id": "2", "content": "y"}
    answers = {"a": [one, two], "b": [two, one], "c": [one, {"id": "2", "content": "z"}]}
    assert not agreement.same_answer(answers)
    assert agreement.odd_ones(answers) == ["b", "c"]


class PagedTool:
    """A node that lists two memories, one a page."""

    async def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        if "cursor" in arguments:
            return {"memories": [{"id": "2", "content": "two"}]}
        return {"memories": [{"id": "1", "content": "one"}], "next_cursor": "more"}


def test_contents_are_gathered_from_all_pages() -> None:
    found = asyncio.run(agreement.contents(PagedTool(), "demo"))
    assert found == {"1": "one", "2": "two"}
