"""Two things at once: the network does one while a process or a disk does another."""

from __future__ import annotations

import asyncio
from typing import Final

from chaos.cluster import Build
from chaos.faults.stage import CLASSES, NETWORK, Stage, fault_class

ON_THE_WIRE: Final = (
    "partition-one", "partition-halves", "partition-ring", "partition-one-way", "drop", "reset",
    "loss", "slow-link", "stalled-link",
)  # fmt: skip
AT_A_NODE: Final = ("kill", "power-cut", "pause", "clock-jump", "clock-drift", "slow-disk")


@fault_class(
    "combined", "One fault of the network and one of a process, clock or disk, both drawn.",
    "What holds under each fault holds under both.", needs=NETWORK, build=Build(disk=True),
    alone=True,
)  # fmt: skip
async def combined(stage: Stage) -> None:
    one, other = stage.chance.choice(ON_THE_WIRE), stage.chance.choice(AT_A_NODE)
    async with stage.struck("combined") as blow:
        blow.proof(both=[one, other])
        async with asyncio.TaskGroup() as together:
            together.create_task(CLASSES[one].play(stage))
            together.create_task(CLASSES[other].play(stage))
