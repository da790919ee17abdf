"""What is sent to a node and what is made of its answers, with a node that is a list."""

import asyncio
from typing import Any

from aimem_node.contract.values import BulkStoreResponse, Memory, Reason, RecallResponse
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.quality import asking
from aimem_node.gateways.operator.bench.quality.asking import LIMIT, WAYS, Place

(TALK,) = conversation.load(conversation.SAMPLE)


class ListNode:
    """Keeps what it is given, and recalls the first so many of it."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.asked: list[Any] = []

    async def call(self, operation: str, request: Any) -> Any:
        if operation == "BulkStore":
            first = len(self.kept)
            self.kept.extend(request.memories)
            return BulkStoreResponse(ids=tuple(f"m{at}" for at in range(first, len(self.kept))))
        assert operation == "Recall"
        self.asked.append(request)
        found = tuple(Memory(id=f"m{at}") for at in range(min(request.limit, len(self.kept))))
        told = tuple(Reason(id=one.id, factors={"+words": 1.0}) for one in found)
        return RecallResponse(
            memories=found, mode="keyword", reasons=told if request.explain else ()
        )


def stored(node: Any) -> dict[str, Place]:
    return asyncio.run(asking.store(node, {7: TALK}))


def test_a_turn_is_stored_with_what_any_client_knows_of_it_and_nothing_else() -> None:
    node = ListNode()
    places = stored(node)
    assert len(places) == len(node.kept) == len(TALK.turns)
    first, turn = node.kept[0], TALK.turns[0]
    assert first.content == turn.text
    assert first.content.startswith(first.title.removesuffix("…"))
    assert turn.speaker not in first.title
    assert (first.agent_id, first.session, first.namespace) == (
        turn.agent_id, turn.session, "talks/7",
    )  # fmt: skip
    assert first.happened_at == int(turn.happened_at.timestamp() * 1_000_000)
    assert first.metadata is None
    assert first.tags == ()


def test_a_question_goes_as_it_stands_and_its_answer_is_told_by_turns() -> None:
    node = ListNode()
    places = stored(node)
    way = WAYS[-1]
    found = asyncio.run(asking.ask(node, way, 7, TALK, places))  # type: ignore[arg-type]
    assert len(found) == len(TALK.questions)
    assert {one.context for one in node.asked} == {one.text for one in TALK.questions}
    assert {(one.mode, one.rerank) for one in node.asked} == {("hybrid", "tokens")}
    assert all(one.namespace is None for one in node.asked)
    first = found[0]
    assert len(first.ranking) == LIMIT
    assert first.ranking[0] == Place(7, TALK.turns[0].turn_id, TALK.turns[0].session)
    assert {place.turn_id for place in first.gold} == TALK.questions[0].evidence
    assert first.same_again
    assert first.same_ten
    assert first.answer_bytes > 0
    assert len(first.factors) == LIMIT


def test_an_answer_that_changes_when_asked_again_is_noticed() -> None:
    class Fickle(ListNode):
        async def call(self, operation: str, request: Any) -> Any:
            answer = await super().call(operation, request)
            if operation == "Recall" and (request.explain or request.limit < LIMIT):
                turned = tuple(reversed(answer.memories))
                return RecallResponse(memories=turned, mode="keyword", reasons=answer.reasons)
            return answer

    node: Any = Fickle()
    places = stored(node)
    found = asyncio.run(asking.ask(node, WAYS[0], 7, TALK, places))
    assert not any(one.same_again or one.same_ten for one in found)
