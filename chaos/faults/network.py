"""What the network between nodes does: it parts them, loses packets, dawdles, hides ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from chaos.faults.stage import NETWORK, Blow, Stage, fault_class
from chaos.net import Rule, shapes

Pairs = Sequence[tuple[str, str]]
SILENT = Rule(drop=True)
STRUCK_S = 40.0
"""Members send a beat twice a second, but one that a second fault holds still (30 s at most) sends
none: a rule that has met no packet by then meets none."""
SMALL_BYTES = 120
"""Room for an acknowledgement or a ping under TLS, and for no op."""


async def _broken(stage: Stage, blow: Blow, pairs: Pairs, rule: Rule, counted: str) -> None:
    """Let a rule hold between these pairs for a while, and until it has struck a packet; the
    router's own count is the proof."""
    before = (await stage.cluster.passed()).get(counted, 0)
    await stage.cluster.rule(pairs, rule)
    try:
        blow.note(held_s=round(await stage.hold(0.5, 8.0), 3), pairs=[f"{a}>{b}" for a, b in pairs])
        ends = time.monotonic() + STRUCK_S
        after = before
        while after == before and time.monotonic() < ends:
            after = (await stage.cluster.passed()).get(counted, 0)
            await asyncio.sleep(0.05)
    finally:
        await stage.cluster.net.clear()
    blow.proof(**{counted: after - before})


@fault_class(
    "partition-one", "One node is cut off from all others; every packet vanishes.",
    "The others go on; the one that was away catches up and loses nothing it answered.",
    needs=NETWORK,
)  # fmt: skip
async def partition_one(stage: Stage) -> None:
    [alone] = stage.pick()
    async with stage.struck("partition-one", [alone]) as blow:
        pairs = shapes.one_off(stage.cluster.names, alone)
        await _broken(stage, blow, pairs, SILENT, "dropped")


@fault_class(
    "partition-halves", "The nodes fall into two groups that cannot talk.",
    "Only the group with W members confirms; both agree again afterwards.", needs=NETWORK,
)  # fmt: skip
async def partition_halves(stage: Stage) -> None:
    few = stage.pick(max(1, stage.minority))
    rest = [name for name in stage.cluster.names if name not in few]
    async with stage.struck("partition-halves", few) as blow:
        await _broken(stage, blow, shapes.parted([few, rest]), SILENT, "dropped")


@fault_class(
    "partition-ring", "Each node reaches its two neighbours and nobody else.",
    "What no two nodes can tell each other directly travels over others, unaltered.",
    needs=NETWORK,
)  # fmt: skip
async def partition_ring(stage: Stage) -> None:
    ring = stage.pick(len(stage.cluster.names))
    async with stage.struck("partition-ring", ring) as blow:
        await _broken(stage, blow, shapes.ring(ring), SILENT, "dropped")


@fault_class(
    "partition-one-way", "One node can send and not hear, or hear and not send.",
    "A half-deaf node counts for nothing it cannot confirm, and is whole afterwards.",
    needs=NETWORK,
)  # fmt: skip
async def partition_one_way(stage: Stage) -> None:
    [alone] = stage.pick()
    deaf = stage.chance.random() < 0.5
    async with stage.struck("partition-one-way", [alone]) as blow:
        blow.note(way="hears nothing" if deaf else "is not heard")
        pairs = shapes.one_way(stage.cluster.names, alone, deaf=deaf)
        await _broken(stage, blow, pairs, SILENT, "dropped")


@fault_class(
    "drop", "Nobody reaches anybody: all packets between nodes vanish.",
    "Every write says pending or not written, and none is lost or doubled.", needs=NETWORK,
)  # fmt: skip
async def drop(stage: Stage) -> None:
    names = stage.cluster.names
    async with stage.struck("drop", names) as blow:
        await _broken(stage, blow, shapes.every(names), SILENT, "dropped")


@fault_class(
    "reset", "Every connection of one node is reset, and every new one too.",
    "A refused connection is no different from a silent one, only faster.", needs=NETWORK,
)  # fmt: skip
async def reset(stage: Stage) -> None:
    [alone] = stage.pick()
    async with stage.struck("reset", [alone]) as blow:
        pairs = shapes.one_off(stage.cluster.names, alone)
        await _broken(stage, blow, pairs, Rule(reset=True), "reset")


@fault_class(
    "loss", "A share of all packets is lost, some come twice or out of order.",
    "TCP mends it; nothing above it may take part of a message for all of it.", needs=NETWORK,
)  # fmt: skip
async def loss(stage: Stage) -> None:
    names = stage.cluster.names
    share = stage.chance.uniform(0.02, 0.25)
    async with stage.struck("loss", names) as blow:
        blow.note(share=round(share, 3))
        rule = Rule(loss=share, duplicate=0.05, reorder=0.1, delay_ms=5)
        await _broken(stage, blow, shapes.every(names), rule, "dropped")


@fault_class(
    "slow-link", "Packets of one node come late, by varying times, through a narrow link.",
    "Confirmations that come late count when they come, and once.", needs=NETWORK,
)  # fmt: skip
async def slow_link(stage: Stage) -> None:
    [far] = stage.pick()
    delay = stage.chance.choice([20, 80, 300])
    async with stage.struck("slow-link", [far]) as blow:
        blow.note(delay_ms=delay)
        pairs = shapes.one_off(stage.cluster.names, far)
        rule = Rule(delay_ms=delay, jitter_ms=delay // 2, rate_kbit=4_000)
        await _broken(stage, blow, pairs, rule, "delayed")


@fault_class(
    "stalled-link", "Small packets pass and large ones vanish: it connects, and nothing moves.",
    "A link that answers pings and moves no data holds up nobody but itself.", needs=NETWORK,
)  # fmt: skip
async def stalled_link(stage: Stage) -> None:
    [stalled] = stage.pick()
    async with stage.struck("stalled-link", [stalled]) as blow:
        pairs = shapes.one_off(stage.cluster.names, stalled)
        await _broken(stage, blow, pairs, Rule(larger_than=SMALL_BYTES), "dropped")


@fault_class(
    "half-open", "A machine vanishes without a goodbye and is back while others think it is there.",
    "Connections to a machine that knows nothing of them are noticed and made anew.",
    needs=NETWORK,
)  # fmt: skip
async def half_open(stage: Stage) -> None:
    [gone] = stage.pick()
    async with stage.struck("half-open", [gone]) as blow:
        before = (await stage.cluster.passed()).get("dropped", 0)
        await stage.cluster.rule(shapes.one_off(stage.cluster.names, gone), SILENT)
        stage.cluster.kill(gone)
        await stage.hold(0.2, 2.0)
        await stage.cluster.start(gone)
        dropped = (await stage.cluster.passed()).get("dropped", 0) - before
        await stage.cluster.net.clear()
        blow.proof(dropped=dropped)
