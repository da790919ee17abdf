"""Single calls through gRPC on the unix socket, one after another, as one client feels them."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.values import (
    GetRequest,
    GetTaxonomyRequest,
    ListRequest,
    RecallRequest,
    SearchRequest,
    SessionStartRequest,
    StatsRequest,
)
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.stage import Stage
from aimem_node.gateways.operator.bench.words import NAMESPACE

FEW = 1_000
MANY = 100_000
RECALL_P95_MS = {FEW: 10.0, MANY: 25.0}
"""The promise at each size, which is tighter than the operation's budget where memories are few."""

WARM_UPS = 5
"""Calls before the first that counts: connection, page cache, prepared statements."""


async def waits(client: GrpcClient, operation: str, requests: Iterable[Any]) -> list[float]:
    """Milliseconds from each call to its answer, decoded; the first few are not counted."""
    found = []
    for request in requests:
        started = time.perf_counter()
        await client.call(operation, request)
        found.append((time.perf_counter() - started) * 1000)
    return found[WARM_UPS:]


async def storing(stage: Stage, held: int) -> list[Figure]:
    """Store single memories beside those that are there."""
    await stage.fill(held)
    async with stage.client() as client:
        count = stage.runs(1000, 200) + WARM_UPS
        waited = await waits(client, "Store", stage.words.memories(count, "bench/single"))
    return [timed(f"store, {held:,} memories", waited, goal_of("Store"))]


async def recalling(stage: Stage, held: int) -> list[Figure]:
    """Recall with natural questions, and with nothing but frequent words."""
    await stage.fill(held)
    count = stage.runs(300, 100) + WARM_UPS
    kinds: Sequence[tuple[str, list[str]]] = (
        ("questions", stage.words.questions(count)),
        ("frequent words only", stage.words.frequent_queries(count)),
    )
    figures = []
    async with stage.client() as client:
        for kind, texts in kinds:
            asked = [RecallRequest(context=text, namespace=f"{NAMESPACE}/*") for text in texts]
            waited = await waits(client, "Recall", asked)
            figures.append(timed(f"recall, {held:,} memories, {kind}", waited, RECALL_P95_MS[held]))
    return figures


async def reading(stage: Stage, held: int) -> list[Figure]:
    """Get, list, search, session start, and what dashboards ask: for whoever sees everything, and
    where much is held also for callers who stand in one namespace."""
    await stage.fill(held)
    count = stage.runs(300, 100) + WARM_UPS
    step = max(1, len(stage.ids) // count)
    asked: dict[str, list[Any]] = {
        "Get": [GetRequest(id=each) for each in stage.ids[::step][:count]],
        "List": [ListRequest(namespace=NAMESPACE) for _ in range(count)],
        "Search": [SearchRequest(query=text) for text in stage.words.pairs(count)],
        "SessionStart": [SessionStartRequest() for _ in range(count)],
    }
    counted: dict[str, list[Any]] = {
        "GetTaxonomy": [GetTaxonomyRequest() for _ in range(count)],
        "Stats": [StatsRequest() for _ in range(count)],
    }
    figures = await _each(stage, {**asked, **counted}, f"{held:,} memories")
    if held >= MANY:
        stage.node.stop()
        stage.node.spawn(place=NAMESPACE)
        await stage.node.answering()
        figures += await _each(stage, counted, f"{held:,} memories, seen from one namespace")
        stage.node.stop()
        stage.ready()
    return figures


async def _each(stage: Stage, asked: dict[str, list[Any]], among: str) -> list[Figure]:
    figures = []
    async with stage.client() as client:
        for operation, requests in asked.items():
            waited = await waits(client, operation, requests)
            name = OPERATIONS[operation].cli_name
            figures.append(timed(f"{name}, {among}", waited, goal_of(operation)))
    return figures


def goal_of(operation: str) -> float:
    """The operation's own budget, as its declaration states it."""
    return float(OPERATIONS[operation].p95_ms)
