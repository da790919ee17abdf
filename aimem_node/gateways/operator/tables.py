"""Tables and numbers for an operator's screen: 80 columns, and nothing that matters cut away.

Only columns that are said to give way are cut, the widest first: a name that lost its end can
still be told apart, a number that lost its end is another number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aimem_node.gateways.cli.look import Look, cells, cut, padded

GAP = "  "
CUT_MIN = 8
"""No column is cut below this."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its head, and how its cells stand."""

    head: str
    right: bool = False
    "Numbers stand at the right."
    gives_way: bool = False
    "May be cut when the table is too wide."


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], look: Look) -> list[str]:
    """The lines of a table. A column in which no row says anything is left out."""
    shown = [i for i, _ in enumerate(columns) if any(row[i] for row in rows)]
    columns = [columns[i] for i in shown]
    texts = [[row[i] for i in shown] for row in rows]
    widths = [
        max(cells(column.head), *(cells(row[i]) for row in texts))
        for i, column in enumerate(columns)
    ]
    room = look.width - len(GAP) * (len(widths) - 1)
    while sum(widths) > room:
        wide = [i for i, c in enumerate(columns) if c.gives_way and widths[i] > CUT_MIN]
        if not wide:
            break
        widths[max(wide, key=lambda i: widths[i])] -= 1
    lines = [_line(row, columns, widths) for row in texts]
    return [look.paint("dim", _line([c.head for c in columns], columns, widths)), *lines]


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts: list[str] = []
    for text, column, width in zip(row, columns, widths, strict=True):
        said = cut(text, width)
        parts.append(" " * (width - cells(said)) + said if column.right else padded(said, width))
    return GAP.join(parts).rstrip()


def since(ms: float | None) -> str:
    """How long ago, in one unit."""
    if ms is None:
        return "never"
    seconds = ms / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def milliseconds(ms: float | None) -> str:
    """How long something took."""
    if ms is None:
        return ""
    return f"{ms:.1f} ms" if ms < 100 else f"{ms:,.0f} ms"


def offset(ms: int | None) -> str:
    """How far a clock is off, with its sign."""
    if ms is None:
        return ""
    if abs(ms) < 1_000:
        return f"{ms:+d} ms"
    return (
        f"{ms / 1000:+.1f} s" if abs(ms) < 60_000 else f"{'-' if ms < 0 else '+'}{since(abs(ms))}"
    )
