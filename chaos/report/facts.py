"""What the head of a report says: without it the figures mean nothing."""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from aimem_node.gateways.operator.bench import machine

FACTS: Final = "facts.json"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """Where a run came from, and how to do it again."""

    title: str
    fault: str
    "What struck: a class, or mixed."
    seed: int
    "-1 if nobody knows."
    nodes: int
    w: int
    "Members that have to confirm a write; 0 if nobody knows."
    commit: str
    hardware: str
    date: str
    seconds: float
    command: str

    def as_json(self) -> str:
        """For a file beside the report."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def told(directory: Path) -> Facts | None:
    """The facts that were written beside a report; None if there are none. Raises ValueError."""
    path = directory / FACTS
    if not path.exists():
        return None
    given = json.loads(path.read_text(encoding="utf-8"))
    names = {one.name for one in fields(Facts)}
    if not isinstance(given, dict) or given.keys() != names:
        raise ValueError(f"{FACTS} does not have exactly {', '.join(sorted(names))}")
    return Facts(**given)


def hardware() -> str:
    """The machine in one line."""
    return (
        f"{machine.processor()}, {os.cpu_count()} logical cores, {machine.memory_gb():.0f} GB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def commit() -> str:
    """The checkout's commit, marked when it has changes; "unknown" outside of one."""
    return machine.commit()


CODE: Final = (
    "aimem_node", "aimem_sync", "chaos", "proto", "cluster-configs", "pyproject.toml",
    ":(exclude)chaos/report", ":(exclude)*.md",
)  # fmt: skip
"""What a run depends on. How its verdict is told afterwards changes no run."""
ROOT: Final = Path(__file__).resolve().parents[2]


@functools.cache
def same_code(one: str, other: str, root: Path = ROOT) -> bool:
    """Whether two commits of a checkout have the same product and the same chaos in them. What
    was changed and not committed is only the same as itself."""
    if one == other or "-dirty" in one + other:
        return one == other
    argv = ["git", "-C", str(root), "diff", "--quiet", one, other, "--", *CODE]
    try:
        return subprocess.run(argv, capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False
