"""A real node that also listens to orders: `python -m chaos.node run --data-dir DIR ...`.

It is aimem_node's own node, started with the same settings. What is added stands at a few places
that every node passes, does nothing until it is ordered to, and is never part of a release.

    CHAOS_CONTROL    path of a unix socket for orders (chaos/seams/control.py)
    CHAOS_EVIDENCE   directory in which it notes what it confirmed, whom it answered, what it sent
    CHAOS_DISK       if set, a disk under the store that can fail and forget (chaos/seams/disk.py)
    CHAOS_CLOCK      how wrong its clock is from the start, as the order says it, in JSON
    CHAOS_BROKEN     the name of something to break in it (chaos/seams/broken.py)
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aimem_node.main import given_by, run
from chaos.seams import control
from chaos.seams.clock import WrongClock
from chaos.seams.disk import Disk
from chaos.seams.evidence import Notebook
from chaos.seams.forging import Forging
from chaos.seams.killing import Killing


def main(argv: list[str]) -> int:
    """Put the seams in and run; the node's exit code."""
    if argv[:1] != ["run"]:
        sys.stderr.write("usage: python -m chaos.node run [--data-dir DIR] [--SETTING VALUE]\n")
        return 2
    try:
        given = given_by(argv[1:])
    except ValueError as error:
        sys.stderr.write(f"chaos.node: {error}\n")
        return 2
    name = str(given.get("name", "node"))
    clock, killing, forging = WrongClock(), Killing(), Forging()
    if wrong := os.environ.get("CHAOS_CLOCK"):
        clock.set(json.loads(wrong))
    killing.install()
    forging.install()
    began_s = time.monotonic()

    def ping(_order: Mapping[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "name": name, "up_s": time.monotonic() - began_s}

    orders: dict[str, control.Obey] = {
        "ping": ping,
        "clock": clock.set,
        "forge": forging.obey,
        "kill-before-commit": killing.order("_before"),
        "kill-after-commit": killing.order("_after"),
    }
    if evidence := os.environ.get("CHAOS_EVIDENCE"):
        Notebook(Path(evidence), name).install()
    if os.environ.get("CHAOS_DISK"):
        disk = Disk(Path(given["data_dir"]))
        disk.mount()
        orders["disk"] = disk.obey
    if broken := os.environ.get("CHAOS_BROKEN"):
        from chaos.seams.broken import BROKEN  # the whole zoo, which a sound node needs nothing of

        BROKEN[broken].apply()
    if path := os.environ.get("CHAOS_CONTROL"):
        control.listen(path, orders)
    return run(given, clock)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
