"""What some faults need of the machine, and what of it is missing here.

A run that leaves a fault out says so by name before it begins. A fault that was asked for by name
is never left out: it fails the run instead.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import Final

from chaos import net
from chaos.faults import CLASSES, upgrade

_WORDS: Final = {
    "network": "network namespaces",
    "mount": "a small disk of its own",
    "history": "the older version's source",
}


def missing() -> Mapping[str, str]:
    """By need, why it cannot be met; what can be met is not in it."""
    found: dict[str, str] = {}
    if why := net.requirements():
        found["network"] = "; ".join(why)
    if os.geteuid() != 0:
        found["mount"] = "it needs root"
    elif shutil.which("mount") is None:
        found["mount"] = "there is no mount"
    if not upgrade.can_be_had():
        found["history"] = f"this checkout has no commit {upgrade.OLDER[:12]}"
    return found


def left_out(names: Iterable[str]) -> dict[str, str]:
    """Of these classes those that cannot be injected here, and why."""
    lacks = missing()
    found = {}
    for name in names:
        reasons = [f"{_WORDS[need]}: {lacks[need]}" for need in sorted(CLASSES[name].needs)
                   if need in lacks]  # fmt: skip
        if reasons:
            found[name] = "; ".join(reasons)
    return found


def told_of_lacking(names: Iterable[str]) -> bool:
    """Say on standard error which of these cannot be injected here, and why; whether any."""
    lacking = left_out(names)
    for name, why in lacking.items():
        print(f"{name} cannot be injected here: {why}", file=sys.stderr)
    return bool(lacking)
