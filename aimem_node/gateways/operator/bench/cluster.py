"""Clusters: three processes on this machine, mutual TLS on loopback, every ack after an fsync.

All nodes, the clients and the disk share one machine here, so what is shown is the cost of the
work and not of a network: add a round trip to the slowest of the W members.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from aimem_node.contract.values import (
    BulkStoreRequest,
    NodeStatusRequest,
    Outcome,
    StoreRequest,
    WriteOptions,
)
from aimem_node.gateways.demo.own_team import OwnTeam
from aimem_node.gateways.operator.bench.calls import WARM_UPS
from aimem_node.gateways.operator.bench.figures import Figure, Spread, timed
from aimem_node.gateways.operator.bench.stage import Stage

ACK_P95_MS, ACK_P99_MS = 10.0, 25.0
STORES_PER_S = 1_500.0
CLIENTS = 16
STORES = 4_000
BATCH = 25
"""Memories of one BulkStore, as an importer or a busy agent sends them."""
BACKLOG = 100_000
BACKLOG_QUICK = 10_000
CATCH_UP_S, JOIN_S = 30.0, 60.0
POLL_S = 0.05


async def acknowledging(stage: Stage) -> list[Figure]:
    """Single stores with W = 2 of 3, from one client and from sixteen."""
    stage.node.stop()
    async with OwnTeam("aimem-bench-", stage.node.home.parent) as team:
        await team.found("abc")
        figures = await _one_client(stage, team)
        figures += await _many_clients(stage, team)
    return figures


async def _one_client(stage: Stage, team: OwnTeam) -> list[Figure]:
    waited = []
    async with team.client("a") as client:
        count = stage.runs(1_000, 200) + WARM_UPS
        for memory in stage.words.memories(count, "bench/quorum"):
            started = time.perf_counter()
            answer = await client.call("Store", memory)
            waited.append((time.perf_counter() - started) * 1000)
            _check(answer.write)
    waited = waited[WARM_UPS:]
    spread = Spread.of(waited)
    name = "store, W = 2 of 3, one client"
    return [
        timed(name, waited, ACK_P95_MS),
        Figure(f"{name}: slowest of a hundred", spread.p99_ms, "ms p99", ACK_P99_MS),
    ]


async def _many_clients(stage: Stage, team: OwnTeam) -> list[Figure]:
    count = stage.runs(STORES, 800)
    singles = stage.words.memories(count, "bench/crowd")
    took_s, waited = await _crowd(team, [[one] for one in singles])
    memories = list(stage.words.memories(count * 2, "bench/bulk"))
    batches = [memories[at : at + BATCH] for at in range(0, len(memories), BATCH)]
    bulk_s, _ = await _crowd(team, batches)
    return [
        Figure(
            f"stores, W = 2 of 3, {CLIENTS} clients, one memory a call", count / took_s,
            "stores/s", STORES_PER_S, "at least",
        ),
        timed(f"stores, W = 2 of 3, {CLIENTS} clients: each", waited, None),
        Figure(
            f"stores, W = 2 of 3, {CLIENTS} clients, {BATCH} memories a call",
            len(memories) / bulk_s, "stores/s",
        ),
    ]  # fmt: skip


async def _crowd(
    team: OwnTeam, batches: Sequence[Sequence[StoreRequest]]
) -> tuple[float, list[float]]:
    """Send each batch once, by whichever client is free; the clients are spread over the nodes."""
    waiting = deque(enumerate(batches))
    waited: list[float] = []

    async def work(name: str) -> None:
        async with team.client(name) as client:
            while waiting:
                number, batch = waiting.popleft()
                options = WriteOptions(request_key=f"{name}-{id(batches)}-{number}")
                started = time.perf_counter()
                if len(batch) == 1:
                    answer = await client.call("Store", batch[0])
                else:
                    request = BulkStoreRequest(memories=tuple(batch), options=options)
                    answer = await client.call("BulkStore", request)
                waited.append((time.perf_counter() - started) * 1000)
                _check(answer.write)

    names = sorted(team.nodes)
    started = time.perf_counter()
    await asyncio.gather(*(work(names[at % len(names)]) for at in range(CLIENTS)))
    return time.perf_counter() - started, waited


async def catching_up(stage: Stage) -> list[Figure]:
    """A member that missed everything, and a new one that joins when everything is there."""
    stage.node.stop()
    count = stage.runs(BACKLOG, BACKLOG_QUICK)
    async with OwnTeam("aimem-bench-", stage.node.home.parent) as team:
        await team.found("abc")
        team.nodes["c"].stop()
        async with team.client("a") as client:
            for begun in range(0, count, 1_000):
                chunk = tuple(stage.words.memories(1_000))
                await client.call("BulkStore", BulkStoreRequest(memories=chunk))
                if begun % 10_000 == 0:
                    stage.say(f"{begun:,} memories loaded")
        wanted = await _held(team, "a")
        await _until_held(team, "b", wanted)
        stage.say("the member that was away comes back")
        started = time.perf_counter()
        await team.start("c", snapshot_lag_ops="0")
        await _until_held(team, "c", wanted)
        caught_up_s = time.perf_counter() - started
        stage.say("a new machine joins")
        await team.start("d")
        joined_s, said = await team.join("d", "a")
        await _until_held(team, "d", wanted)
        same = len({await _digest(team, name) for name in "abcd"})
    return [
        Figure(
            f"catch-up of {count:,} ops by pull, with the node's start", caught_up_s, "s",
            CATCH_UP_S,
        ),
        Figure(f"join of a {count:,}-memory cluster, until it votes", joined_s, "s", JOIN_S),
        Figure("the same: snapshot", said.snapshot_bytes / 1e6, "MB"),
        Figure("different states among the four nodes", same, "state", 1, "exactly"),
    ]  # fmt: skip


async def _held(team: OwnTeam, name: str) -> dict[str, int]:
    status = await team.call(name, "NodeStatus", NodeStatusRequest())
    return {one.origin: one.have for one in status.origins}


async def _digest(team: OwnTeam, name: str) -> str:
    status = await team.call(name, "NodeStatus", NodeStatusRequest())
    return str(status.digest)


async def _until_held(team: OwnTeam, name: str, wanted: dict[str, int]) -> None:
    while True:
        held = await _held(team, name)
        if all(held.get(origin, 0) >= seq for origin, seq in wanted.items()):
            return
        await asyncio.sleep(POLL_S)


def _check(write: object) -> None:
    outcome = getattr(write, "outcome", None)
    if outcome is not Outcome.COMMITTED:
        raise RuntimeError(f"a store was not committed: {write}")
