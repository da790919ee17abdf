"""Store conversations, ask every question in every way, score the answers, and say how it went.

Two ways of keeping them: each conversation in a store of its own, as the goals are stated, and all
in one store that is asked without any filter, as a team's is. Every series of questions gets a
node of its own over a fresh copy of the store, so that what was recalled before moves nothing.
"""

import argparse
import asyncio
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimem_node.contract.errors import Failure
from aimem_node.contract.values import Embedding
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.demo.conversation import Conversation
from aimem_node.gateways.demo.own_node import NodeError, OwnNode
from aimem_node.gateways.operator.bench import machine, report, standing
from aimem_node.gateways.operator.bench.command import ended
from aimem_node.gateways.operator.bench.quality import asking, page, results, weights
from aimem_node.gateways.operator.bench.quality.asking import WAYS, Asked, Place, Talks, Way
from aimem_node.gateways.operator.bench.quality.results import APART, TOGETHER, Series
from aimem_node.gateways.operator.bench.runner import DOC, BenchError, place, say

KEEPINGS = {"own": APART, "one": TOGETHER}
NOT_HERE = """\
The data set is not here; this is the sample that ships with aimem. It shows that everything runs
and says nothing of how good recall is: no goal applies to it."""
REFUSALS = (
    BenchError, conversation.ConversationError, report.DocError, NodeError, standing.NoMeaning,
    Failure,
)  # fmt: skip
"""Ends that deserve a sentence and no traceback."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to ask and where to say so."""

    file: Path | None = None
    """The conversations; those of this machine when absent, or else the shipped sample."""
    ways: tuple[Way, ...] = WAYS
    keepings: tuple[str, ...] = (APART, TOGETHER)
    talks_max: int | None = None
    questions_max: int | None = None
    """Of each conversation."""
    embedder: str = "auto"
    json_file: Path | None = None
    write_doc: bool = False
    doc: Path = DOC

    @property
    def whole(self) -> bool:
        """Whether it is the run that the goals are stated for."""
        all_of_it = self.talks_max is None and self.questions_max is None
        return all_of_it and self.ways == WAYS and set(self.keepings) == {APART, TOGETHER}


@dataclass(slots=True)
class Run:
    """One run as far as it has come."""

    options: Options
    talks: Talks
    parent: Path
    embedding: Embedding | None = None
    asked: dict[tuple[str, str], list[Asked]] = field(default_factory=dict)
    longest_s: dict[tuple[str, str], float] = field(default_factory=dict)

    async def keep(self, keeping: str) -> None:
        """Keep the conversations this way, and ask everything."""
        stores = [{n: one} for n, one in self.talks.items()] if keeping == APART else [self.talks]
        for talks in stores:
            with OwnNode("aimem-recall-", self.parent) as node:
                kept = node.home / "kept"
                places = await self._fill(node, keeping, talks)
                standing.keep(node, kept)
                for way in self.options.ways:
                    # Together each conversation has a copy too: asked long enough, a node would
                    # begin to tell recalls to its log.
                    for talk in talks:
                        standing.put_back(node, kept)
                        await self._ask(node, (keeping, way), talk, places)

    async def _fill(self, node: OwnNode, keeping: str, talks: Talks) -> Mapping[str, Place]:
        by_meaning = any(way.by_meaning for way in self.options.ways)
        await standing.begin(node, self.options.embedder if by_meaning else "off")
        turns = sum(len(one.turns) for one in talks.values())
        say(f"{keeping}: storing {turns:,} turns of {', '.join(o.name for o in talks.values())}")
        async with standing.client_of(node) as client:
            places = await asking.store(client, talks)
            if by_meaning:
                self.embedding = await standing.until_vectors(client, say)
        standing.end(node)
        return places

    async def _ask(
        self, node: OwnNode, kind: tuple[str, Way], talk: int, places: Mapping[str, Place]
    ) -> None:
        keeping, way = kind
        await standing.begin(node, self.options.embedder if way.by_meaning else "off")
        async with standing.client_of(node) as client:
            if way.by_meaning:
                await standing.until_vectors(client, say)
                await standing.until_meaning(client, way.rerank)
            began = time.monotonic()
            found = await asking.ask(client, way, talk, self.talks[talk], places)
            took_s = time.monotonic() - began
        standing.end(node)
        series = keeping, way.name
        self.asked.setdefault(series, []).extend(found)
        self.longest_s[series] = max(took_s, self.longest_s.get(series, 0.0))
        say(f"{keeping}, {way.name}: {len(found)} questions of {self.talks[talk].name}"
            f" in {took_s:.0f} s")  # fmt: skip

    def series(self) -> list[Series]:
        """All that was asked, with the cross-validation of the weights."""
        by_meaning = {way.name: way.by_meaning for way in self.options.ways}
        again = {way.name for way in self.options.ways if way.rerank != "off"}
        found = []
        for (keeping, way), asked in self.asked.items():
            # What was read again is in an order that the weights alone do not make.
            is_weighed = keeping == APART and way not in again
            trial = weights.tried(asked) if is_weighed else None
            longest_s = self.longest_s[keeping, way]
            found.append(Series(keeping, way, tuple(asked), by_meaning[way], longest_s, trial))
        return found


