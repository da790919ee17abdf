"""Walk from memory to memory over links, as they hold or held, as they are known or were.

Breadth first, one query for all memories of a step, so each memory is met once and by a shortest
way. Of several it is the one over the memory that was met earlier, then the link that began to
hold first, then the lower id; outgoing links come before incoming ones. A memory that the caller
may not see is neither shown nor walked through, as if nothing led to it.

The work is bounded, not the graph: links are read in order as long as they are needed, so a memory
with ten thousand of them costs what is shown of it. When the bound is reached, what was found so
far is the same on every node that holds the same links.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

import apsw

from aimem_node.store.listing import Filter, conditions
from aimem_node.store.rows import LinkRow

LINKS_MAX: Final = 50_000
"""Links that one call looks at. About 2 µs each: a tenth of a second at the very worst."""
FOLDED_MAX: Final = 5_000
"""Links that one call folds again, because something was said of them since: about 40 µs each."""
CHUNK: Final = 256
"""Links that are taken up together, of which the memories are looked up in one query."""

Then: TypeAlias = Callable[[Sequence[str], int], Mapping[str, LinkRow]]
"""Links by id as they were known at a moment; see view_links.links_then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Which links are followed."""

    at_us: int = 0
    "They hold at this moment."
    now: bool = False
    "Whether that is the present: then a link holds although its writer's clock runs ahead."
    at_any_time: bool = False
    "Whether they may also hold no longer, or not yet."
    as_of_us: int | None = None
    "As they were known then; None: as they are."
    relations: tuple[str, ...] = ()
    "One of these; empty is any."
    agents: tuple[str, ...] = ()
    "Observed by one of these; empty is anybody."
    principals: tuple[str, ...] = ()
    "Or written by one of these, as author@node."
    since_us: int | None = None
    "That began to hold then or later."
    until_us: int | None = None
    "That began to hold then or earlier."


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What is asked for."""

    source_id: str
    links: Links
    wanted: Filter
    "Which memories are shown and walked through."
    depth: int
    limit: int
    outward: bool = True
    inward: bool = False
    links_max: int = LINKS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The links from one memory, by when they began to hold."""

    source_id: str
    links: Links
    wanted: Filter
    "Which memories may stand at the other end."
    limit: int
    links_max: int = LINKS_MAX


@dataclass(frozen=True, slots=True)
class Found:
    """One link that was followed, and the memory that it led to."""

    link_id: str
    near_id: str
    "The memory that it was followed from."
    far_id: str
    relation: str
    valid_from_us: int
    valid_until_us: int | None
    observed_us: int
    observed_by: str
    title: str
    namespace: str
    path: tuple[str, ...] = ()
    "Ids from the beginning to the memory that was reached, both included."
    inward: bool = False
    "Whether it was followed against its direction: the far one says it of the near one."


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything that was found."""

    found: list[Found]
    truncated: bool
    "Whether there is more, or may be: the limit or a bound was reached."


_Row: TypeAlias = tuple[str, str, str, str, int, int | None, int, str, int]
"""near_id, link_id, far_id, relation, valid_from, valid_until, observed, observed_by, changed."""


def walk(connection: apsw.Connection, asked: Walk, then: Then) -> Trail:
    """All memories that are reached, the nearest first, each with the way to it."""
    reader = _Reader(connection, asked.links, asked.wanted, then, asked.links_max)
    ways = [way for way, taken in ((_OUT, asked.outward), (_IN, asked.inward)) if taken]
    paths: dict[str, tuple[str, ...]] = {asked.source_id: (asked.source_id,)}
    found: list[Found] = []
    frontier = [asked.source_id]
    for _ in range(asked.depth):
        reached: list[str] = []
        for way in ways:
            for one in reader.follow(way, frontier, paths):
                if one.far_id in paths:
                    continue
                if len(found) == asked.limit:
                    return Trail(found, truncated=True)
                path = (*paths[one.near_id], one.far_id)
                paths[one.far_id] = path
                reached.append(one.far_id)
                found.append(_with_path(one, path, inward=way is _IN))
        if not reached or reader.exhausted:
            break
        frontier = reached
    return Trail(found, reader.exhausted)


