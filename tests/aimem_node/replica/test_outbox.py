"""What goes out to other members is the same whether it was in memory or in the file."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.replica.net import Nobody
from aimem_node.replica.recent import Travelling
from aimem_sync.cursor import Range
from aimem_sync.effects import SendAppend, SendPage
from aimem_sync.op import decode_op
from tests.harness import Harness


class Heard(Nobody):
    """Connections that note what they are given."""

    def __init__(self) -> None:
        self.appends: asyncio.Queue[Any] = asyncio.Queue()
        self.pages: asyncio.Queue[Any] = asyncio.Queue()

    def send_append(
        self, node_id: str, epoch: int, durable_upto: int, ops: list[bytes], beside: list[bytes]
    ) -> None:
        self.appends.put_nowait((node_id, ops, beside))

    def send_page(self, node_id: str, pull_id: int, ops: list[bytes], beside: list[bytes]) -> None:
        self.pages.put_nowait((node_id, pull_id, ops, beside))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Harness]:
    running = Harness(tmp_path)
    yield running
    running.stop()


def test_an_append_is_the_same_from_memory_and_from_the_file(node: Harness) -> None:
    for at in range(3):
        node.store(f"n{at}", options={"request_key": f"k{at}"})
    plane = node.core.plane
    effect = SendAppend("b", Range(plane.origin, 1, 3), 1, 0)

    async def sent() -> Any:
        net = Heard()
        plane.outbox.append(net, effect)
        return await asyncio.wait_for(net.appends.get(), 20)

    _, from_file, beside = node.run(sent())
    assert [decode_op(one).seq for one in from_file] == [1, 2, 3]
    assert len(beside) == 3
    for at, encoded in enumerate(from_file):
        plane.recent.add(Travelling(at + 1, encoded, beside[at]))
    assert node.run(sent()) == ("b", from_file, beside)


def test_a_page_holds_what_of_the_ranges_is_here_and_may_be_empty(node: Harness) -> None:
    node.store("n")
    plane = node.core.plane

    async def sent(first: int, last: int) -> Any:
        net = Heard()
        plane.outbox.page(net, SendPage("b", 7, (Range(plane.origin, first, last),)))
        return await asyncio.wait_for(net.pages.get(), 20)

    assert len(node.run(sent(1, 1))[2]) == 1
    assert node.run(sent(2, 9)) == ("b", 7, [], [])


def test_who_asks_while_a_snapshot_is_made_gets_the_same(node: Harness) -> None:
    node.store("n")

    async def both() -> Any:
        outbox = node.core.plane.outbox
        return await asyncio.gather(outbox.snapshot_file("b"), outbox.snapshot_file("c"))

    one, other = node.run(both())
    assert one is other
    assert one.path.stat().st_size == one.bytes
