"""What is asked of a store of some size."""

import asyncio
from typing import Any

from aimem_node.contract.values import Memory, RecallResponse
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.calls import WARM_UPS
from aimem_node.gateways.operator.bench.scale import measuring
from aimem_node.gateways.operator.bench.scale.measuring import RECALLS, Subject
from aimem_node.gateways.operator.bench.scale.sizes import ALONE_MEMORY, ALONE_QUESTIONS
from aimem_node.gateways.operator.bench.words import Words

SAMPLE = conversation.load(conversation.SAMPLE)


class Answering:
    """A node that answers at once, in a mode and with a memory."""

    def __init__(self, mode: str, title: str) -> None:
        self.answer = RecallResponse(memories=(Memory(title=title),), mode=mode)
        self.asked: list[Any] = []

    async def call(self, operation: str, request: Any) -> RecallResponse:
        assert operation == "Recall"
        self.asked.append(request)
        return self.answer


def subject(embedder: str = "auto") -> Subject:
    node: Any = None
    return Subject(node, 1_000, Words(SAMPLE), embedder, lambda _: None)


def test_no_question_of_a_kind_is_asked_twice_while_there_are_others() -> None:
    words = Words(SAMPLE)
    total = len({*words.sentences, *words._questions})
    taken = words.new_questions(total)
    assert len(set(taken)) == total
    assert taken[: len(SAMPLE[0].questions)] != words.sentences[: len(SAMPLE[0].questions)]
    assert set(taken[:8]) == {one.text for one in SAMPLE[0].questions}
    assert len(words.new_questions(3)) == 3


def test_each_kind_is_asked_in_each_way_and_answers_by_words_alone_are_counted() -> None:
    node: Any = Answering("keyword", "x")
    figures = asyncio.run(measuring.recalling(subject(), node))
    kinds = measuring.kinds(Words(SAMPLE))
    assert len(node.asked) == 2 * len(kinds) * (RECALLS + WARM_UPS)
    words_alone = figures[-1]
    assert words_alone.value == len(kinds) * (RECALLS + WARM_UPS)
    assert words_alone.met is False
    assert {one.goal for one in figures[:-1]} == {10.0}
    assert {one.mode for one in node.asked} == {"keyword", "hybrid"}


def test_without_a_model_only_words_are_asked() -> None:
    node: Any = Answering("keyword", "x")
    figures = asyncio.run(measuring.recalling(subject("off"), node))
    assert len(figures) == len(measuring.kinds(Words(SAMPLE)))


def test_the_lone_memory_must_come_first_for_every_question() -> None:
    right: Any = Answering("keyword", ALONE_MEMORY.title)
    wrong: Any = Answering("keyword", "another")
    _, found = asyncio.run(measuring.alone(subject("off"), right))
    _, lost = asyncio.run(measuring.alone(subject("off"), wrong))
    assert (found.value, found.met) == (len(ALONE_QUESTIONS), True)
    assert (lost.value, lost.met) == (0, False)
