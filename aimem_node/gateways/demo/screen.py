"""What the demo prints: colour and a moving bar at a terminal, plain lines into a pipe.

The story says what it means in tones, never in colours, so that the same call reads well in
both places. `rich` is only imported when there is a terminal to use it on.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, TextIO

WIDTH_MAX = 100
"""Longer lines are hard to read, however wide the terminal is."""

WIDTH_MIN = 60


class Tone(Enum):
    """What a piece of text is to its reader. The value is rich's word for how it looks."""

    PLAIN = ""
    QUIET = "dim"
    STRONG = "bold"
    GOOD = "bold green"
    BAD = "bold red"
    NAME = "cyan"
    FIGURE = "bold cyan"
    STEP = "bold magenta"


Piece = tuple[str, Tone] | str
"""Text with its tone; text alone is plain."""


class Screen:
    """Prints pieces of text, one line a call."""

    def __init__(self, out: TextIO, env: Mapping[str, str]) -> None:
        """Plain when `out` is no terminal, when it cannot move its cursor, or without rich."""
        self._out = out
        self._console: Any = None
        columns = shutil.get_terminal_size((WIDTH_MAX, 40)).columns if out.isatty() else WIDTH_MAX
        self.width = max(WIDTH_MIN, min(WIDTH_MAX, columns))
        if out.isatty() and env.get("TERM", "dumb") != "dumb":
            try:
                from rich.console import Console
            except ModuleNotFoundError:
                return
            self._console = Console(file=out, width=self.width, highlight=False)

    def line(self, *pieces: Piece, indent: int = 3) -> None:
        """One line; what does not fit is cut with an ellipsis."""
        room = self.width - indent
        cut: list[tuple[str, Tone]] = []
        for piece in pieces:
            text, tone = (piece, Tone.PLAIN) if isinstance(piece, str) else piece
            if len(text) > room:
                text = text[: max(0, room - 1)].rstrip() + "…"
            cut.append((text, tone))
            room -= len(text)
            if room <= 0:
                break
        self._write(" " * indent, cut)

    def step(self, title: str, *note: Piece) -> None:
        """The heading of the next part."""
        self.gap()
        self.line(("▸ ", Tone.STEP), (title, Tone.STRONG), "  ", *note, indent=1)

    def gap(self) -> None:
        """An empty line."""
        self._write("", [])

    def _write(self, indent: str, pieces: list[tuple[str, Tone]]) -> None:
        if self._console is None:
            print(
                (indent + "".join(text for text, _ in pieces)).rstrip(), file=self._out, flush=True
            )
            return
        from rich.text import Text

        line = Text(indent)
        for text, tone in pieces:
            line.append(text, tone.value or None)
        self._console.print(line, soft_wrap=True)

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar; call what it gives with how many are done. Nothing in a pipe."""
        if self._console is None:
            yield lambda _: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("   {task.description}"),
            BarColumn(bar_width=None, complete_style="magenta", finished_style="green"),
            MofNCompleteColumn(),
        )
        with Progress(*columns, console=self._console, transient=True, expand=True) as progress:
            task = progress.add_task(label, total=total)
            yield lambda done: progress.update(task, completed=done)


def standard() -> Screen:
    """The screen of this process."""
    return Screen(sys.stdout, os.environ)
