"""Many clients at once, against nodes that keep, lose and double what they are given."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from aimem_node.contract.values import ListResponse, Memory, StoreRequest
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench import crowd
from aimem_node.gateways.operator.bench.words import Words

Keep = Callable[[list[StoreRequest], StoreRequest], None]


class CrowdStage:
    """A stage whose node is a list; `keep` decides what becomes of a store."""

    def __init__(self, keep: Keep) -> None:
        self.words = Words(conversation.load(conversation.SAMPLE))
        self.kept: list[StoreRequest] = []
        self.keep = keep
        self.clients = 0

    def ready(self) -> None:
        """There is no process to start."""

    def client(self) -> "CrowdStage":
        return self

    async def __aenter__(self) -> "CrowdStage":
        self.clients += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def call(self, operation: str, request: Any) -> Any:
        await asyncio.sleep(0)
        if operation == "Store":
            return self.keep(self.kept, request)
        first = int(request.cursor or 0)
        page = self.kept[first : first + request.limit]
        following = first + len(page)
        return ListResponse(
            memories=tuple(Memory(title=each.title) for each in page),
            next_cursor=str(following) if following < len(self.kept) else "",
        )


def once(kept: list[StoreRequest], request: StoreRequest) -> None:
    if request not in kept:
        kept.append(request)


def every_time(kept: list[StoreRequest], request: StoreRequest) -> None:
    kept.append(request)


def not_the_seventh(kept: list[StoreRequest], request: StoreRequest) -> None:
    assert request.options is not None
    if request.options.request_key != "crowd-7":
        once(kept, request)


@pytest.mark.parametrize(
    ("keep", "met"),
    [(once, [True, True]), (every_time, [True, False]), (not_the_seventh, [False, False])],
)
def test_a_store_that_is_lost_or_doubled_misses_the_goal(keep: Keep, met: list[bool]) -> None:
    stage = CrowdStage(keep)
    figures = asyncio.run(crowd.storing_at_once(stage))
    assert [figure.met for figure in figures if figure.goal is not None] == met
    assert stage.clients >= crowd.CLIENTS
