"""Many clients storing at once, and all of them sending everything twice."""

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Sequence

from aimem_node.contract.values import ListRequest, StoreRequest, WriteOptions
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.stage import Stage

CLIENTS = 16
STORES = 1_000
NAMESPACE = "bench/crowd"


async def storing_at_once(stage: Stage) -> list[Figure]:
    """1,000 stores from 16 clients land, none twice, also when all are sent again."""
    stage.ready()
    requests = [
        dataclasses.replace(request, options=WriteOptions(request_key=f"crowd-{number}"))
        for number, request in enumerate(stage.words.memories(STORES, NAMESPACE))
    ]
    started = time.perf_counter()
    waited = await _send(stage, requests)
    took_s = time.perf_counter() - started
    landed = await _count(stage)
    await _send(stage, requests)
    again = await _count(stage)
    who = f"{STORES:,} stores from {CLIENTS} clients"
    return [
        Figure(f"{who}: memories there", landed, "memories", STORES, "exactly"),
        Figure(f"{who}: after sending all again", again, "memories", STORES, "exactly"),
        Figure(f"{who}: together", STORES / took_s, "stores/s"),
        timed(f"{who}: each", waited, None),
    ]


async def _send(stage: Stage, requests: Sequence[StoreRequest]) -> list[float]:
    """Send each request once, by whichever client is free; milliseconds to each answer."""
    waiting = deque(requests)
    waited: list[float] = []

    async def work() -> None:
        async with stage.client() as client:
            while waiting:
                request = waiting.popleft()
                started = time.perf_counter()
                await client.call("Store", request)
                waited.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return waited


async def _count(stage: Stage) -> int:
    """Memories in the crowd's namespace, counted one by one over all pages."""
    count, cursor = 0, None
    async with stage.client() as client:
        while True:
            request = ListRequest(namespace=NAMESPACE, limit=1000, cursor=cursor)
            page = await client.call("List", request)
            count += len(page.memories)
            cursor = page.next_cursor
            if not cursor:
                return count
