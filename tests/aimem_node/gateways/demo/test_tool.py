"""Reading a tool's answers; the real MCP client is met in the demo itself."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from aimem_node.gateways.demo.tool import Tool, ToolError


@dataclass
class Block:
    text: str
    type: str = "text"


@dataclass
class Answer:
    content: list[Block]
    structured_content: Any = None
    is_error: bool = False


class OneAnswer:
    """An MCP client with one thing to say."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def call_tool(self, name: str, arguments: Any, **_: Any) -> Answer:
        self.asked.append(name)
        return self.answer


def test_structured_content_is_the_answer() -> None:
    client = OneAnswer(Answer([Block("for people")], {"id": "1"}))
    tool = Tool("t", client)
    assert asyncio.run(tool.call("store")) == {"id": "1"}
    assert client.asked == ["memory_store"]
    assert len(tool.waited_ms["store"]) == 1


def test_without_structured_content_the_text_is_the_answer() -> None:
    tool = Tool("t", OneAnswer(Answer([Block('{"id": "2"}')])))
    assert asyncio.run(tool.call("get")) == {"id": "2"}


def test_an_error_is_raised_in_the_nodes_own_words() -> None:
    tool = Tool("t", OneAnswer(Answer([Block("title is missing")], is_error=True)))
    with pytest.raises(ToolError, match="title is missing"):
        asyncio.run(tool.call("store"))
