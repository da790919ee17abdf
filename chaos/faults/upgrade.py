"""Two versions of the program in one cluster, one machine upgraded after the other."""

from __future__ import annotations

import contextlib
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

from chaos.cluster import Build
from chaos.faults.members import evicted, join
from chaos.faults.stage import Stage, fault_class

OLDER: Final = "a12a9bfdb3e596e3f516950cdc5be621adff9e78"
"""The commit that stands for the older build: the last before recall by meaning, with its own
schema and without operations and fields that came later."""
ROOT: Final = Path(__file__).resolve().parent.parent.parent
OLD_SOURCE: Final = Path("older")
"""Below the directory of a run."""


def can_be_had() -> bool:
    """Whether the history of this checkout reaches back that far."""
    with contextlib.suppress(OSError):
        asked = ["git", "-C", str(ROOT), "cat-file", "-e", f"{OLDER}^{{commit}}"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    return False


def unpack(root: Path) -> Path:
    """The older source, put where a run can start nodes from it."""
    place = root / OLD_SOURCE
    if not place.exists():
        asked = ["git", "-C", str(ROOT), "archive", OLDER, "aimem_node", "aimem_sync", "proto"]
        packed = subprocess.run(asked, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(place, filter="data")
    return place


@fault_class(
    "upgrade", "A machine of an older version works among newer ones, and is then upgraded.",
    "Versions run side by side; what the older one does not know it keeps and hands on.",
    needs=frozenset({"history"}), alone=True,
)  # fmt: skip
async def upgrade(stage: Stage) -> None:
    cluster = stage.cluster
    old = [name for name, machine in cluster.machines.items() if machine.build.source]
    async with stage.struck("upgrade", old[:1]) as blow:
        if not old:
            [gone] = stage.pick()
            stage.workload.drop(gone)
            await evicted(stage, gone)
            await cluster.forget(gone)
            cluster.default = Build(source=unpack(cluster.root))
            try:
                name = await join(stage)
            finally:
                cluster.default = Build()
            blow.nodes = (name,)
        else:
            name = old[0]
        before = (await cluster.node_status(name)).schema_version
        await stage.hold(1.0, 4.0)
        machine = cluster.machines[name]
        machine.stop()
        machine.build = Build()
        await cluster.start(name)
        after = (await cluster.node_status(name)).schema_version
        blow.proof(schemas=after - before)
        blow.note(was=OLDER[:12])
