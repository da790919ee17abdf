"""Taking a conversation in from a node that is shot half-way."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aimem_node.gateways.demo import conversation, intake

SAMPLE = conversation.load(conversation.SAMPLE)[0]


def test_every_turn_of_the_sample_fits_a_store_request() -> None:
    from aimem_node.contract.codec import from_json
    from aimem_node.contract.validate import check
    from aimem_node.contract.values import StoreRequest

    for turn in SAMPLE.turns:
        arguments = intake.store_arguments(turn, intake.namespace_of(SAMPLE))
        check(from_json(StoreRequest, arguments))


class ForgetfulTool:
    """Answers like the node; hangs from a given store on, as a node that was shot does."""

    def __init__(self, answers_max: int | None = None) -> None:
        self.by_key: dict[str, str] = {}
        self.answered = 0
        self.answers_max = answers_max

    async def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        assert operation == "store"
        key = arguments["options"]["request_key"]
        replayed = key in self.by_key
        memory_id = self.by_key.setdefault(key, f"id-{len(self.by_key)}")
        await asyncio.sleep(0)
        if self.answered == self.answers_max:
            await asyncio.Event().wait()
        self.answered += 1
        return {"id": memory_id, "write": {"replayed": replayed}}


def test_turns_without_an_answer_are_sent_again_and_none_is_kept_twice() -> None:
    async def run() -> tuple[intake.Intake, int, ForgetfulTool]:
        taking = intake.Intake.of(SAMPLE)
        tool = ForgetfulTool(answers_max=20)
        in_flight = await intake.take_in(taking, tool, lambda _: None, lambda done: done == 20)
        assert len(taking.ids) == 20
        tool.answers_max = None
        assert await intake.take_in(taking, tool, lambda _: None) == 0
        return taking, in_flight, tool

    taking, in_flight, tool = asyncio.run(run())
    assert in_flight == intake.IN_FLIGHT - 1
    assert taking.replayed == in_flight
    assert len(tool.by_key) == len(SAMPLE.turns)
    assert sorted(taking.ids) == sorted(turn.turn_id for turn in SAMPLE.turns)
