"""What a fault is given to work with, and how it says what it did.

A fault that is asked for is injected or the run fails: each of them ends with a proof taken from
where it struck (packets the router dropped, an exit code, an error that a client was told), and
a proof of nothing raises. So no run can pass because its faults did not happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from aimem_node.contract.errors import Failure
from chaos.cluster import Build, Cluster
from chaos.history import Recorder
from chaos.workload import Workload

PLAIN: Final = Build()
ANY: Final[frozenset[str]] = frozenset()
NETWORK: Final = frozenset({"network"})
"""Needs namespaces, and so root."""


class NotInjected(Exception):  # noqa: N818 - it says what happened
    """A fault was asked for and did not strike."""


@dataclass(slots=True)
class Blow:
    """One fault while it lasts."""

    fault: str
    nodes: tuple[str, ...]
    detail: dict[str, Any] = field(default_factory=dict)

    def proof(self, **found: Any) -> None:
        """What shows that it struck. NotInjected if anything of it is nothing."""
        self.detail |= found
        for name, value in found.items():
            if not value:
                raise NotInjected(f"{self.fault} at {', '.join(self.nodes)}: {name} is {value!r}")

    def note(self, **said: Any) -> None:
        """Worth knowing, and no proof."""
        self.detail |= said


@dataclass(slots=True)
class Stage:
    """One cluster with clients, to be struck again and again."""

    cluster: Cluster
    recorder: Recorder
    workload: Workload
    chance: random.Random
    hold_s_max: float
    "No fault lasts longer, however long it might."
    let_in: list[str] = field(default_factory=list)
    "Where somebody was answered who does not belong."
    serial: int = 0
    "Counts machines that joined later, so that each has a name of its own."

    @contextlib.asynccontextmanager
    async def struck(self, fault: str, nodes: Sequence[str] = ()) -> AsyncIterator[Blow]:
        """Note when a fault begins and when it has been taken away."""
        blow = Blow(fault, tuple(nodes))
        self.recorder.fault(fault, "begin", blow.nodes)
        began = time.monotonic()
        yield blow
        blow.note(seconds=round(time.monotonic() - began, 3))
        self.recorder.fault(fault, "end", blow.nodes, **blow.detail)

    async def hold(self, least_s: float, most_s: float) -> float:
        """Let a fault last, for a time drawn evenly on a logarithmic scale."""
        most_s = min(most_s, self.hold_s_max)
        least_s = min(least_s, most_s)
        seconds: float = least_s * (most_s / least_s) ** self.chance.random()
        await asyncio.sleep(seconds)
        return seconds

    def pick(self, count: int = 1) -> list[str]:
        """Some nodes, drawn."""
        return self.chance.sample(self.cluster.names, count)

    def some(self, least: int, most: int) -> list[str]:
        """Between so many and so many of them."""
        return self.pick(self.chance.randint(least, min(most, len(self.cluster.names))))

    @property
    def minority(self) -> int:
        """How many may be lost for good at once: W-1."""
        return (len(self.cluster.names) - 1) // 2

    async def healed(self, fault: str) -> tuple[float, float]:
        """Wait until every node confirms writes again and holds what any held when that was so; the
        seconds to both. NodeError if it never comes."""
        began = time.monotonic()
        await self.cluster.until(self._all_write, f"every node confirms a write after {fault}")
        self.recorder.fault(fault, "healed")
        healed_s = time.monotonic() - began
        target = await self._union()
        await self.cluster.until(
            lambda: self._all_reach(target), f"every node has caught up after {fault}"
        )
        self.recorder.fault(fault, "level")
        return healed_s, time.monotonic() - began

    async def _all_write(self) -> bool:
        found = await asyncio.gather(*(self.cluster.probe(name) for name in self.cluster.names))
        return all(found)

    async def _haves(self) -> list[dict[str, int]]:
        stands = await asyncio.gather(*(self.cluster.standing(n) for n in self.cluster.names))
        return [{o: have for o, (have, _) in json.loads(one).items()} for one, _ in stands]

    async def _union(self) -> dict[str, int]:
        most: dict[str, int] = {}
        for have in await self._haves():
            for origin, seq in have.items():
                most[origin] = max(seq, most.get(origin, 0))
        return most

    async def _all_reach(self, target: dict[str, int]) -> bool:
        try:
            haves = await self._haves()
        except Failure:
            return False
        return all(have.get(o, 0) >= seq for have in haves for o, seq in target.items())


Play: TypeAlias = Callable[[Stage], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class FaultClass:
    """One way to break a cluster."""

    name: str
    what: str
    "What is done, in a sentence."
    proves: str
    "What holds if the run holds."
    play: Play
    "Strike, hold, take away. Does not wait for the cluster to heal."
    needs: frozenset[str] = ANY
    build: Build = PLAIN
    disk_mib: int = 0
    "Real small disks under the nodes, in MiB; 0 for the usual ones."
    alone: bool = False
    "Whether it must not be combined with another fault."


CLASSES: dict[str, FaultClass] = {}


def fault_class(name: str, what: str, proves: str, **more: Any) -> Callable[[Play], Play]:
    """Put a function into the list of classes."""

    def register(play: Play) -> Play:
        assert name not in CLASSES, name
        CLASSES[name] = FaultClass(name, what, proves, play, **more)
        return play

    return register
