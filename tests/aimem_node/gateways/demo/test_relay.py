"""Several writers and a node that is shot, without any node."""

import asyncio
from typing import Any

from aimem_node.gateways.demo import conversation, relay
from aimem_node.gateways.demo.ledger import CountingTool
from aimem_node.gateways.demo.tool import Tool

SAMPLE = conversation.load(conversation.SAMPLE)[0]


class Answer:
    content: tuple[Any, ...] = ()
    is_error = False

    def __init__(self, found: Any) -> None:
        self.structured_content = found


class Client:
    """An MCP client whose node keeps what it is given."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    async def call_tool(self, name: str, arguments: Any, **_: Any) -> Answer:
        await asyncio.sleep(0)
        if name == "memory_recall":
            return Answer({"memories": [{"id": "1", "content": arguments["context"]}]})
        self.stored.append(arguments["options"]["request_key"])
        return Answer({"id": self.stored[-1], "write": {"outcome": "committed"}})


def test_two_conversations_are_written_by_a_tool_each() -> None:
    one, other = relay.shared_out([SAMPLE, SAMPLE, SAMPLE], "ab")
    assert (one.node, other.node) == ("a", "b")
    assert one.intake.conversation.turns == SAMPLE.turns


def test_a_single_conversation_is_shared_and_no_turn_is_written_twice() -> None:
    parts = relay.shared_out([SAMPLE], "ab")
    written = [turn.turn_id for part in parts for turn in part.intake.conversation.turns]
    assert sorted(written) == sorted(turn.turn_id for turn in SAMPLE.turns)
    asked = [question for part in parts for question in part.intake.conversation.questions]
    assert asked == list(SAMPLE.questions)


def test_the_node_is_shot_in_the_middle_and_all_turns_are_written() -> None:
    shot_at: list[int] = []

    async def run() -> tuple[list[relay.Relay], relay.Written]:
        relays = relay.shared_out([SAMPLE], "ab")
        for one in relays:
            one.tool = CountingTool.of(Tool(one.node, Client()))

        async def kill() -> None:
            shot_at.append(sum(len(one.intake.ids) for one in relays))

        return relays, await relay.run(relays, lambda _: None, kill)

    relays, written = asyncio.run(run())
    total = len(SAMPLE.turns)
    assert len(shot_at) == 1
    assert relay.KILL_AT * total <= written.answered_at_kill < total
    assert sum(len(one.promised) for one in relays) == total
    assert sum(one.ledger.outcomes["committed"] for one in relays) == total


def test_a_slow_machine_begins_no_new_stores_and_the_node_is_shot_all_the_same(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(relay, "WRITING_SECONDS_MAX", -1.0)
    shot: list[str] = []

    async def run() -> relay.Written:
        relays = relay.shared_out([SAMPLE], "ab")
        for one in relays:
            one.tool = CountingTool.of(Tool(one.node, Client()))

        async def kill() -> None:
            shot.append("c")

        return await relay.run(relays, lambda _: None, kill)

    written = asyncio.run(run())
    assert shot == ["c"]
    assert 0 < written.answered_at_kill < len(SAMPLE.turns)


def test_a_question_goes_to_every_node() -> None:
    async def run() -> Any:
        tools = {name: Tool(name, Client()) for name in "abcd"}
        return await relay.ask_all(tools, "demo/x", SAMPLE.questions[0])

    answers = asyncio.run(run())
    assert list(answers) == ["a", "b", "c", "d"]
    assert {hits[0]["content"] for hits in answers.values()} == {SAMPLE.questions[0].text}
