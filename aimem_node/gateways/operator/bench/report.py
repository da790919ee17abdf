"""The figures as a table for people, and as the made part of docs/PERFORMANCE.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aimem_node.gateways.operator.bench.figures import Figure

SIGNS = {"at most": "≤", "exactly": "=", "at least": "≥"}


@dataclass(frozen=True, slots=True)
class Marks:
    """The two lines between which a document is made."""

    begin: str
    end: str


MARKS = Marks(
    "<!-- made by `aimem-node bench --write-doc`: do not edit below -->",
    "<!-- end of what is made -->",
)


class DocError(Exception):
    """The document lacks the marks between which the figures belong."""


def amount(value: float) -> str:
    """Short and honest: decimals only where they say something."""
    if value == int(value) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def goal(figure: Figure) -> str:
    """The goal in words."""
    if figure.goal is None:
        return ""
    return f"{SIGNS[figure.rule]} {amount(figure.goal)}"


def verdict(figure: Figure) -> str:
    """met, missed, or nothing where nothing was promised."""
    return {None: "", True: "met", False: "MISSED"}[figure.met]


def cells(figure: Figure) -> tuple[str, ...]:
    """One row: what, goal, figure, unit, verdict, and the rest of the spread."""
    spread = figure.spread
    more = ""
    if spread is not None:
        more = f"p50 {amount(spread.p50_ms)}, p99 {amount(spread.p99_ms)}, n {spread.count}"
    return figure.what, goal(figure), amount(figure.value), figure.unit, verdict(figure), more


HEADS = ("what", "goal", "figure", "", "", "spread")
RIGHT = frozenset({1, 2})
"""Columns of numbers."""


def table(figures: Sequence[Figure]) -> str:
    """Aligned columns for a terminal or a file."""
    rows = [HEADS, *(cells(figure) for figure in figures)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
    lines = []
    for row in rows:
        padded = (
            cell.rjust(width) if at in RIGHT else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)


def markdown(figures: Sequence[Figure], machine: Mapping[str, str], method: str) -> str:
    """The made part of the document."""
    facts = "\n".join(f"- {name}: {fact}" for name, fact in machine.items())
    made = markdown_table(figures)
    return f"## Machine\n\n{facts}\n\n## Method\n\n{method}\n\n## Figures\n\n{made}"


def markdown_table(figures: Sequence[Figure]) -> str:
    """The figures as they stand in a document."""
    rows = "\n".join(
        f"| {what} | {goal} | {value} {unit} | {verdict} | {more} |"
        for what, goal, value, unit, verdict, more in map(cells, figures)
    )
    head = "| what | goal | figure | | spread |\n|---|---|---|---|---|"
    return f"{head}\n{rows}\n"


def replaced(document: str, block: str, marks: Marks = MARKS) -> str:
    """The document with the made part exchanged; DocError when its marks are not there."""
    before, begin, rest = document.partition(marks.begin)
    _, end, after = rest.partition(marks.end)
    if not begin or not end:
        raise DocError(f"no marks: it needs a line {marks.begin!r} and after it {marks.end!r}")
    return f"{before}{begin}\n\n{block}\n{end}{after}"


def write_doc(path: Path, block: str, marks: Marks = MARKS) -> None:
    """Rewrite the made part of a document in place. Raises DocError."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), block, marks), encoding="utf-8")