def main(argv: Sequence[str] | None = None) -> int:
    """The command: 0 when every goal is met, 1 when one is missed, 2 when it cannot run."""
    return ended("bench-recall", lambda: run(options_of(argv)), REFUSALS)


def options_of(argv: Sequence[str] | None) -> Options:
    """What a command line asks for."""
    parser = argparse.ArgumentParser("bench-recall", description=main.__doc__)
    names = [way.name for way in WAYS]
    parser.add_argument("--data", type=Path, dest="file", metavar="FILE", help="conversations")
    parser.add_argument("--way", action="append", choices=names, help="ask only this way")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--one-store", action="store_const", dest="keeping", const="one",
        help="only with all conversations in one store, without a filter",
    )  # fmt: skip
    one.add_argument(
        "--own-stores", action="store_const", dest="keeping", const="own",
        help="only with a store for each conversation",
    )  # fmt: skip
    parser.add_argument("--conversations", type=int, metavar="N", help="only the first N")
    parser.add_argument("--questions", type=int, metavar="N", help="only N of each conversation")
    parser.add_argument("--embedder", default="auto", help="as the node's setting")
    parser.add_argument("--json", type=Path, dest="json_file", metavar="FILE")
    parser.add_argument("--write-doc", action="store_true", help=f"rewrite the part in {DOC}")
    parser.add_argument("--doc", type=Path, default=DOC, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    return Options(
        file=asked.file,
        ways=tuple(way for way in WAYS if not asked.way or way.name in asked.way),
        keepings=(KEEPINGS[asked.keeping],) if asked.keeping else (APART, TOGETHER),
        talks_max=asked.conversations,
        questions_max=asked.questions,
        embedder=asked.embedder,
        json_file=asked.json_file,
        write_doc=asked.write_doc,
        doc=asked.doc,
    )


def run(options: Options) -> int:
    """Ask, print, write what was asked for. 0 or 1 as the goals are met; raises REFUSALS."""
    talks, path, is_sample = read(options)
    if options.write_doc:
        _check_doc(options, is_sample)
    if is_sample:
        print(NOT_HERE)
    parent = place(None)
    facts = {**machine.describe(parent), **described(path, talks)}
    for name, fact in facts.items():
        print(f"{name:>12}  {fact}")
    under_way = Run(options, talks, parent)
    for keeping in options.keepings:
        asyncio.run(under_way.keep(keeping))
    if under_way.embedding is not None:
        made = under_way.embedding
        facts["model"] = f"{made.model}, fingerprint {made.fingerprint}, {made.dimension} numbers"
    say("cross-validation of the weights")
    series = under_way.series()
    figures = [] if is_sample else results.figures(series)
    met = all(figure.met is not False for figure in figures)
    result: dict[str, Any] = {
        "facts": facts,
        "method": page.METHOD,
        "whole": options.whole,
        "sample": is_sample,
        "series": [results.as_json(one) for one in series],
        "goals": [figure.as_json() for figure in figures],
        "met": met,
    }
    names = {number: one.name for number, one in talks.items()}
    print("\n" + page.text(result, names, figures))
    if options.json_file is not None:
        written = json.dumps(result, indent=1, ensure_ascii=False)
        options.json_file.write_text(f"{written}\n", "utf-8")
    if options.write_doc:
        report.write_doc(options.doc, page.markdown(result, names, figures), page.MARKS)
    return 0 if met else 1


def read(options: Options) -> tuple[dict[int, Conversation], Path, bool]:
    """The conversations that are asked for by number, their file, and whether it is our sample."""
    if options.file is not None:
        path, is_sample = options.file, False
    else:
        path, is_sample = conversation.find(os.environ, conversation.project_root())
    found = [one for one in conversation.load(path) if one.questions][: options.talks_max]
    if not found:
        raise BenchError(f"{path} holds no conversation with a question")
    return (
        {n: _fewer(one, options.questions_max) for n, one in enumerate(found, 1)},
        path,
        is_sample,
    )


def _fewer(one: Conversation, questions_max: int | None) -> Conversation:
    """So many of its questions, spread evenly over all of them."""
    if questions_max is None or questions_max >= len(one.questions):
        return one
    count = len(one.questions)
    chosen = tuple(one.questions[at * count // questions_max] for at in range(questions_max))
    return dataclasses.replace(one, questions=chosen)


def described(path: Path, talks: Talks) -> dict[str, str]:
    """What is asked: which file exactly, and how much of it."""
    asked = sum(len(one.questions) for one in talks.values())
    dropped = sum(one.questions_dropped for one in talks.values())
    turns = sum(len(one.turns) for one in talks.values())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "data set": f"{path.name}, sha256 {sha256}",
        "asked": f"{asked} questions of {len(talks)} conversations ({turns:,} turns); {dropped} "
        "dropped because their evidence names no turn",
        "k": f"{asking.LIMIT} memories; turns scored to 10, sessions collapsed from all",
    }


def _check_doc(options: Options, is_sample: bool) -> None:
    """See before minutes of asking that its result can be written where it belongs."""
    if is_sample or not options.whole:
        raise BenchError("--write-doc publishes a whole run over real conversations")
    if not options.doc.is_file():
        raise BenchError(f"{options.doc} is not here; run it in the project's directory")
    report.replaced(options.doc.read_text(encoding="utf-8"), "", page.MARKS)
