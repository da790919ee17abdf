"""A cluster whose clients never rest."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimem_node.contract.errors import Failure
from chaos.team import Team


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Team]:
    """Two voters at which somebody writes all the time, and c, which runs alone."""
    team = Team(tmp_path, 2, spare=1)
    writers: list[asyncio.Task[None]] = []

    async def write(name: str) -> None:
        for at in range(1_000_000):
            with contextlib.suppress(Failure):
                await team.acall(name, "Store", title=f"{name} {at}", content="on and on")
            await asyncio.sleep(0.01)  # the three share one processor with whoever writes

    async def begin() -> None:
        writers.extend(asyncio.create_task(write(name)) for name in "ab")

    async def end() -> None:
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)

    try:
        team.until_in_sync("a", 2)
        team.start("c")
        team.run(begin())
        yield team
    finally:
        team.run(end())
        team.close()


def test_a_machine_that_joins_a_cluster_at_work_comes_to_vote(busy: Team) -> None:
    busy.join("c", "a")
    assert busy.ids["c"] in busy.config("b").voters
