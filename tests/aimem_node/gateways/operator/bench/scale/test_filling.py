"""Stores that are filled once and kept."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.values import BulkStoreResponse, StatsResponse
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.scale import filling
from aimem_node.gateways.operator.bench.scale.filling import Filled
from aimem_node.gateways.operator.bench.scale.sizes import memories
from aimem_node.gateways.operator.bench.words import Words

SAMPLE = conversation.load(conversation.SAMPLE)
FILLED = Filled(1_000, 1.0, 1_000.0, "composed", 2.0, "sample.json")


class ListNode:
    """Keeps memories, and fails when it has enough."""

    def __init__(self, enough: int = 10**9) -> None:
        self.kept: list[Any] = []
        self.enough = enough

    async def call(self, operation: str, request: Any) -> Any:
        if operation == "Stats":
            return StatsResponse(total=len(self.kept))
        if len(self.kept) >= self.enough:
            raise KeyboardInterrupt
        self.kept.extend(request.memories)
        return BulkStoreResponse()


def texts(node: Any, size: int) -> None:
    asyncio.run(filling._texts(node, size, SAMPLE, lambda _: None))


def test_a_filling_that_was_interrupted_goes_on_where_it_was() -> None:
    node = ListNode(enough=1_000)
    with pytest.raises(KeyboardInterrupt):
        texts(node, 2_500)
    assert len(node.kept) == 1_000
    node.enough = 10**9
    texts(node, 2_500)
    assert node.kept == list(memories(Words(SAMPLE), 2_500))
    texts(node, 2_500)
    assert len(node.kept) == 2_500


def test_only_a_store_that_is_whole_has_a_note(tmp_path: Path) -> None:
    assert filling.noted(tmp_path, 1_000) is None
    filling.home(tmp_path, 1_000).mkdir()
    filling.note(tmp_path, FILLED)
    assert filling.noted(tmp_path, 1_000) == FILLED
    (filling.home(tmp_path, 1_000) / filling.NOTE).write_text('{"size": 1')
    assert filling.noted(tmp_path, 1_000) is None


def test_a_kept_store_outlives_the_node_that_was_over_it(tmp_path: Path) -> None:
    store = tmp_path / "1000" / "store"
    with filling.KeptNode(store) as node:
        (node.data_dir / "aimem.db").write_bytes(b"kept")
        home = node.home
    assert (store / "aimem.db").read_bytes() == b"kept"
    assert not home.exists()
