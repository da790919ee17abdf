"""Filling a node, with a node that only counts."""

import asyncio
from typing import Any

from aimem_node.contract.values import BulkStoreResponse
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.stage import BULK_ITEMS, Stage
from aimem_node.gateways.operator.bench.words import Words


class CountingClient:
    """Takes chunks and gives an id for each memory."""

    def __init__(self) -> None:
        self.chunks: list[int] = []

    async def __aenter__(self) -> "CountingClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def call(self, operation: str, request: Any) -> BulkStoreResponse:
        assert operation == "BulkStore"
        self.chunks.append(len(request.memories))
        ids = tuple(f"{len(self.chunks)}-{number}" for number in range(len(request.memories)))
        return BulkStoreResponse(ids=ids)


class CountingStage(Stage):
    def __init__(self, client: CountingClient) -> None:
        words = Words(conversation.load(conversation.SAMPLE))
        super().__init__(None, words, quick=True, say=lambda _: None)
        self._client = client

    def ready(self) -> None:
        """There is no process to start."""

    def client(self) -> CountingClient:
        return self._client


def test_a_node_is_filled_in_chunks_to_exactly_what_is_needed_and_never_emptied() -> None:
    client = CountingClient()
    stage = CountingStage(client)
    asyncio.run(stage.fill(BULK_ITEMS + 500))
    assert client.chunks == [BULK_ITEMS, 500]
    asyncio.run(stage.fill(BULK_ITEMS))
    assert client.chunks == [BULK_ITEMS, 500]
    assert len(set(stage.ids)) == BULK_ITEMS + 500


def test_a_quick_look_takes_fewer_runs() -> None:
    assert CountingStage(CountingClient()).runs(1000, 200) == 200
