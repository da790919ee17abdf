"""Measure one size, on a copy of its store."""

import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.values import (
    BulkStoreRequest,
    GetTaxonomyRequest,
    RecallRequest,
    StatsRequest,
)
from aimem_node.gateways.demo.own_node import OwnNode
from aimem_node.gateways.operator.bench import standing
from aimem_node.gateways.operator.bench.calls import WARM_UPS, goal_of, waits
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.scale import filling
from aimem_node.gateways.operator.bench.scale.sizes import (
    ALONE,
    ALONE_MEMORY,
    ALONE_QUESTIONS,
    PROJECTS,
    PROJECTS_PER_TEAM,
    Goals,
    project,
)
from aimem_node.gateways.operator.bench.standing import Say
from aimem_node.gateways.operator.bench.words import Words

RECALLS = 200
STORES = 300
BULKS, BULK_ITEMS = 8, 250
LONE_ROUNDS = 5
RESTARTS = 3
INDEX_POLL_S = 0.02
SINGLE, BULK = "bench/single", "bench/bulk"
MB = 1_000_000

Asked = Sequence[tuple[str, str | None]]
"""Texts and the namespace that each is asked in; None is everywhere."""


@dataclass(slots=True)
class Subject:
    """One node over a copy of the store of one size."""

    node: OwnNode
    size: int
    words: Words
    embedder: str
    say: Say

    @property
    def by_meaning(self) -> bool:
        """Whether there are vectors to ask."""
        return self.embedder != "off"

    @property
    def ways(self) -> tuple[str, ...]:
        """How to ask it."""
        return ("keyword", "hybrid") if self.by_meaning else ("keyword",)

    @asynccontextmanager
    async def running(self, *, warm: bool) -> AsyncIterator[GrpcClient]:
        """The node answering; with its model in memory when it is to be warm."""
        await standing.begin(self.node, self.embedder)
        async with standing.client_of(self.node) as client:
            if self.by_meaning:
                await standing.until_index(client, INDEX_POLL_S)
                if warm:
                    await standing.until_meaning(client)
            yield client
        standing.end(self.node)


async def measure(keep: Path, size: int, words: Words, embedder: str, say: Say) -> list[Figure]:
    """Everything about one size, in the order of the table. The kept store stays as it is."""
    with OwnNode("aimem-scale-", keep) as node:
        say(f"{size:,}: copying the store")
        shutil.copytree(filling.home(keep, size) / filling.STORE, node.data_dir)
        subject = Subject(node, size, words, embedder, say)
        figures = disk(subject)
        figures += await restarting(subject)
        async with subject.running(warm=True) as client:
            figures.append(resident(subject, "before the first question"))
            figures += await recalling(subject, client)
            figures += await alone(subject, client)
            figures += await counting(subject, client)
            figures.append(resident(subject, "after all questions"))
        async with subject.running(warm=False) as client:
            figures += await storing(subject, client)
    return figures


def disk(subject: Subject) -> list[Figure]:
    """What the files take: the database with its log, the index of the vectors."""
    files = [path for path in subject.node.data_dir.rglob("*") if path.is_file()]
    kinds: Sequence[tuple[str, Callable[[Path], bool]]] = (
        ("database", lambda path: path.name.startswith("aimem.db")),
        ("index of the vectors", lambda path: path.suffix == ".usearch"),
    )
    return [
        Figure(f"disk: {name}", sum(one.stat().st_size for one in files if fits(one)) / MB, "MB")
        for name, fits in kinds
    ]


def resident(subject: Subject, when: str) -> Figure:
    """Memory of the node's process."""
    return Figure(f"resident memory {when}", subject.node.resident_bytes() / MB, "MB")


async def restarting(subject: Subject) -> list[Figure]:
    """Start it again and again, until it answers and its index is ready."""
    subject.say(f"{subject.size:,}: restarts")
    ready = []
    for _ in range(RESTARTS):
        began = time.monotonic()
        async with subject.running(warm=False):
            ready.append(time.monotonic() - began)
    goal = Goals.of(subject.size).restart_s
    return [Figure(f"restart to ready, slowest of {RESTARTS}", max(ready), "s", goal)]


