"""Three nodes with seams: a liar among them, and what each writes down about itself."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aimem_node.contract.values import ListRequest, NodeStatusRequest, StoreRequest, WriteOptions
from aimem_node.gateways.demo.own_team import HOST, OwnTeam, free_port
from chaos.cluster import Machine

PATIENCE_S = 20.0
HERE = WriteOptions(allow_pending=True, deadline_ms=50)


class SeamedTeam(OwnTeam):
    """On this machine's loopback, whether or not it could be parted."""

    def __init__(self, parent: Path) -> None:
        super().__init__("n-", parent)
        self.evidence = parent / "evidence"

    def machine(self, name: str) -> Machine:
        found = self.nodes[name]
        assert isinstance(found, Machine)
        return found

    async def start(self, name: str, **more: str) -> None:
        if name not in self.nodes:
            self.nodes[name] = Machine(f"{name}-", self._parent, self.evidence)
            self.ports[name] = free_port()
        self.nodes[name].spawn(peer=f"{HOST}:{self.ports[name]}", name=name, **more)
        await self.nodes[name].answering()

    async def titles(self, name: str) -> set[str]:
        found = await self.call(name, "List", ListRequest(limit=100))
        return {one.title for one in found.memories}

    async def store(self, name: str, title: str, **more: Any) -> None:
        await self.call(name, "Store", StoreRequest(title=title, content=f"a {title}", **more))


async def until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not await true():
        assert time.monotonic() < ends, what
        await asyncio.sleep(0.05)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_a_liar_hands_on_is_refused_and_the_truth_is_taken_later(tmp_path: Path) -> None:
    asyncio.run(_liar(tmp_path))
    evidence = tmp_path / "evidence"
    _evidence(evidence)


async def _liar(home: Path) -> None:
    async with SeamedTeam(home) as team:
        await team.found("abc")
        await team.store("a", "known to all")
        team.machine("c").kill()
        await team.store("b", "told by b", options=HERE)

        async def has(name: str, title: str = "told by b") -> bool:
            return title in await team.titles(name)

        await until(lambda: has("a"), "a has what b said")
        team.machine("b").kill()
        liar = team.machine("a")
        liar.tell({"do": "forge", "on": True})
        await team.start("c")
        output = team.machine("c").home / "node.out"

        async def refused() -> bool:
            return "bad_sig" in output.read_text(encoding="utf-8")

        await until(refused, "c refuses it")
        assert not await has("c")
        assert liar.tell({"do": "forge", "on": False})["forged"] > 0
        await until(lambda: has("c"), "c takes the truth from the same mouth")
        await team.start("b")
        digests: set[str] = set()

        async def level() -> bool:
            stands = [await team.call(name, "NodeStatus", NodeStatusRequest()) for name in "abc"]
            digests.clear()
            digests.update(one.digest for one in stands)
            return len(digests) == 1

        await until(level, "all hold the same")
        for name in "abc":
            team.machine(name).stop()


def _evidence(evidence: Path) -> None:
    for name in "abc":
        notes = lines(evidence / f"acks.{name}.jsonl")
        confirmed = [one for one in notes if "seq" in one]
        served = [one for one in notes if "served" in one]
        assert {"Hello", "Live", "Bulk"} <= {one["what"] for one in served}
        assert all(one["epoch"] >= 1 and one["t_ns"] for one in served)
        highest: dict[tuple[str, str, str], int] = {}
        for one in confirmed:
            about = (one["to"], one["origin"], one["incarnation"])
            assert one["seq"] >= highest.get(about, 0)
            highest[about] = one["seq"]
        assert name == "b" or len({to for to, _, _ in highest}) == 2  # b was soon killed
        sent = json.loads((evidence / f"traffic.{name}.json").read_text(encoding="utf-8"))
        assert sent["messages"] > 0
        assert sent["bytes"] > sent["messages"]
