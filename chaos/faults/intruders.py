"""Somebody who does not belong, or who lies about what others said."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from aimem_node.replica.identity import identity_dir
from chaos.faults.members import evicted, join
from chaos.faults.stage import NETWORK, NotInjected, Stage, fault_class
from chaos.net import Rule, shapes

STRANGER = "x"
ASK_S = 60.0
CERTIFICATE = "node.crt"


async def _knock(stage: Stage, home: Path, claimed: str, at: list[str]) -> dict[str, Any]:
    """Let somebody with the key in `home` dial these members, claiming to be a certain one."""
    cluster = stage.cluster
    await asyncio.to_thread(cluster.net.add, STRANGER)
    targets = [
        f"{name}={cluster.net.address(name)}:{cluster.ports[name]}="
        f"{Path(identity_dir(str(cluster.machines[name].data_dir))) / CERTIFICATE}"
        for name in at
    ]
    cluster_id = (await cluster.status(at[0])).cluster_id
    argv = [
        sys.executable, "-m", "chaos.intruder", "--home", str(home), "--claims", claimed,
        "--cluster", cluster_id, *targets,
    ]  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run, list(cluster.net.command(STRANGER, argv)), capture_output=True, text=True,
        timeout=ASK_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NotInjected(f"the intruder could not be sent: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _let_in(found: dict[str, Any]) -> list[str]:
    """Where an intruder was answered."""
    return [f"{name} {way}" for name, ways in found.items() for way, why in ways.items() if not why]


@fault_class(
    "wrong-key", "A stranger dials every member with a key nobody pinned, and a member's name.",
    "Nobody without a pinned key is answered anything.",
)  # fmt: skip
async def wrong_key(stage: Stage) -> None:
    members = stage.cluster.up
    async with stage.struck("wrong-key", members) as blow:
        posing = (await stage.cluster.node_status(stage.chance.choice(members))).node_id
        home = stage.cluster.root / "stranger"
        found = await _knock(stage, home, posing, members)
        blow.proof(asked=sum(map(len, found.values())))
        blow.note(said=found)
        stage.let_in += _let_in(found)


@fault_class(
    "revoked-key", "A member is evicted and dials the others again with its old key.",
    "A revoked key opens nothing, however well the rest of what it says fits.", alone=True,
)  # fmt: skip
async def revoked_key(stage: Stage) -> None:
    [gone] = stage.pick()
    async with stage.struck("revoked-key", [gone]) as blow:
        claimed = (await stage.cluster.node_status(gone)).node_id
        machine = stage.cluster.machines[gone]
        stage.workload.drop(gone)
        await evicted(stage, gone)
        others = [name for name in stage.cluster.up if name != gone]
        await stage.cluster.forget(gone)
        found = await _knock(stage, machine.data_dir, claimed, others)
        blow.proof(asked=sum(map(len, found.values())))
        blow.note(said=found)
        stage.let_in += _let_in(found)
        blow.note(**{f"in place of {gone}": await join(stage)})


@fault_class(
    "forged-op", "A member that stands between two others alters what it hands on from one.",
    "What a member signed is taken as it signed it, or not at all.", needs=NETWORK,
)  # fmt: skip
async def forged_op(stage: Stage) -> None:
    liar, source, target = stage.pick(3)
    names = stage.cluster.names
    async with stage.struck("forged-op", [liar]) as blow:
        machine = stage.cluster.machines[liar]
        machine.tell({"do": "forge", "on": True})
        around = [pair for pair in shapes.one_off(names, target) if liar not in pair]
        await stage.cluster.rule(around, Rule(drop=True))
        blow.note(between=[source, target], held_s=round(await stage.hold(2.0, 6.0), 3))
        forged = machine.tell({"do": "forge", "on": False}).get("forged", 0)
        await stage.cluster.net.clear()
        blow.proof(forged=forged)
