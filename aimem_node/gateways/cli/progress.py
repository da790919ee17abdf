"""A progress bar for people at a terminal; nothing at all for anybody else."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

WIDTH = 28
REDRAW_S = 0.1


class Bar:
    """One line that is drawn over and over and taken away at the end."""

    def __init__(
        self, label: str, total: int, out: TextIO, quiet: bool = False, unit: str = ""
    ) -> None:
        """total 0 means unknown: then it only counts. `unit` is what is counted, "MB" say."""
        self._label = label
        self._total = total
        self._unit = f" {unit}" if unit else ""
        self._out = out
        self._on = out.isatty() and not quiet
        self._drawn_s = 0.0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._on and self._drawn_s:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def reach(self, done: int) -> None:
        """Show that so many are done."""
        if not self._on or time.monotonic() - self._drawn_s < REDRAW_S:
            return
        self._drawn_s = time.monotonic()
        if self._total:
            full = WIDTH * min(done, self._total) // self._total
            said = f"{'━' * full}{'─' * (WIDTH - full)} {done:,} of {self._total:,}"
        else:
            said = f"{done:,}"
        self._out.write(f"\r\x1b[K{self._label} {said}{self._unit}")
        self._out.flush()
