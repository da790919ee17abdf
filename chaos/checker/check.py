"""One thing that must hold, and the verdict as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

EXAMPLES_SHOWN_MAX: Final = 3
"""Enough to go and look; a broken run has hundreds."""
NAME_CHARS: Final = 46


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, how often it was tried, and where it did not."""

    name: str
    tried: int
    broken: tuple[str, ...] = ()
    note: str = ""
    "What else was found out by looking; nothing is judged by it."

    @property
    def holds(self) -> bool:
        """A check that was never tried shows nothing, and so does not hold."""
        return self.tried > 0 and not self.broken


def table(checks: Iterable[Check]) -> str:
    """The verdict as text, with the first few places where a check does not hold."""
    lines = [f"{'check':<{NAME_CHARS}} {'tried':>7} {'broken':>7}", "-" * (NAME_CHARS + 24)]
    for check in checks:
        word = "holds" if check.holds else "BROKEN"
        tried = f"{check.name:<{NAME_CHARS}} {check.tried:>7} {len(check.broken):>7}"
        lines.append(f"{tried}  {word}")
        if check.note:
            lines.append(f"      {check.note}")
        lines += [f"    {example}" for example in check.broken[:EXAMPLES_SHOWN_MAX]]
        if len(check.broken) > EXAMPLES_SHOWN_MAX:
            lines.append(f"    and {len(check.broken) - EXAMPLES_SHOWN_MAX} more")
    return "\n".join(lines)
