"""The classes of faults as a table for chaos/README.md: `python -m chaos.classes`."""

from __future__ import annotations

import sys
from typing import Final

from chaos.faults import CLASSES

BEGIN: Final = "<!-- made by `python -m chaos.classes`: do not edit below -->"
END: Final = "<!-- end of what chaos.classes made -->"
NEEDS: Final = {"network": "root", "mount": "root", "history": "git history"}


def table() -> str:
    """A row for each class, in Markdown."""
    rows = ["| class | what is done | what holds if the run holds | needs |", "|---|---|---|---|"]
    for one in CLASSES.values():
        needs = ", ".join(sorted({NEEDS[need] for need in one.needs})) or "–"
        rows.append(f"| `{one.name}` | {one.what} | {one.proves} | {needs} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
