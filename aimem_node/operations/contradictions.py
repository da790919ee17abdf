"""Tell which memories contradict each other: as somebody has stated, and as their words suggest.

What was stated is a link and keeps its history: it is open while it holds and both memories are
live. What is only suggested is no record, but worked out when somebody asks: of memories that have
one topic, two by two. A pair that was stated once, or of which one supersedes the other, is not
suggested again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    Contradiction,
    ContradictionsRequest,
    ContradictionsResponse,
    DetectContradictionRequest,
    DetectContradictionResponse,
    NamedMemory,
    Relation,
)  # fmt: skip
from aimem_node.operations.call import ReadCall
from aimem_node.operations.contradiction import Said, disagreement, said
from aimem_node.operations.events import lies_in
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import found, has_ended, memory_of, place_filter, wanted
from aimem_node.operations.sight_of import sees
from aimem_node.store.listing import PAGE_BYTES_MAX, Filter
from aimem_node.store.rows import LinkRow, MemoryRow, size_bytes
from aimem_node.store.sameness import normalised, topic_of
from aimem_node.store.sight import lies_below

CONTRADICTS: Final = "contradicts"
SUPERSEDES: Final = "supersedes"
CONTRADICTS_FROM: Final = 0.5
"""The confidence from which two memories are said to contradict each other."""
OPEN, RESOLVED = "open", "resolved"
LINKS_PER_PAGE: Final = 100
LINKS_LOOKED_AT_MAX: Final = 1_000
"""Stated ones that are looked at, the last first, 20 us each with their memories."""
TOPICS_MAX: Final = 200
"""Topics that several memories have, of which an answer about all topics looks at as many."""
OF_TOPIC_MAX: Final = 30
"""Memories of one topic that are compared two by two: 435 pairs, 0.1 ms each if they are long."""
PAIRS_MAX: Final = 500


@operation
def detect_contradiction(
    call: ReadCall, request: DetectContradictionRequest
) -> DetectContradictionResponse:
    """Compare two memories by their words, and say whether a link says the same."""
    one = found(call, request.id_a, "$.id_a", life="any")
    other = found(call, request.id_b, "$.id_b", life="any")
    if one.record_id == other.record_id:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a memory cannot contradict itself",
            path="$.id_b",
            next="Name another memory.",
        )
    signs = disagreement(_said(one), _said(other))
    links = _between(call, one, other, CONTRADICTS)
    return DetectContradictionResponse(
        contradicts=signs.confidence >= CONTRADICTS_FROM,
        memory_a=NamedMemory(id=one.record_id, title=one.title),
        memory_b=NamedMemory(id=other.record_id, title=other.title),
        confidence=signs.confidence,
        signs=signs.signs,
        stated=any(_holds(call, link) for link in links),
    )


@operation
def contradictions(call: ReadCall, request: ContradictionsRequest) -> ContradictionsResponse:
    """The open ones first, then those that are suggested, then those that are settled."""
    topic = normalised(request.topic) if request.topic else None
    here = wanted(call, place_filter(request.namespace))
    answer = _Answer(request.limit)
    stated, is_all = _stated(call, here, topic)
    for one in stated:
        if one.link.state == OPEN:
            answer.add(one)
    suggested = _Suggesting(call, here, topic)
    for one in suggested.found():
        if not answer.add(one):
            break
    for one in stated:
        if one.link.state == RESOLVED:
            answer.add(one)
    return ContradictionsResponse(
        memories=tuple(memory_of(call, row) for row in answer.rows.values()),
        links=tuple(answer.links),
        count=len(answer.links),
        truncated=answer.is_full or suggested.is_cut or not is_all,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Two memories that contradict each other."""

    link: Contradiction
    rows: tuple[MemoryRow, MemoryRow]


