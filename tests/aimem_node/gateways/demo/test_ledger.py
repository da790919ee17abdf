"""The books of a tool that writes: outcomes as they were told, and pauses as they were felt."""

import asyncio
from typing import Any

import pytest

from aimem_node.gateways.demo import ledger
from aimem_node.gateways.demo.ledger import CountingTool, Ledger, longest_pause_s, together
from aimem_node.gateways.demo.tool import Tool, ToolError


class Answer:
    def __init__(self, found: Any = None, refused: str = "") -> None:
        self.content: list[Any] = [type("Block", (), {"type": "text", "text": refused})]
        self.structured_content = found
        self.is_error = bool(refused)


class Client:
    """An MCP client that gives these answers one after the other."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[Any] = []

    async def call_tool(self, name: str, arguments: Any, **_: Any) -> Answer:
        self.sent.append(arguments)
        return self.answers.pop(0)


def stored(outcome: str) -> Answer:
    return Answer({"id": "1", "write": {"outcome": outcome}})


def counting(*answers: Answer) -> CountingTool:
    return CountingTool.of(Tool("t", Client(*answers)))


def test_each_outcome_is_counted_as_it_was_told() -> None:
    tool = counting(stored("committed"), stored("pending"), stored("committed"))
    for _ in range(3):
        asyncio.run(tool.call("store", title="t"))
    assert dict(tool.ledger.outcomes) == {"committed": 2, "pending": 1}
    assert len(tool.ledger.answered_s) == 3


def test_a_refused_store_is_sent_again_as_it_was_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "RETRY_SECONDS", 0.0)
    tool = counting(Answer(refused="NOT_WRITTEN: b is away"), stored("committed"))
    asyncio.run(tool.call("store", title="t", options={"request_key": "k"}))
    assert tool.client.sent[0] == tool.client.sent[1]
    assert tool.ledger.refused == 1
    assert "b is away" in tool.ledger.refusal
    assert dict(tool.ledger.outcomes) == {"committed": 1}


def test_a_tool_that_is_refused_for_ever_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(ledger, "REFUSALS_MAX", 2)
    tool = counting(Answer(refused="no"), Answer(refused="no"))
    with pytest.raises(ToolError, match="2 times"):
        asyncio.run(tool.call("store", title="t"))


def test_other_calls_are_not_in_the_books() -> None:
    tool = counting(Answer({"memories": []}))
    asyncio.run(tool.call("list"))
    assert tool.ledger == Ledger()


def test_the_books_of_all_tools_are_added_up() -> None:
    one, other = Ledger(), Ledger(refused=2)
    one.note({"outcome": "committed"}, 1.0)
    other.note({"outcome": "pending"}, 1.0)
    books = together([one, other])
    assert (books.answered, books.committed, books.refused) == (2, 1, 2)
    assert books.others == "1 pending, 2 refused"


def test_the_longest_pause_counts_the_time_before_the_first_answer_and_after_the_last() -> None:
    assert longest_pause_s([1.0, 2.0, 5.0], 0.0, 6.0) == 3.0
    assert longest_pause_s([4.0], 0.0, 5.0) == 4.0
    assert longest_pause_s([], 2.0, 9.0) == 7.0


def test_a_pause_from_before_is_not_charged_to_what_came_later() -> None:
    assert longest_pause_s([0.0, 10.0], 9.0, 10.5) == 1.0
