"""What a person sees while a machine joins: a line for each step that is done, a bar for this one.

Three ways of showing the same: rich's bars where rich is installed and a person looks, one line
drawn over and over where it is not, and plain lines for a log.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol, TextIO

from aimem_node.gateways.cli.look import size
from aimem_node.gateways.cli.progress import Bar

PLAIN_PARTS = 4
"""A log is told of a quarter, a half and three quarters; a person sees more."""


class Screen(Protocol):
    """Where a join is shown."""

    def done(self, text: str) -> None:
        """A step is behind us."""
        ...

    def now(self, text: str) -> None:
        """What is going on, where there is nothing to count."""
        ...

    def reach(self, label: str, done: int, total: int, in_bytes: bool) -> None:
        """How far the present step is."""
        ...

    def close(self) -> None:
        """Nothing more is shown."""
        ...


def screen_for(out: TextIO, quiet: bool = False) -> Screen:
    """The best way for a stream; nothing at all when quiet."""
    if quiet:
        return Silent()
    if not out.isatty():
        return Lines(out)
    try:
        from rich.console import Console
    except ImportError:
        return Drawn(out)
    return Rich(Console(file=out))


class Silent:
    """For programs: only the answer counts."""

    def done(self, text: str) -> None:
        """Nothing."""

    def now(self, text: str) -> None:
        """Nothing."""

    def reach(self, label: str, done: int, total: int, in_bytes: bool) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Lines:
    """Plain lines, for a log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._said = ""

    def done(self, text: str) -> None:
        """A line."""
        self._say(text)

    def now(self, text: str) -> None:
        """A line when it changes."""
        self._say(text)

    def reach(self, label: str, done: int, total: int, in_bytes: bool) -> None:
        """A line now and then."""
        part = PLAIN_PARTS * done // total if total else 0
        if part:
            self._say(f"{label}: {part * 100 // PLAIN_PARTS} % of {_amount(total, in_bytes)}")
        else:
            self._say(f"{label}: {_amount(total, in_bytes)}" if total else label)

    def close(self) -> None:
        """All has been said."""

    def _say(self, text: str) -> None:
        if text and text != self._said:
            self._said = text
            self._out.write(f"  {text}\n")
            self._out.flush()


class Drawn:
    """A terminal without rich."""

    def __init__(self, out: TextIO) -> None:
        self._lines = Lines(out)
        self._out = out
        self._bar: Bar | None = None
        self._of = ("", 0)

    def done(self, text: str) -> None:
        """A line, in the place of the bar."""
        self.close()
        self._lines.done(text)

    def now(self, text: str) -> None:
        """A line when it changes."""
        self.close()
        self._lines.now(text)

    def reach(self, label: str, done: int, total: int, in_bytes: bool) -> None:
        """The bar, further."""
        if self._bar is None or self._of != (label, total):
            self.close()
            self._bar, self._of = Bar(f"  {label}", total, self._out), (label, total)
        del in_bytes
        self._bar.reach(done)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.__exit__()
            self._bar = None


class Rich:
    """A terminal with rich."""

    def __init__(self, console: Any) -> None:
        from rich import progress

        self._console = console
        self._progress = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=28),
            progress.TextColumn("{task.fields[amount]}", markup=False),
            progress.TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, amount="")
        self._progress.start()

    def done(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(f"  {text}", markup=False, highlight=False)

    def now(self, text: str) -> None:
        """Words beside something that turns."""
        self._progress.update(self._task, description=text, total=None, amount="")

    def reach(self, label: str, done: int, total: int, in_bytes: bool) -> None:
        """The bar, further."""
        amount = f"{_amount(done, in_bytes)} of {_amount(total, in_bytes)}" if total else ""
        self._progress.update(
            self._task, description=label, completed=done, total=total or None, amount=amount
        )

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def _amount(count: int, in_bytes: bool) -> str:
    return size(count) if in_bytes else f"{count:,} ops"


def stdout_screen(quiet: bool) -> Screen:
    """Where `aimem-node join` shows it."""
    return screen_for(sys.stdout, quiet)
