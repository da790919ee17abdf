"""What happens to the list of members while clients write: machines come, go, and change keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aimem_node.contract.errors import Failure
from aimem_node.contract.values import EvictRequest, LeaveRequest, RotateKeyRequest
from aimem_node.gateways.demo.own_node import NodeError
from chaos.faults.stage import Stage, fault_class

PATIENCE_S = 30.0


async def join(stage: Stage) -> str:
    """A new machine joins by invite, and gets clients; its name."""
    stage.serial += 1
    name = f"n{stage.serial}"
    sponsor = stage.chance.choice(stage.cluster.up)
    await stage.cluster.start(name)
    await stage.cluster.join(name, sponsor)
    stage.workload.add(stage.cluster.endpoint(name))
    return name


async def replace(stage: Stage, gone: str) -> str:
    """Evict a machine that is no more, and let a new one take its place; its name."""
    await evicted(stage, gone)
    await stage.cluster.forget(gone)
    return await join(stage)


async def evicted(stage: Stage, gone: str) -> None:
    """Have the others decide that a machine belongs to them no longer."""
    others = [name for name in stage.cluster.up if name != gone]
    await tried(
        lambda: stage.cluster.call(stage.chance.choice(others), "Evict", EvictRequest(node=gone)),
        f"the others evict {gone}",
    )


async def tried(do: Callable[[], Awaitable[Any]], what: str) -> None:
    """Do something that may be refused for the moment, as when two decrees meet."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            await do()
        except Failure as failure:
            if time.monotonic() > ends:
                raise NodeError(f"it never came to this: {what}: {failure}") from failure
            await asyncio.sleep(0.2)
        else:
            return


@fault_class(
    "join-leave", "A machine joins while clients write, works for a while, and leaves.",
    "Who comes gets all, who goes takes nothing along, and W is never counted wrongly.",
    alone=True,
)  # fmt: skip
async def join_leave(stage: Stage) -> None:
    async with stage.struck("join-leave") as blow:
        epoch = (await stage.cluster.status(stage.cluster.up[0])).epoch
        name = await join(stage)
        blow.nodes = (name,)
        await stage.hold(0.5, 3.0)
        await stage.workload.gone(name)
        await tried(lambda: stage.cluster.call(name, "Leave", LeaveRequest()), f"{name} leaves")
        await stage.cluster.forget(name)
        after = (await stage.cluster.status(stage.cluster.up[0])).epoch
        blow.proof(epochs=after - epoch)


@fault_class(
    "evict", "A member that runs and works is evicted; a new machine takes its place.",
    "An evicted member is told nothing more and confirms nothing more, within a second.",
    alone=True,
)  # fmt: skip
async def evict(stage: Stage) -> None:
    [gone] = stage.pick()
    async with stage.struck("evict", [gone]) as blow:
        epoch = (await stage.cluster.status(gone)).epoch
        stage.workload.drop(gone)
        await evicted(stage, gone)
        others = [name for name in stage.cluster.up if name != gone]
        after = max([(await stage.cluster.status(name)).epoch for name in others])
        blow.proof(epochs=after - epoch)
        await stage.cluster.forget(gone)
        blow.note(**{f"in place of {gone}": await join(stage)})


@fault_class(
    "rotate", "A member changes its key while clients write.",
    "The new key is pinned before the old one goes; nobody is locked out or let in.",
    alone=True,
)  # fmt: skip
async def rotate(stage: Stage) -> None:
    [name] = stage.pick()
    async with stage.struck("rotate", [name]) as blow:
        before = (await stage.cluster.node_status(name)).fingerprint
        await tried(
            lambda: stage.cluster.call(name, "RotateKey", RotateKeyRequest()),
            f"{name} has a new key",
        )
        after = (await stage.cluster.node_status(name)).fingerprint
        blow.proof(changed=before != after)
