"""Timing single calls."""

import asyncio
from typing import Any

from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.operator.bench import calls


class InstantClient:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def call(self, operation: str, request: Any) -> None:
        self.asked.append((operation, request))


def test_the_first_calls_are_made_and_not_counted() -> None:
    client = InstantClient()
    waited = asyncio.run(calls.waits(client, "Get", range(calls.WARM_UPS + 3)))
    assert len(client.asked) == calls.WARM_UPS + 3
    assert len(waited) == 3


def test_goals_come_from_the_declarations_and_recall_promises_more_where_little_is_held() -> None:
    assert calls.goal_of("Store") == OPERATIONS["Store"].p95_ms == 5
    assert calls.RECALL_P95_MS[calls.FEW] == 10
    assert calls.RECALL_P95_MS[calls.MANY] == calls.goal_of("Recall") == 25