class _Answer:
    """What fits into one answer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self.links: list[Contradiction] = []
        self.rows: dict[str, MemoryRow] = {}
        self.is_full = False

    def add(self, one: _Found) -> bool:
        """Take it in, unless there is no room left."""
        if len(self.links) == self._limit or self._bytes > PAGE_BYTES_MAX:
            self.is_full = True
            return False
        self.links.append(one.link)
        for row in one.rows:
            if row.record_id not in self.rows:
                self.rows[row.record_id] = row
                self._bytes += size_bytes(row)
        return True


def _stated(call: ReadCall, here: Filter, topic: str | None) -> tuple[list[_Found], bool]:
    """The links, the last first, and whether these are all."""
    shown = _Shown(call, here, topic)
    found_links: list[_Found] = []
    looked_at, after = 0, None
    while looked_at < LINKS_LOOKED_AT_MAX:
        page, after = call.view.contradicting(after, LINKS_PER_PAGE)
        looked_at += len(page)
        ends = {end for link in page for end in (link.source_id, link.target_id)}
        rows = {row.record_id: row for row in call.view.memories(sorted(ends))}
        for link in page:
            pair = rows.get(link.source_id), rows.get(link.target_id)
            if pair[0] is None or pair[1] is None:
                continue
            both = (pair[0], pair[1])
            if all(map(shown.may_be, both)) and any(map(shown.is_meant, both)):
                found_links.append(_Found(_of_link(call, link, both), both))
        if after is None:
            return found_links, True
    return found_links, False


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which memories an answer is about."""

    call: ReadCall
    here: Filter
    topic: str | None

    def may_be(self, row: MemoryRow) -> bool:
        """Whether it may be shown at all."""
        return row.life != "deleted" and sees(self.call, row)

    def is_meant(self, row: MemoryRow) -> bool:
        """Whether it is one of those that were asked about."""
        if self.here.but_below and lies_below(row.namespace, self.here.but_below):
            return False
        is_topic = self.topic is None or topic_of(row.title, row.metadata) == self.topic
        return is_topic and lies_in(row.namespace, self.here)


def _of_link(call: ReadCall, link: LinkRow, rows: tuple[MemoryRow, MemoryRow]) -> Contradiction:
    stand = all(row.life == "live" and not has_ended(call, row) for row in rows)
    return Contradiction(
        source_id=link.source_id,
        target_id=link.target_id,
        relation=Relation.CONTRADICTS,
        synthesized=False,
        link_id=link.record_id,
        state=OPEN if stand and _holds(call, link) else RESOLVED,
        signs=disagreement(*map(_said, rows)).signs,
    )


def _holds(call: ReadCall, link: LinkRow) -> bool:
    return link.holds(call.now_us, now=True)


def _between(call: ReadCall, one: MemoryRow, other: MemoryRow, relation: str) -> list[LinkRow]:
    """Links of a relation between two memories, either way."""
    a, b = one.record_id, other.record_id
    return [
        *call.view.links_between(a, b, relation),
        *call.view.links_between(b, a, relation),
    ]


class _Suggesting:
    """Memories of one topic, compared two by two."""

    def __init__(self, call: ReadCall, here: Filter, topic: str | None) -> None:
        self._call, self._here, self._topic = call, here, topic
        self._pairs_left = PAIRS_MAX
        self.is_cut = False
        "Whether there was more to compare than one answer has time for."

    def found(self) -> Iterator[_Found]:
        """Pairs that do not agree and of which nobody has said anything."""
        for topic in self._topics():
            rows = self._call.view.on_topic(topic, self._here, OF_TOPIC_MAX + 1)
            self.is_cut = self.is_cut or len(rows) > OF_TOPIC_MAX
            for newer, older, signs in self._disagreeing(rows[:OF_TOPIC_MAX]):
                if not self._is_settled(newer, older):
                    link = Contradiction(
                        source_id=newer.record_id,
                        target_id=older.record_id,
                        relation=Relation.CONTRADICTS,
                        synthesized=True,
                        state=OPEN,
                        signs=signs,
                    )
                    yield _Found(link, (newer, older))

    def _topics(self) -> Sequence[str]:
        if self._topic is not None:
            return [self._topic]
        topics = self._call.view.shared_topics(self._here, TOPICS_MAX + 1)
        self.is_cut = len(topics) > TOPICS_MAX
        return topics[:TOPICS_MAX]

    def _disagreeing(
        self, rows: Sequence[MemoryRow]
    ) -> Iterator[tuple[MemoryRow, MemoryRow, tuple[str, ...]]]:
        apart: dict[str, Said] = {}
        for newer, older in combinations(rows, 2):
            if self._topic is None and not _are_near(newer.namespace, older.namespace):
                continue  # two projects may well call different things the same
            if not self._pairs_left:
                self.is_cut = True
                return
            self._pairs_left -= 1
            for row in (newer, older):
                if row.record_id not in apart:
                    apart[row.record_id] = _said(row)
            signs = disagreement(apart[newer.record_id], apart[older.record_id])
            if signs.confidence >= CONTRADICTS_FROM:
                yield newer, older, signs.signs

    def _is_settled(self, one: MemoryRow, other: MemoryRow) -> bool:
        """Whether somebody has stated it, or which of the two holds."""
        superseding = _between(self._call, one, other, SUPERSEDES)
        return bool(_between(self._call, one, other, CONTRADICTS)) or any(
            _holds(self._call, link) for link in superseding
        )


def _are_near(one: str, other: str) -> bool:
    """Whether two namespaces are one, or one lies below the other."""
    return lies_below(one, other) or lies_below(other, one)


def _said(row: MemoryRow) -> Said:
    topic = topic_of(row.title, row.metadata)
    return said(row.title, row.content, topic, row.agent_id or row.author)
