"""The graph that walks are measured in."""

import asyncio
from collections import Counter
from typing import Any

from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.operator.bench import graph
from aimem_node.gateways.operator.bench.calls import FEW


class GraphStage:
    """A stage whose node answers at once, and remembers what it was asked."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.asked: list[tuple[str, Any]] = []

    def runs(self, _full: int, quick: int) -> int:
        return quick

    async def fill(self, memories: int) -> None:
        self.ids = [f"m{number}" for number in range(memories)]

    def client(self) -> "GraphStage":
        return self

    async def __aenter__(self) -> "GraphStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def call(self, operation: str, request: Any) -> None:
        self.asked.append((operation, request))


def test_a_tenth_of_the_links_lead_from_the_hub_and_none_to_where_it_begins() -> None:
    ends = [f"m{number}" for number in range(200)]
    links = list(graph.drawn(ends, 1_000, 100))
    assert links == list(graph.drawn(ends, 1_000, 100)), "the same every time"
    assert Counter(link.source_id for link in links).most_common(1) == [("m0", 100)]
    assert len({link.target_id for link in links[:100]}) == 100
    assert all(link.source_id != link.target_id for link in links)
    assert len({link.id for link in links}) == len(links)


def test_each_depth_and_the_timeline_are_held_against_their_budgets() -> None:
    stage: Any = GraphStage()
    figures = asyncio.run(graph.walking(stage))
    goals = {figure.what.split(", ", 2)[2]: figure.goal for figure in figures}
    assert goals == {
        f"depth {steps}, from {where}": goal
        for where in ("anywhere", "the hub") for steps, goal in ((1, 20), (3, 20), (5, 50))
    } | {f"of {where}": 20 for where in ("anywhere", "the hub")}  # fmt: skip
    assert OPERATIONS["KgQuery"].p95_ms == 20
    imported = sum(len(asked.links) for name, asked in stage.asked if name == "Import")
    assert 0.9 * FEW < imported <= FEW