async def recalling(subject: Subject, client: GrpcClient) -> list[Figure]:
    """Questions and frequent words, everywhere and in a part of the store, in each way."""
    goal = Goals.of(subject.size).recall_p95_ms
    figures = []
    words_alone = 0
    for kind, asked in kinds(subject.words):
        for way in subject.ways:
            subject.say(f"{subject.size:,}: {way}, {kind}")
            counting = Counting(client)
            requests = [
                RecallRequest(context=text, namespace=place, mode=way, rerank="off")
                for text, place in asked
            ]
            waited = await waits(counting, "Recall", requests)  # type: ignore[arg-type]
            words_alone += counting.words_alone if way == "hybrid" else 0
            figures.append(timed(f"recall {way}, {kind}", waited, goal))
    if subject.by_meaning:
        what = "hybrid recalls answered by words alone"
        figures.append(Figure(what, words_alone, "", 0, "exactly"))
    return figures


def kinds(words: Words) -> Sequence[tuple[str, Asked]]:
    """What is asked, with where. No two questions are the same, so that no answer is kept."""
    count = RECALLS + WARM_UPS
    teams = PROJECTS // PROJECTS_PER_TEAM
    projects = [project(at % PROJECTS) for at in range(count)]
    tenths = [f"bench/team-{at % teams}/*" for at in range(count)]
    return (
        ("questions, everywhere", [(one, None) for one in words.new_questions(count)]),
        ("questions, in 10 %", [*zip(words.new_questions(count), tenths, strict=True)]),
        ("questions, in 1 %", [*zip(words.new_questions(count), projects, strict=True)]),
        ("frequent words, everywhere", [(one, None) for one in words.frequent_queries(count)]),
        ("frequent words, in 1 %", [*zip(words.frequent_queries(count), projects, strict=True)]),
    )


class Counting:
    """A client that counts the answers that came without meaning."""

    def __init__(self, client: GrpcClient) -> None:
        self._client = client
        self.words_alone = 0

    async def call(self, operation: str, request: RecallRequest) -> None:
        """Ask, and look at nothing but the mode of the answer."""
        answer = await self._client.call(operation, request)
        self.words_alone += answer.mode == "keyword"


async def alone(subject: Subject, client: GrpcClient) -> list[Figure]:
    """The namespace with a single memory: it comes first whatever else there is."""
    figures = []
    count = len(ALONE_QUESTIONS)
    for way in subject.ways:
        first, waited = 0, []
        for text in ALONE_QUESTIONS * LONE_ROUNDS:
            began = time.perf_counter()
            request = RecallRequest(context=text, namespace=ALONE, mode=way, rerank="off")
            answer = await client.call("Recall", request)
            waited.append((time.perf_counter() - began) * 1000)
            first += bool(answer.memories) and answer.memories[0].title == ALONE_MEMORY.title
        what = f"recall {way}, where one memory is"
        found = first / LONE_ROUNDS
        figures.append(timed(what, waited, Goals.of(subject.size).recall_p95_ms))
        figures.append(Figure(f"{what}: found first, of {count}", found, "", count, "exactly"))
    return figures


async def counting(subject: Subject, client: GrpcClient) -> list[Figure]:
    """What dashboards ask: the tree of namespaces and the statistics."""
    figures = []
    for operation, request in (("GetTaxonomy", GetTaxonomyRequest()), ("Stats", StatsRequest())):
        waited = await waits(client, operation, [request] * (RECALLS // 4 + WARM_UPS))
        name = {"GetTaxonomy": "taxonomy", "Stats": "stats"}[operation]
        goal = goal_of(operation) if subject.size <= PROMISED_COUNTS else None
        figures.append(timed(f"{name}, {PROJECTS + 1} namespaces", waited, goal))
    return figures


PROMISED_COUNTS = 100_000
"""The budgets of operations are declared for this many memories."""


async def storing(subject: Subject, client: GrpcClient) -> list[Figure]:
    """Single stores, then many at once; their vectors are being made meanwhile."""
    subject.say(f"{subject.size:,}: stores")
    singles = subject.words.memories(STORES + WARM_UPS, SINGLE)
    waited = await waits(client, "Store", singles)
    batches = [tuple(subject.words.memories(BULK_ITEMS, BULK)) for _ in range(BULKS)]
    began = time.perf_counter()
    for memories in batches:
        await client.call("BulkStore", BulkStoreRequest(memories=memories))
    per_s = BULKS * BULK_ITEMS / (time.perf_counter() - began)
    return [
        timed("store, one at a time", waited, goal_of("Store")),
        Figure(f"stores, {BULK_ITEMS} a call", per_s, "stores/s"),
    ]
