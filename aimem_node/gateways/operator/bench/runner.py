"""Run the measurements in order and report them.

The order is part of the method: memory at rest comes before anything else has woken the node,
and the large store comes last because everything after it would be measured beside it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.demo.own_node import NodeError, OwnNode
from aimem_node.gateways.operator.bench import (
    calls,
    cluster,
    crowd,
    curating,
    governing,
    graph,
    machine,
    programs,
    report,
)
from aimem_node.gateways.operator.bench.command import ended
from aimem_node.gateways.operator.bench.figures import Figure
from aimem_node.gateways.operator.bench.stage import Stage
from aimem_node.gateways.operator.bench.words import Words

DOC = Path("docs/PERFORMANCE.md")
MEMORY_FILESYSTEMS = frozenset({"tmpfs", "ramfs"})


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to measure, by the name that --only takes."""

    name: str
    take: Callable[[Stage], Awaitable[list[Figure]]]
    large: bool = False
    """Needs 100,000 memories; left out of a quick run."""


MEASURES = (
    Measure("idle", programs.idle),
    Measure("recall", lambda stage: calls.recalling(stage, calls.FEW)),
    Measure("reads", lambda stage: calls.reading(stage, calls.FEW)),
    Measure("session-start", programs.session_start),
    Measure("mcp", programs.mcp),
    Measure("store", lambda stage: calls.storing(stage, calls.FEW)),
    Measure("crowd", crowd.storing_at_once),
    # Stores first: after many recalls the node tells their counts to its log for a while.
    Measure("store-large", lambda stage: calls.storing(stage, calls.MANY), large=True),
    Measure("reads-large", lambda stage: calls.reading(stage, calls.MANY), large=True),
    Measure("recall-large", lambda stage: calls.recalling(stage, calls.MANY), large=True),
    Measure("duplicates", curating.checking),
    Measure("graph", graph.walking),
    # Its policies stay, and would cost whatever came after it in the same store.
    Measure("governance", governing.storing_under_rules),
    Measure("quorum", cluster.acknowledging),
    Measure("catch-up", cluster.catching_up, large=True),
)


class BenchError(Exception):
    """The bench cannot be run as asked."""


REFUSALS = (
    BenchError, conversation.ConversationError, report.DocError, NodeError, programs.ProgramError,
)  # fmt: skip
"""Ends that deserve a sentence and no traceback."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure and where to say so."""

    quick: bool = False
    only: tuple[str, ...] = ()
    """Names of measures; all of them when empty."""
    json_file: Path | None = None
    write_doc: bool = False
    doc: Path = DOC
    where: Path | None = None
    """A directory that is missing or empty, on the disk to be measured."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of the bench."""
    names = ", ".join(measure.name for measure in MEASURES)
    parser.add_argument("--quick", action="store_true", help="small sizes only, under 40 seconds")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help=f"one of {names}"
    )
    parser.add_argument(
        "--json", type=Path, dest="json_file", metavar="FILE", help="write the figures as JSON"
    )
    parser.add_argument("--write-doc", action="store_true", help=f"rewrite the figures in {DOC}")
    parser.add_argument("--doc", type=Path, default=DOC, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument(
        "--data-dir", type=Path, dest="where", metavar="DIR",
        help="an empty directory on the disk to measure (default: a temporary one)",
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """The command: 0 when every goal is met, 1 when one is missed, 2 when it cannot run."""
    parser = argparse.ArgumentParser("aimem-node bench", description=main.__doc__)
    arguments(parser)
    asked = parser.parse_args(argv)
    options = Options(**{**vars(asked), "only": tuple(asked.only)})
    return ended("bench", lambda: 0 if run(options)["met"] else 1, REFUSALS)


def run(options: Options) -> dict[str, Any]:
    """Measure, print the table, write what was asked for; the same as values.

    {"machine": {...}, "method": text, "figures": [...], "met": bool}. Raises BenchError
    before anything is started when the options make no sense.
    """
    measures = chosen(options)
    if options.write_doc:
        check_doc(options)
    parent = place(options.where)
    conversations, path, _ = conversation.here()
    facts = {**machine.describe(parent), "text": f"sentences of {path.name}"}
    for name, fact in facts.items():
        print(f"{name:>10}  {fact}")
    figures: list[Figure] = []
    with OwnNode("aimem-bench-", parent) as node:
        stage = Stage(node, Words(conversations), quick=options.quick, say=say)
        for measure in measures:
            say(measure.name)
            figures.extend(asyncio.run(_take(measure, stage)))
    print(report.table(figures))
    result = {
        "machine": facts,
        "method": machine.METHOD,
        "figures": [figure.as_json() for figure in figures],
        "met": all(figure.met is not False for figure in figures),
    }
    if options.json_file is not None:
        options.json_file.write_text(
            json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
    if options.write_doc:
        report.write_doc(options.doc, report.markdown(figures, facts, machine.METHOD))
    return result


async def _take(measure: Measure, stage: Stage) -> list[Figure]:
    return await measure.take(stage)


def chosen(options: Options) -> list[Measure]:
    """The measures asked for, in their order."""
    known = {measure.name for measure in MEASURES}
    strange = [name for name in options.only if name not in known]
    if strange:
        raise BenchError(f"nothing is called {strange[0]!r}; there are {', '.join(sorted(known))}")
    if options.only:
        return [measure for measure in MEASURES if measure.name in options.only]
    return [measure for measure in MEASURES if not (options.quick and measure.large)]


def check_doc(options: Options) -> None:
    """See before an hour of measuring that its result can be written where it belongs."""
    if options.quick or options.only:
        raise BenchError("--write-doc publishes a whole run: leave out --quick and --only")
    if not options.doc.is_file():
        raise BenchError(f"{options.doc} is not here; run it in the project's directory")
    report.replaced(options.doc.read_text(encoding="utf-8"), "")


def place(where: Path | None) -> Path:
    """The directory to work below: empty when it was named, and never in memory by accident."""
    if where is not None:
        if where.exists() and (not where.is_dir() or any(where.iterdir())):
            raise BenchError(f"{where} is not an empty directory; the bench uses no existing store")
        where.mkdir(parents=True, exist_ok=True)
        return where
    temporary = Path(tempfile.gettempdir())
    if machine.filesystem(temporary) not in MEMORY_FILESYSTEMS:
        return temporary
    beside = conversation.project_root() / ".bench"
    beside.mkdir(exist_ok=True)
    return beside


def say(words: str) -> None:
    """Progress, where it does not mix with the table."""
    print(f"… {words}", file=sys.stderr, flush=True)