def stretch(connection: apsw.Connection, asked: Stretch, then: Then) -> Trail:
    """The links from one memory by when they began to hold, whatever has become of them."""
    reader = _Reader(connection, asked.links, asked.wanted, then, asked.links_max)
    found = list(islice(reader.follow(_OUT, [asked.source_id], {}), asked.limit + 1))
    return Trail(found[: asked.limit], reader.exhausted or len(found) > asked.limit)


def _with_path(one: Found, path: tuple[str, ...], *, inward: bool) -> Found:
    # Not replace(), which takes as long as all the rest.
    return Found(
        one.link_id, one.near_id, one.far_id, one.relation, one.valid_from_us, one.valid_until_us,
        one.observed_us, one.observed_by, one.title, one.namespace, path, inward,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Way:
    """A direction, in the words of the link table."""

    near: str
    far: str
    index: str


_OUT: Final = _Way("source_id", "target_id", "link_out")
_IN: Final = _Way("target_id", "source_id", "link_in")


@dataclass(slots=True)
class _Reader:
    """Reads links from memories within one bound on the work."""

    connection: apsw.Connection
    links: Links
    wanted: Filter
    then: Then
    left: int
    "Links that may still be looked at."
    folds_left: int = field(default_factory=lambda: FOLDED_MAX)
    exhausted: bool = False
    "Whether links were left unread for want of work that may be done."
    _nodes: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    "Title and namespace of each memory that was looked up; None: not to be seen."

    def follow(
        self, way: _Way, near_ids: Sequence[str], known: Mapping[str, Any]
    ) -> Iterator[Found]:
        """The links of memories whose other ends are seen: in the order of the memories, then of
        their beginning, then of their ids. Those to memories in `known` are passed over."""
        for chunk in self._chunks(way, near_ids):
            rows = self._as_known(way, chunk)
            self._look_up([row[2] for row in rows if row[2] not in known])
            for near, link_id, far, relation, since, until, observed, by, _ in rows:
                node = None if far in known else self._nodes[far]
                if node is not None:
                    yield Found(
                        link_id, near, far, relation, since, until, observed, by, *node
                    )  # fmt: skip

    def _chunks(self, way: _Way, near_ids: Sequence[str]) -> Iterator[list[_Row]]:
        near = json.dumps(list(near_ids))
        degree: int = self.connection.execute(
            f"SELECT count(*) FROM json_each(?) f CROSS JOIN link l INDEXED BY {way.index}"  # noqa: S608
            f" ON l.{way.near} = f.value",
            (near,),
        ).get
        where, values = _conditions(self.links)
        # The inner query ends after so many links, however few of them the outer one lets through.
        # Both run in step with whoever reads them, in the order of the index.
        sql = (
            "SELECT l.near, l.record_id, l.far, l.relation, l.valid_from_us, l.valid_until_us,"  # noqa: S608
            " l.observed_us, l.observed_by, l.changed_us FROM (SELECT"
            f" f.value AS near, l.{way.far} AS far, l.record_id, l.relation, l.valid_from_us,"
            " l.valid_until_us, l.observed_us, l.observed_by, l.changed_us, l.life, l.start_given"
            f" FROM json_each(?) f CROSS JOIN link l INDEXED BY {way.index}"
            f" ON l.{way.near} = f.value LIMIT ?) l WHERE {where}"
        )
        cursor = self.connection.execute(sql, (near, self.left, *values))
        try:
            while rows := list(islice(cursor, CHUNK)):
                yield rows
        finally:
            cursor.close()
        self.exhausted = self.exhausted or degree > self.left
        self.left -= min(degree, self.left)

    def _as_known(self, way: _Way, rows: list[_Row]) -> list[_Row]:
        """Without what was not so at the moment as of which it is asked."""
        as_of_us = self.links.as_of_us
        if as_of_us is None:
            return rows
        since = [row[1] for row in rows if row[8] > as_of_us]
        if len(since) > self.folds_left:
            self.exhausted = True
            since = since[: self.folds_left]
        self.folds_left -= len(since)
        then = self.then(since, as_of_us) if since else {}
        kept: list[_Row] = []
        for row in rows:
            if row[8] <= as_of_us:
                kept.append(row)
                continue
            link = then.get(row[1])
            if link is not None and self._fits(way, row, link):
                far_id = getattr(link, way.far)
                held = (link.relation, link.valid_from_us, link.valid_until_us)
                kept.append((row[0], row[1], far_id, *held, row[6], link.observed_by, row[8]))
        return kept

    def _fits(self, way: _Way, row: _Row, link: LinkRow) -> bool:
        """Whether a link is asked for as it was; the query could only tell how it is."""
        links = self.links
        return (
            getattr(link, way.near) == row[0]
            and (links.at_any_time or link.holds(links.at_us, now=links.now))
            and (not links.relations or link.relation in links.relations)
            and (links.since_us is None or link.valid_from_us >= links.since_us)
            and (links.until_us is None or link.valid_from_us <= links.until_us)
        )

    def _look_up(self, record_ids: Sequence[str]) -> None:
        """Find out which of these memories are seen."""
        new = [one for one in dict.fromkeys(record_ids) if one not in self._nodes]
        if not new:
            return
        where, values = conditions(self.wanted, probe=True)
        rows = self.connection.execute(
            "SELECT m.record_id, m.title, m.namespace FROM json_each(?) j"  # noqa: S608
            f" CROSS JOIN memory m ON m.record_id = j.value WHERE {where}"
            # What has expired is not shown, and collecting it changes nothing of that.
            " AND NOT (m.life = 'archived' AND m.archive_reason = 'ttl_expired')",
            (json.dumps(new), *values),
        )
        seen = {record_id: (title, namespace) for record_id, title, namespace in rows}
        for one in new:
            self._nodes[one] = seen.get(one)


def _conditions(links: Links) -> tuple[str, list[Any]]:
    """Which links may be meant, as SQL over `l`, and its bindings."""
    certain = ["l.life = 'live'"]
    values: list[Any] = []
    if not links.at_any_time:
        ahead = " OR l.start_given = 0" if links.now else ""
        certain.append(
            f"(l.valid_from_us <= ?{ahead}) AND (l.valid_until_us IS NULL OR l.valid_until_us > ?)"
        )
        values += [links.at_us, links.at_us]
    if links.relations:
        certain.append(f"l.relation IN ({_marks(links.relations)})")
        values += links.relations
    if links.since_us is not None:
        certain.append("l.valid_from_us >= ?")
        values.append(links.since_us)
    if links.until_us is not None:
        certain.append("l.valid_from_us <= ?")
        values.append(links.until_us)
    where = " AND ".join(certain)
    if links.as_of_us is not None:
        # Of what was said since, the row does not tell how it was: that has to be folded.
        where = f"l.observed_us <= ? AND (l.changed_us > ? OR ({where}))"
        values = [links.as_of_us, links.as_of_us, *values]
    if links.agents:
        said = f"l.observed_by IN ({_marks(links.agents)})"
        values += links.agents
        if links.principals:
            writer = "o.author || '@' || substr(r.born_id, 1, instr(r.born_id, '.') - 1)"
            said += (
                " OR EXISTS (SELECT 1 FROM record r JOIN link o USING(record_id)"  # noqa: S608
                f" WHERE r.record_id = l.record_id AND {writer} IN ({_marks(links.principals)}))"
            )
            values += links.principals
        where = f"({where}) AND ({said})"
    return where, values


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
