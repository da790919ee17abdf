"""What a disk does: it fills up, fails a sync, dawdles, goes back in time, or is gone."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path

from aimem_node.clocks import SystemClock
from aimem_node.contract.values import BackupRequest
from aimem_node.store.backup import restore
from chaos.cluster import Build
from chaos.faults.members import replace
from chaos.faults.stage import Stage, fault_class

DISK_MIB = 96
EXIT_LATCHED = 70
END_PATIENCE_S = 15.0
PIECE = bytes(1 << 16)
FILLER = "filler"


@fault_class(
    "disk-full", "The disk of one node fills up to the last byte, and is freed later.",
    "A full disk refuses in words, keeps what it has, and goes on once there is room.",
    disk_mib=DISK_MIB, needs=frozenset({"mount"}), alone=True,
)  # fmt: skip
async def disk_full(stage: Stage) -> None:
    [full] = stage.pick()
    place = stage.cluster.machines[full].data_dir
    async with stage.struck("disk-full", [full]) as blow:
        filled = await asyncio.to_thread(_fill, place / FILLER)
        blow.note(held_s=round(await stage.hold(1.0, 5.0), 3), filled_bytes=filled)
        free = os.statvfs(place).f_bavail
        (place / FILLER).unlink()
        blow.proof(filled=filled > 0, full=free < 64)
        await back_up_if_ended(stage, full)


def _fill(path: Path) -> int:
    """Write until there is no room; how much that was."""
    with path.open("wb", buffering=0) as file:
        for piece in (PIECE, PIECE[:512]):
            try:
                while file.write(piece) == len(piece):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        return file.tell()


async def back_up_if_ended(stage: Stage, name: str) -> None:
    """Start a node again that has latched and left, as whoever looks after it would."""
    machine = stage.cluster.machines[name]
    if not machine.running:
        await stage.cluster.start(name)


@fault_class(
    "fsync-error", "A disk answers an fsync with an I/O error.",
    "The node confirms nothing after it, ends, and is opened anew from what is really there.",
    build=Build(disk=True),
)  # fmt: skip
async def fsync_error(stage: Stage) -> None:
    [bad] = stage.pick()
    machine = stage.cluster.machines[bad]
    async with stage.struck("fsync-error", [bad]) as blow:
        machine.tell({"do": "disk", "sync": "eio"})
        why_not = f"{bad} does not end although its disk cannot be synced"
        blow.proof(latched=await machine.ended(END_PATIENCE_S, why_not) == EXIT_LATCHED)
        await stage.cluster.start(bad)


@fault_class(
    "slow-disk", "Every sync of some nodes takes up to half a second longer.",
    "A slow disk slows down who waits for it, and makes nobody believe it was quick.",
    build=Build(disk=True),
)  # fmt: skip
async def slow_disk(stage: Stage) -> None:
    slow = stage.some(1, len(stage.cluster.names))
    delay_ms = stage.chance.choice([20, 100, 500])
    async with stage.struck("slow-disk", slow) as blow:
        for name in slow:
            stage.cluster.machines[name].tell({"do": "disk", "delay_ms": delay_ms})
        await stage.hold(1.0, 6.0)
        delayed = [
            stage.cluster.machines[name].tell({"do": "disk", "delay_ms": 0}).get("delayed", 0)
            for name in slow
        ]
        blow.note(delay_ms=delay_ms)
        blow.proof(delayed=sum(delayed))


@fault_class(
    "old-backup", "A node is put back to an older backup, or its disk to an older image.",
    "It says nothing under its old name that it has said before, and gets back what it lost.",
    alone=True,
)  # fmt: skip
async def old_backup(stage: Stage) -> None:
    [old] = stage.pick()
    machine = stage.cluster.machines[old]
    image = stage.chance.random() < 0.5
    kept = stage.cluster.root / f"image-{old}"
    async with stage.struck("old-backup", [old]) as blow:
        blow.note(what="image" if image else "backup")
        if image:
            machine.stop()
            await asyncio.to_thread(shutil.copytree, machine.data_dir, kept)
            await stage.cluster.start(old)
        else:
            asked = BackupRequest(to=str(kept))
            snapshot = Path((await stage.cluster.call(old, "Backup", asked)).path)
        before = await _ops(stage, old)
        await stage.cluster.until(lambda: stage.cluster.probe(old), f"{old} takes part again")
        await stage.hold(1.0, 3.0)
        blow.proof(ops_to_lose=await _ops(stage, old) - before)
        machine.kill()
        if image:
            stage.cluster.destroy(old)
            await asyncio.to_thread(shutil.copytree, kept, machine.data_dir, dirs_exist_ok=True)
        else:
            now_us = SystemClock().now_us()
            await asyncio.to_thread(restore, snapshot, machine.data_dir, now_us)
        await stage.cluster.start(old)
        shutil.rmtree(kept, ignore_errors=True)


async def _ops(stage: Stage, name: str) -> int:
    """How many ops a node holds."""
    status = await stage.cluster.node_status(name)
    return sum(origin.have for origin in status.origins)


@fault_class(
    "destroyed-disk", "The disks of W-1 nodes are destroyed; new machines take their places.",
    "What was confirmed by W is still there when W-1 disks are not.", alone=True,
)  # fmt: skip
async def destroyed_disk(stage: Stage) -> None:
    lost = stage.pick(max(1, stage.minority))
    async with stage.struck("destroyed-disk", lost) as blow:
        for name in lost:
            stage.workload.drop(name)
            stage.cluster.destroy(name)
        blow.proof(destroyed=len(lost))
        for name in lost:
            blow.note(**{f"in place of {name}": await replace(stage, name)})
