"""The figures of all sizes side by side: for a terminal, and as a part of docs/PERFORMANCE.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimem_node.gateways.operator.bench import report
from aimem_node.gateways.operator.bench.figures import Figure, Spread

MARKS = report.Marks(
    "<!-- made by `make bench-scale ARGS=--write-doc`: do not edit below -->",
    "<!-- end of what bench-scale made -->",
)

METHOD = """\
Each size is a store of its own, copied before it is measured, on a node with the default settings.
A memory is one to three sentences of real conversations with an invented name; a hundred projects
hold one per cent each, ten of them are a team, and one namespace holds a single memory made of
ordinary words. Recalls go through the Python gRPC client on the unix socket, one after another, for
ten memories, without reranking; no question is asked twice in one way; "frequent words" are five of
the sixty most frequent. Hybrid includes the embedding of the question. Stores wait for their fsync,
and vectors of what was stored are made meanwhile. Restarts find their files in the page cache."""

COMPOSED = """\
Up to 10,000 memories the model made every vector. Above, a vector is composed: the normalised sum
of the vectors that the model gives the sentences of the memory, with a little noise so that no two
are equal; their number, size and spread are those of real ones."""


@dataclass(frozen=True, slots=True)
class Sized:
    """What was measured at one size, and with what."""

    size: int
    facts: Mapping[str, str]
    """The machine, the commit and the moment."""
    filled: Mapping[str, Any]
    figures: tuple[Figure, ...]

    def as_json(self) -> dict[str, Any]:
        """In plain values."""
        figures = [figure.as_json() for figure in self.figures]
        return {"size": self.size, "facts": dict(self.facts), "filled": dict(self.filled),
                "figures": figures}  # fmt: skip

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Sized":
        """What `as_json` wrote. KeyError or TypeError when it is something else."""
        figures = tuple(figure_of(one) for one in found["figures"])
        return cls(int(found["size"]), found["facts"], found["filled"], figures)


def figure_of(found: Mapping[str, Any]) -> Figure:
    """A figure from its plain values."""
    spread = None
    if "count" in found:
        names = ("count", "p50_ms", "p95_ms", "p99_ms", "max_ms")
        spread = Spread(**{name: found[name] for name in names})
    return Figure(
        found["what"], found["value"], found["unit"], found["goal"], found["rule"], spread
    )


def cell(figure: Figure | None) -> str:
    """A figure in little room: p50 / p95 / p99 of a duration, or the value; a missed goal shows."""
    if figure is None:
        return ""
    spread = figure.spread
    if spread is None:
        shown = f"{report.amount(figure.value)} {figure.unit}".strip()
    else:
        shown = " / ".join(map(report.amount, (spread.p50_ms, spread.p95_ms, spread.p99_ms)))
    if figure.met is None:
        return shown
    return shown if figure.met else f"{shown} MISSED {report.goal(figure)}"


def rows(measured: Sequence[Sized]) -> list[tuple[str, ...]]:
    """The head, then one line for each thing that was measured, with a column for each size."""
    whats = dict.fromkeys(figure.what for one in measured for figure in one.figures)
    by_size = [{figure.what: figure for figure in one.figures} for one in measured]
    lines = [("memories", *(f"{one.size:,}" for one in measured))]
    promised = [("recall: promised p95", *(_promise(one) for one in measured))]
    return (
        lines
        + promised
        + [(_named(what, by_size), *(cell(found.get(what)) for found in by_size)) for what in whats]
    )


def _named(what: str, by_size: Sequence[Mapping[str, Figure]]) -> str:
    known = next(found[what] for found in by_size if what in found)
    return what if known.spread is None else f"{what} (ms)"


def _promise(one: Sized) -> str:
    goals = [f.goal for f in one.figures if f.what.startswith("recall ") and f.spread and f.goal]
    return f"≤ {report.amount(goals[0])} ms" if goals else ""


def text(measured: Sequence[Sized]) -> str:
    """Aligned columns for a terminal; durations as p50 / p95 / p99."""
    lines = rows(measured)
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    shown = [
        "  ".join(
            one.rjust(width) if at else one.ljust(width)
            for at, (one, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    shown.insert(1, "-" * max(map(len, shown)))
    return "\n".join(shown)


def markdown(measured: Sequence[Sized], plot: str) -> str:
    """The made part of the page; `plot` is the picture's name beside it."""
    facts = "\n".join(f"- {name}: {fact}" for name, fact in measured[-1].facts.items())
    head, *lines = (f"| {' | '.join(line)} |" for line in rows(measured))
    table = "\n".join([head, "|---|" + "--:|" * len(measured), *lines])
    picture = f"![Recall over the number of memories]({plot})"
    return (
        f"{facts}\n\n{METHOD}\n\n{COMPOSED}\n\nDurations are p50 / p95 / p99.\n\n"
        f"{table}\n\n{picture}\n"
    )
