"""Measure every size whose store is filled, and report all of them side by side.

What was measured at a commit is kept beside the store, so an interrupted run, or one that asks for
one more size, only does what is missing; --again measures anew.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from aimem_node.contract.errors import Failure
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.demo.own_node import NodeError
from aimem_node.gateways.operator.bench import machine, report, standing
from aimem_node.gateways.operator.bench.command import ended
from aimem_node.gateways.operator.bench.runner import DOC, BenchError, say
from aimem_node.gateways.operator.bench.scale import filling, measuring, page, plot
from aimem_node.gateways.operator.bench.scale.page import Sized
from aimem_node.gateways.operator.bench.scale.sizes import SIZES
from aimem_node.gateways.operator.bench.words import Words

PLOT = Path("docs/recall-scale.png")
KEEP = Path(".bench/scale")
MEASURED = "measured.json"
REFUSALS = (
    BenchError, conversation.ConversationError, report.DocError, NodeError, standing.NoMeaning,
    plot.NoPlot, Failure,
)  # fmt: skip
"""Ends that deserve a sentence and no traceback."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure and where to say so."""

    sizes: tuple[int, ...] = SIZES
    keep: Path = KEEP
    embedder: str = "auto"
    again: bool = False
    json_file: Path | None = None
    write_doc: bool = False
    doc: Path = DOC
    plot: Path | None = None


def arguments(parser: argparse.ArgumentParser) -> None:
    """What filling and measuring both take."""
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="memories"
    )
    parser.add_argument(
        "--keep", type=Path, default=KEEP, metavar="DIR",
        help=f"where filled stores are kept, a directory each (default: {KEEP})",
    )  # fmt: skip
    parser.add_argument("--embedder", default="auto", help="as the node's setting; off: words only")


def options_of(argv: Sequence[str] | None) -> Options:
    """What a command line asks for."""
    parser = argparse.ArgumentParser("bench-scale", description=main.__doc__)
    arguments(parser)
    parser.add_argument("--again", action="store_true", help="measure what was measured already")
    parser.add_argument("--json", type=Path, dest="json_file", metavar="FILE")
    parser.add_argument(
        "--write-doc", action="store_true", help=f"rewrite the part in {DOC}, and {PLOT}"
    )
    parser.add_argument("--doc", type=Path, default=DOC, help=argparse.SUPPRESS)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the growth as a PNG")
    asked = parser.parse_args(argv)
    return Options(**{**vars(asked), "sizes": tuple(sorted(set(asked.sizes)))})


def main(argv: Sequence[str] | None = None) -> int:
    """The command: 0 when every goal is met, 1 when one is missed, 2 when it cannot run."""
    kept = "what was measured is kept"
    return ended("bench-scale", lambda: run(options_of(argv)), REFUSALS, kept)


def run(options: Options) -> int:
    """Measure what is missing, print, write. 0 or 1 as the goals are met; raises REFUSALS."""
    picture = options.plot or (options.doc.parent / PLOT.name if options.write_doc else None)
    _check(options, picture)
    talks, path, _ = conversation.here(os.environ)
    facts = {**machine.describe(options.keep), "text": f"sentences of {path.name}"}
    for name, fact in facts.items():
        print(f"{name:>10}  {fact}")
    measured = []
    for size in options.sizes:
        found = None if options.again else known(options, size)
        if found is None:
            figures = asyncio.run(
                measuring.measure(options.keep, size, Words(talks), options.embedder, say)
            )
            filled = filling.noted(options.keep, size)
            assert filled is not None
            found = Sized(size, facts, asdict(filled), tuple(figures))
            _write(filling.home(options.keep, size) / MEASURED, found.as_json())
        else:
            say(f"{size:,}: as measured {found.facts.get('measured')}; --again measures anew")
        measured.append(found)
        print(f"\n{page.text([found])}", flush=True)
    if len(measured) > 1:
        print(f"\n{page.text(measured)}\n\nDurations are p50 / p95 / p99 in milliseconds.")
    if any(one.filled.get("vectors") == "composed" for one in measured):
        print(f"\n{page.COMPOSED}")
    met = all(figure.met is not False for one in measured for figure in one.figures)
    if options.json_file is not None:
        sizes = [one.as_json() for one in measured]
        _write(options.json_file, {"method": page.METHOD, "met": met, "sizes": sizes})
    if picture is not None:
        plot.draw(measured, picture)
        say(f"drawn: {picture}")
    if options.write_doc:
        report.write_doc(options.doc, page.markdown(measured, PLOT.name), page.MARKS)
    return 0 if met else 1


def known(options: Options, size: int) -> Sized | None:
    """What was measured of a size at this commit; None when it was not."""
    try:
        text = (filling.home(options.keep, size) / MEASURED).read_text("utf-8")
        found = Sized.from_json(json.loads(text))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    now = f"commit {machine.commit()}"
    return found if found.facts.get("measured", "").endswith(now) else None


def _check(options: Options, picture: Path | None) -> None:
    """See that everything is there before an hour of measuring."""
    for size in options.sizes:
        filled = filling.noted(options.keep, size)
        if filled is None:
            raise BenchError(
                f"no filled store of {size:,} memories below {options.keep}; fill it first:"
                f" python -m tests.scale.fill --keep {options.keep} --sizes {size}"
            )
        if filled.vectors == "none" and options.embedder != "off":
            raise BenchError(f"the store of {size:,} has no vectors: --embedder off, or fill anew")
    if picture is not None:
        plot.drawing()
    if options.write_doc:
        if not set(SIZES) <= set(options.sizes) or options.embedder == "off":
            raise BenchError("--write-doc publishes a whole run: all sizes, with vectors")
        if not options.doc.is_file():
            raise BenchError(f"{options.doc} is not here; run it in the project's directory")
        report.replaced(options.doc.read_text("utf-8"), "", page.MARKS)


def _write(target: Path, found: Mapping[str, object]) -> None:
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
