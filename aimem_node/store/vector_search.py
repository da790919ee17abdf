"""The nearest memories among those that are wanted.

The table of vectors, as the view sees it, decides what is found and how near it is. An index only
proposes rows, so it may lag behind the view or run ahead of it and nothing wrong is found: what it
does not hold yet is read from the table, and what it still holds is not there to be found.

The filter is a part of the search, in one of two ways. Where few memories are wanted, all of them
are compared. Where many are, the index proposes more and more until enough of its proposals are
wanted; and where even that yields too few, all that are wanted are compared after all.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import apsw

from aimem_node.store.listing import Filter, all_common, conditions
from aimem_node.store.vectors import Nearest, VectorHit, VectorSpace, best, decoded, numbers
from aimem_node.store.view_population import PopulationView

if TYPE_CHECKING:
    from aimem_node.store.vector_part import Part
    from aimem_node.store.vector_space import Served
    from aimem_node.store.vectors import Numbers

    Found: TypeAlias = tuple[Numbers, Numbers]

EXACT_MAX: Final = 10_000
"""Memories that are compared one by one: 10 ms, most of it to fetch their vectors."""
PENDING_MAX: Final = 10_000
"""Vectors that the index has not taken in yet and a search reads from the table, newest first."""
PROPOSED_FIRST: Final = 2
"""Proposals per memory asked for."""
PROPOSED_GROWTH: Final = 4
PROPOSED_MAX: Final = 4_096
SPARE: Final = 16
"""Rows that are compared anew beyond those asked for: the index rounds more than the table."""
ASKED_BESIDE_FROM: Final = 4
"""Parts from which on some are asked by other threads. A search lets others run meanwhile."""
WORKERS: Final = max(1, min(4, (os.cpu_count() or 1) - 1))
SHARE_MIN: Final = 0.05
FEW: Final = 2_000
"""Memories that are compared one by one in any case, if no more are wanted."""
ROWS_AT_ONCE: Final = 2_000


class VectorSearch:
    """One search."""

    def __init__(
        self,
        connection: apsw.Connection,
        space: VectorSpace,
        vector: Numbers,
        wanted: Filter,
        limit: int,
    ) -> None:
        self._connection = connection
        self._space = space
        self._vector: Numbers = vector.astype(numbers().float32)
        self._wanted = wanted
        self._limit = limit
        self._probe = conditions(wanted, probe=True)
        self._share = 1.0
        "Of all vectors, how many are wanted at most."

    def in_table(self) -> Nearest:
        """Without an index: compare all that is wanted as it stands in the table."""
        found: list[tuple[int, float]] = []
        count = 0
        for rids, similarities in self._compared_rows():
            count += len(rids)
            found = self._merged(rids, similarities, found)
        return Nearest(self._named(found), count)

    def in_index(self, served: Served | None) -> Nearest:
        """With what there is of the index; None: it is being loaded."""
        if served is None:
            if len(self._scope()) <= EXACT_MAX:
                return self.in_table()
            return Nearest(exact=False, missing="the vector index is being loaded")
        pending, missing = self._pending(served)
        missing = missing or served.missing
        is_whole = not served.parts and not missing  # the tail alone, which leaves out nothing
        if not (is_whole and self._wanted.is_wide) and self._is_narrow(served.count):
            scope = self._scope()
            if len(scope) <= EXACT_MAX:
                return self._scoped(served, scope, pending, missing)
        return self._proposed(served, pending, missing)

    # -- few are wanted --------------------------------------------------------------------

    def _is_narrow(self, count: int) -> bool:
        """Whether the memories wanted are likely to be few enough to compare them all."""
        wanted = self._wanted
        if count <= EXACT_MAX or wanted.session:
            return True
        if wanted.tags and not all_common(self._connection, wanted.tags):
            return True
        if not (wanted.namespaces or wanted.below or wanted.agent_id):
            return False
        there = PopulationView(self._connection).scope(wanted)
        self._share = there / count
        # To compare a thousand takes a millisecond; to have as many proposed as leave enough of
        # them, when a twentieth of all is wanted, takes two.
        return there <= min(EXACT_MAX, max(FEW, count // 20))

    def _scope(self, rows_max: int = EXACT_MAX) -> Numbers:
        """Rows of the memories wanted; one more than that many if there are more."""
        common = all_common(self._connection, self._wanted.tags)
        where, values = conditions(self._wanted, probe=common)
        return self._rids(f"SELECT m.rid FROM memory m WHERE {where} LIMIT ?", values, rows_max + 1)  # noqa: S608

    def _scoped(
        self, served: Served, scope: Numbers, pending: dict[int, float], missing: str
    ) -> Nearest:
        """Compare all of these."""
        if missing and len(scope) <= EXACT_MAX:
            return self.in_table()  # which lacks nothing, and takes three times as long
        rids, similarities = similarities_in(served, self._vector, scope)
        hits, _ = self._compared_anew(rids, similarities, pending)
        count = len(pending.keys() | set(rids.tolist())) if pending else len(rids)
        return Nearest(self._named(hits), count, missing=missing)

    # -- many are wanted -------------------------------------------------------------------

    def _proposed(self, served: Served, pending: dict[int, float], missing: str) -> Nearest:
        """Have more and more proposed until enough of it is wanted."""
        asked = max(64, int(PROPOSED_FIRST * self._limit / max(self._share, SHARE_MIN)))
        while True:
            rids, similarities = _proposals(served, self._vector, asked)
            is_all = asked >= served.count
            wanted = self._among_wanted(rids)
            chosen = numbers().isin(rids, wanted)
            hits, live = self._compared_anew(rids[chosen], similarities[chosen], pending)
            # Of those pending some may be far off: they do not make up for what was not proposed.
            if live >= self._limit or (is_all and not served.parts):
                count = len(set(wanted.tolist()) | pending.keys())
                return Nearest(self._named(hits), count, not served.parts, missing)
            if is_all or asked >= PROPOSED_MAX // PROPOSED_GROWTH:
                # Few are wanted after all, or they lie far off: all of them are looked at. A graph
                # that is asked for all it has need not give all either.
                scope = self._scope()
                if len(scope) <= EXACT_MAX or is_all or asked >= PROPOSED_MAX:
                    if len(scope) > EXACT_MAX:
                        scope = self._scope(1 << 62)
                    return self._scoped(served, scope, pending, missing)
            asked *= PROPOSED_GROWTH

    def _among_wanted(self, rids: Numbers) -> Numbers:
        """Those of them that are wanted."""
        where, values = self._probe
        return self._rids(
            "SELECT m.rid FROM json_each(?) j CROSS JOIN memory m ON m.rid = j.value"  # noqa: S608
            f" WHERE {where}",
            [json.dumps(rids.tolist()), *values],
        )

    def _rids(self, select: str, values: list[Any], *more: Any) -> Numbers:
        """What a query for rows gives: as one text, which takes a third of the time."""
        np = numbers()
        query = f"SELECT group_concat(rid) FROM ({select})"  # noqa: S608
        text = self._connection.execute(query, (*values, *more)).get
        found: Numbers = np.fromstring(text or "", dtype=np.int64, sep=",")
        return found

    # -- what the table says ---------------------------------------------------------------

    def _pending(self, served: Served) -> tuple[dict[int, float], str]:
        """How near those wanted are that the index does not know of; why some are left out."""
        last = self._connection.execute("SELECT max(vid) FROM vector").get or 0
        if last <= served.seen:
            return {}, ""
        begin, missing = served.seen, ""
        if last - begin > PENDING_MAX:
            begin = last - PENDING_MAX
            missing = f"the vector index is being made: {served.seen:,} of {last:,} are in it"
        where, values = self._probe
        rows: list[tuple[Any, ...]] = self._connection.execute(
            "SELECT v.rid, v.body FROM vector v CROSS JOIN memory m ON m.rid = v.rid"  # noqa: S608
            f" WHERE v.vid > ? AND v.sid = ? AND {where}",
            (begin, self._space.sid, *values),
        ).fetchall()
        found: dict[int, float] = {}
        for at in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[at : at + ROWS_AT_ONCE]
            matrix = decoded([body for _, body in some], self._space.dimension)
            near = (matrix @ self._vector).tolist()
            found.update(zip((rid for rid, _ in some), near, strict=True))
        return found, missing

    def _compared_anew(
        self, rids: Numbers, similarities: Numbers, pending: dict[int, float]
    ) -> tuple[list[tuple[int, float]], int]:
        """The nearest of those proposed, all of them wanted, and those pending, as the table has
        their vectors; and of how many proposed it had one. What has none there any more makes room
        for the next one."""
        np = numbers()
        order = np.lexsort((rids, -similarities))
        found = best(
            np.array(list(pending), dtype=np.int64),
            np.array(list(pending.values()), dtype=np.float64),
            self._limit,
        )
        at, size, live = 0, self._limit + SPARE, 0
        while at < len(order) and live < self._limit:
            some = rids[order[at : at + size]]
            at += size
            rows: list[tuple[Any, ...]] = self._connection.execute(
                "SELECT v.rid, v.body FROM json_each(?) j CROSS JOIN vector v"
                " ON v.rid = j.value AND v.sid = ?",
                (json.dumps([rid for rid in some.tolist() if rid not in pending]), self._space.sid),
            ).fetchall()
            live += len(rows)
            if rows:
                matrix = decoded([body for _, body in rows], self._space.dimension)
                there = np.array([rid for rid, _ in rows], dtype=np.int64)
                found = self._merged(there, matrix @ self._vector, found)
        return found, live

    def _compared_rows(self) -> Iterator[tuple[Numbers, Numbers]]:
        np = numbers()
        where, values = self._probe
        cursor = self._connection.execute(
            "SELECT m.rid, v.body FROM memory m JOIN vector v ON v.rid = m.rid AND v.sid = ?"  # noqa: S608
            f" WHERE {where}",
            (self._space.sid, *values),
        )
        while rows := list(itertools.islice(cursor, ROWS_AT_ONCE)):
            matrix = decoded([body for _, body in rows], self._space.dimension)
            yield np.array([rid for rid, _ in rows], dtype=np.int64), matrix @ self._vector

    def _merged(
        self, rids: Numbers, similarities: Numbers, found: list[tuple[int, float]]
    ) -> list[tuple[int, float]]:
        np = numbers()
        if found:
            rids = np.concatenate([rids, [rid for rid, _ in found]])
            similarities = np.concatenate([similarities, [near for _, near in found]])
        return best(rids, similarities, self._limit)

    def _named(self, found: list[tuple[int, float]]) -> tuple[VectorHit, ...]:
        rows: list[tuple[Any, ...]] = self._connection.execute(
            "SELECT m.rid, m.record_id FROM json_each(?) j CROSS JOIN memory m ON m.rid = j.value",
            (json.dumps([rid for rid, _ in found]),),
        ).fetchall()
        names: dict[int, str] = dict(rows)
        return tuple(VectorHit(rid, names[rid], near) for rid, near in found)


def _proposals(served: Served, vector: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """The nearest of all parts and of the tail: (rids, similarities), each rid once."""
    np = numbers()
    parts = len(served.parts)
    each = count if parts <= 1 else max(min(count, 128), 2 * count // parts)
    found = _each(served.parts, lambda part: part.propose(vector, each))
    found.append(served.tail.propose(vector, count))
    rids = np.concatenate([rids for rids, _ in found])
    similarities = np.concatenate([similarities for _, similarities in found])
    if len(rids) > count:
        near = np.argpartition(-similarities, count)[: count + SPARE]
        rids, similarities = rids[near], similarities[near]
    rids, at = np.unique(rids, return_index=True)
    return rids, similarities[at]


def _each(parts: Sequence[Part], work: Callable[[Part], Found]) -> list[Found]:
    """What becomes of each part, in their order; of many, some are asked on other cores."""
    if len(parts) < ASKED_BESIDE_FROM:
        return [work(part) for part in parts]

    def in_turn(some: Sequence[Part]) -> list[Found]:
        return [work(part) for part in some]

    share = -(-len(parts) // (WORKERS + 1))
    later = [
        _workers().submit(in_turn, parts[at : at + share]) for at in range(share, len(parts), share)
    ]
    found = in_turn(parts[:share])
    for one in later:
        found += one.result()
    return found


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="aimem-vectors-beside")


def similarities_in(served: Served, vector: Numbers, scope: Numbers) -> tuple[Numbers, Numbers]:
    """How near these are, of those that the index holds: (rids, similarities), each rid once."""
    np = numbers()
    held, similarities = served.tail.similarities(vector, scope)
    rids, found = [scope[held]], [similarities]
    left = scope[~held]
    if len(left):
        newest_first = served.parts[::-1]
        for there, near in _each(newest_first, lambda part: part.similarities(vector, left)):
            rids.append(left[there])
            found.append(near)
    every, at = np.unique(np.concatenate(rids), return_index=True)
    return every, np.concatenate(found)[at]
