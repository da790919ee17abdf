"""Everything that can be read, at one moment.

A view belongs to one connection inside one transaction, so its answers agree with each other
however many there are. It ends with the function it was given to: keep rows, never the view.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.fulltext import Mode, SearchResult, search
from aimem_node.store.listing import Filter, Key, Order, list_memories
from aimem_node.store.matching import matching_ids, similar_titles
from aimem_node.store.rows import (
    LINK_SELECT,
    MEMORY_SELECT,
    Counts,
    IdemRow,
    KeptRecord,
    LinkRow,
    MemoryRow,
    PlacedOp,
    memory_row,
)
from aimem_node.store.schema import META_LAMPORT
from aimem_node.store.travelling import answers_of, encoded_ops
from aimem_sync.cursor import Cursor
from aimem_sync.digest import BUCKETS, NOTHING, Digest
from aimem_sync.display import Display, display
from aimem_sync.log import Head
from aimem_sync.op import Dot, Op, Origin
from aimem_sync.state import RecordState, decode_state

CANDIDATES_MAX: Final = 5
"""Ids that an ambiguous prefix is answered with. More would not help anyone choose."""

_OP_SELECT: Final = (
    "SELECT pos, oid, seq, lamport, wall_us, epoch, kind, record_id, author, request_key,"
    " body, body_sha256, prev_chain, chain, sig FROM op"
)
_LAST_CHARACTER: Final = "\U0010ffff"


class View:
    """What one transaction sees."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._origins: dict[int, Origin] = {}

    # -- records ---------------------------------------------------------------------------

    def state(self, record_id: str) -> RecordState | None:
        """All that is known of a record; None if no op has spoken of it."""
        encoded = self._value("SELECT state FROM record WHERE record_id = ?", record_id)
        return None if encoded is None else decode_state(record_id, encoded)

    def display(self, record_id: str) -> Display | None:
        """What is shown of a record; None if no op has spoken of it."""
        state = self.state(record_id)
        return None if state is None else display(state)

    def records_after(self, record_id: str, limit: int) -> list[KeptRecord]:
        """The next records of all types in the order of their ids; "" begins."""
        return [kept_record(row) for row in self.record_rows(record_id, limit)]

    def record_rows(self, record_id: str, limit: int) -> list[tuple[Any, ...]]:
        """The same as they stand in the file, read or not: see kept_record."""
        return self._connection.execute(
            "SELECT record_id, state, rid, hash, born_lamport, born_id FROM record"
            " WHERE record_id > ? ORDER BY record_id LIMIT ?",
            (record_id, limit),
        ).fetchall()

    def page_problems(self, limit: int) -> list[str]:
        """What SQLite finds wrong with the pages of the file, at most `limit` sentences."""
        # The check reads the full-text index by the structure that this connection has cached,
        # and calls it corrupt if others have written since. A search renews the cache.
        self._connection.execute("SELECT 1 FROM memory_fts WHERE memory_fts MATCH 'x'").fetchall()
        found = self._connection.execute(f"PRAGMA integrity_check({int(limit)})")
        return [str(problem) for (problem,) in found if problem != "ok"]

    def tag_rows(self, rid: int) -> tuple[str, ...]:
        """The tags by which a memory is found, sorted; the same as its own unless damaged."""
        rows = self._connection.execute("SELECT tag FROM memory_tag WHERE rid = ?", (rid,))
        return tuple(sorted(tag for (tag,) in rows))

    def links_without_record(self, limit: int) -> list[str]:
        """Links that no record stands for: there are none unless damaged."""
        rows = self._connection.execute(
            "SELECT record_id FROM link WHERE record_id NOT IN (SELECT record_id FROM record)"
            " LIMIT ?",
            (limit,),
        )
        return [record_id for (record_id,) in rows]

    # -- memories --------------------------------------------------------------------------

    def resolve_id(self, text: str, *, deleted: bool = False, path: str = "$.id") -> str:
        """The id that `text` names: exactly, or as the beginning of one live or archived memory.

        With `deleted`, an exact id of a deleted memory will do too. Raises Failure NOT_FOUND, or
        AMBIGUOUS with up to five of the ids it could be.
        """
        life = self._value("SELECT life FROM memory WHERE record_id = ?", text)
        if life is not None and (deleted or life != "deleted"):
            return text
        found: list[str] = []
        # A record that is gone is not named any more, not even as the beginning of another's id:
        # whoever deletes "1" twice must not lose "10".
        gone = self._value("SELECT 1 FROM record WHERE record_id = ?", text)
        if text and not gone:
            rows = self._connection.execute(
                "SELECT record_id FROM memory WHERE record_id >= ? AND record_id < ?"
                " AND life <> 'deleted' ORDER BY record_id LIMIT ?",
                (text, text + _LAST_CHARACTER, CANDIDATES_MAX + 1),
            )
            found = [record_id for (record_id,) in rows]
        if not found:
            raise Failure(Code.NOT_FOUND, f"no memory {text!r}", path=path)
        if len(found) > 1:
            more = ", ..." if len(found) > CANDIDATES_MAX else ""
            ids = found[:CANDIDATES_MAX]
            raise Failure(
                Code.AMBIGUOUS,
                f"{text!r} is the beginning of several ids: {', '.join(ids)}{more}",
                path=path,
                next="Give more characters of the one you mean.",
                details={"ids": ids},
            )
        return found[0]

    def memory(self, record_id: str) -> MemoryRow | None:
        """A memory in any life, deleted too; None if there is none or it was purged."""
        columns = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m WHERE record_id = ?",  # noqa: S608
            (record_id,),
        ).fetchone()
        return None if columns is None else memory_row(columns)

    def memories(self, record_ids: Sequence[str]) -> list[MemoryRow]:
        """Those that exist, in the order asked."""
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM json_each(?) j JOIN memory m ON m.record_id = j.value"  # noqa: S608
            " ORDER BY j.key",
            (json.dumps(list(record_ids)),),
        )
        return [memory_row(columns) for columns in rows]

    def live_by_title(self, namespace: str, title: str, now_us: int) -> MemoryRow | None:
        """The live memory with exactly this title there; the first written if there are several."""
        columns = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m"  # noqa: S608
            " WHERE life = 'live' AND namespace = ? AND title = ?"
            " AND (expires_us IS NULL OR expires_us > ?) ORDER BY lamport, write_id LIMIT 1",
            (namespace, title, now_us),
        ).fetchone()
        return None if columns is None else memory_row(columns)

    def list_memories(
        self,
        wanted: Filter,
        order: Order = Order.IMPORTANCE,
        after: Key | None = None,
        limit: int = 100,
    ) -> tuple[list[MemoryRow], Key | None]:
        """One page, and where the next begins: give it as `after`. None at the end."""
        return list_memories(self._connection, wanted, order, after, limit)

    def search(self, text: str, mode: Mode, wanted: Filter, limit: int) -> SearchResult:
        """Live memories that hold the words of `text`, best first. See fulltext."""
        return search(self._connection, text, mode, wanted, limit)

    def matching_ids(self, pattern: str | None, wanted: Filter, limit: int) -> list[str]:
        """All live memories that hold any word of a pattern, or all wanted. See matching."""
        return matching_ids(self._connection, pattern, wanted, limit)

    def similar_titles(self, title: str, wanted: Filter, limit: int) -> list[str]:
        """Live memories whose titles share a telling word. See matching."""
        return similar_titles(self._connection, title, wanted, limit)

    def expired(self, now_us: int, limit: int) -> list[MemoryRow]:
        """Live memories whose life had ended by then, the longest ended first."""
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m WHERE life = 'live'"  # noqa: S608
            " AND expires_us IS NOT NULL AND expires_us <= ? ORDER BY expires_us, rid LIMIT ?",
            (now_us, limit),
        )
        return [memory_row(columns) for columns in rows]

    def expiring(self, from_us: int, until_us: int) -> int:
        """How many live memories end their life after `from_us` and by `until_us`."""
        count = self._value(
            "SELECT count(*) FROM memory WHERE life = 'live' AND expires_us IS NOT NULL"
            " AND expires_us > ? AND expires_us <= ?",
            from_us,
            until_us,
        )
        return int(count)

    def removed(self, before_us: int | None, after_rid: int, limit: int) -> list[MemoryRow]:
        """Archived and deleted memories, by row: what a purge takes. `after_rid` 0 begins.

        `before_us`: only those archived, or last changed if deleted, before then.
        """
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m"  # noqa: S608
            " WHERE life IN ('archived', 'deleted') AND rid > ?"
            " AND (? IS NULL OR coalesce(archived_us, updated_us) < ?) ORDER BY rid LIMIT ?",
            (after_rid, before_us, before_us, limit),
        )
        return [memory_row(columns) for columns in rows]

    # -- links -----------------------------------------------------------------------------

    def links_of(self, record_id: str) -> list[LinkRow]:
        """Live links from and to a memory, the first stored first."""
        return self._links(
            "life = 'live' AND (source_id = ?1 OR target_id = ?1)"
            " ORDER BY created_us, lamport, record_id",
            record_id,
        )

    def links_between(
        self, source_id: str, target_id: str, relation: str | None = None
    ) -> list[LinkRow]:
        """Live links from one memory to another."""
        return self._links(
            "life = 'live' AND source_id = ?1 AND target_id = ?2"
            " AND (?3 IS NULL OR relation = ?3) ORDER BY created_us, lamport, record_id",
            source_id,
            target_id,
            relation,
        )

    def link(self, record_id: str) -> LinkRow | None:
        """A link in any life."""
        return next(iter(self._links("record_id = ?1", record_id)), None)

    def list_links(self, after: Key | None, limit: int) -> tuple[list[LinkRow], Key | None]:
        """One page of all live links, the first stored first, and where the next begins."""
        start = after if after is not None else (-(1 << 63), "")
        rows = self._links(
            "life = 'live' AND (created_us, record_id) > (?1, ?2)"
            " ORDER BY created_us, record_id LIMIT ?3",
            *start,
            limit + 1,
        )
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], (last.created_us, last.record_id)

    # -- the log ---------------------------------------------------------------------------

    def ops_of(self, record_id: str, before_pos: int | None, limit: int) -> list[PlacedOp]:
        """A record's ops, the last arrived first, before a position; None is from the end."""
        return self._ops(
            "WHERE record_id = ? AND pos < ? ORDER BY pos DESC LIMIT ?",
            record_id,
            (1 << 62) if before_pos is None else before_pos,
            limit,
        )

    def ops_after(self, pos: int, limit: int) -> list[PlacedOp]:
        """All ops in the order of arrival here, behind a position; 0 begins."""
        return self._ops("WHERE pos > ? ORDER BY pos LIMIT ?", pos, limit)

    def ops_of_origin(self, origin: Origin, after_seq: int, limit: int) -> list[PlacedOp]:
        """One origin's log behind a sequence; 0 begins."""
        return self._ops(
            "WHERE oid = (SELECT oid FROM origin WHERE node_id = ? AND incarnation = ?)"
            " AND seq > ? ORDER BY seq LIMIT ?",
            origin.node_id,
            origin.incarnation,
            after_seq,
            limit,
        )

    def encoded_ops(self, origin: Origin, first: int, last: int, bytes_max: int) -> list[bytes]:
        """Ops of one log as they travel, in order, as many as `bytes_max` holds; at least one.

        None at or below the floor, whose bodies are gone; and none from the first one on whose
        body was withheld from this node: others may be entitled to it, and get it elsewhere.
        """
        return encoded_ops(self._connection, origin, first, last, bytes_max)

    def answers_of(self, origin: Origin, first: int, last: int) -> list[bytes]:
        """The encoded answers that travel beside those ops, in their order."""
        return answers_of(self._connection, origin, first, last)

    def op_of_key(self, author: str, request_key: str) -> Dot | None:
        """The last op that a request key of this principal made; None if none is known."""
        found = self._connection.execute(
            "SELECT made_oid, made_seq FROM idem WHERE author = ? AND request_key = ?"
            " AND made_oid IS NOT NULL",
            (author, request_key),
        ).fetchone() or self._last_of_key(author, request_key)
        return None if found is None else Dot(self._origin(found[0]), found[1])

    def op(self, dot: Dot) -> Op | None:
        """The op of that name; None if it is not here."""
        placed = self.ops_of_origin(dot.origin, dot.seq - 1, 1)
        return placed[0].op if placed and placed[0].op.seq == dot.seq else None

    def last_pos(self) -> int:
        """The position of the last op; 0 if there is none."""
        return int(self._value("SELECT coalesce(max(pos), 0) FROM op"))

    def have(self) -> Cursor:
        """How far each log has been taken in."""
        rows = self._connection.execute("SELECT node_id, incarnation, have FROM origin")
        return Cursor({Origin(node_id, inc): have for node_id, inc, have in rows})

    def heads(self) -> dict[Origin, Head]:
        """Where each log ends here."""
        rows = self._connection.execute(
            "SELECT node_id, incarnation, have, head FROM origin WHERE have > 0"
        )
        return {Origin(node_id, inc): Head(have, head) for node_id, inc, have, head in rows}

    def floor(self) -> Cursor:
        """Up to where bodies have been given up for their age. See truncation."""
        rows = self._connection.execute(
            "SELECT node_id, incarnation, floor FROM origin WHERE floor > 0"
        )
        return Cursor({Origin(node_id, inc): floor for node_id, inc, floor in rows})

    def withheld_after(self, pos: int, limit: int) -> list[tuple[int, Dot]]:
        """Ops that came without a body that others may have, by position."""
        rows = self._connection.execute(
            "SELECT pos, node_id, incarnation, seq FROM op JOIN origin USING(oid)"
            " WHERE withheld = 1 AND pos > ? ORDER BY pos LIMIT ?",
            (pos, limit),
        )
        return [(at, Dot(Origin(node, incarnation), seq)) for at, node, incarnation, seq in rows]

    def head(self, origin: Origin) -> Head:
        """Where that log ends here."""
        row = self._connection.execute(
            "SELECT have, head FROM origin WHERE node_id = ? AND incarnation = ?",
            (origin.node_id, origin.incarnation),
        ).fetchone()
        return Head() if row is None else Head(*row)

    def lamport(self) -> int:
        """The highest Lamport number seen; 0 before the first op."""
        value = self.meta(META_LAMPORT)
        return 0 if value is None else int(value)

    def digest(self) -> Digest:
        """The sums of all records, kept current by every write."""
        sums = [NOTHING] * BUCKETS
        for bucket, total in self._connection.execute("SELECT b, sum FROM bucket"):
            sums[bucket] = total
        return Digest(tuple(sums))

    def withheld_ops(self) -> int:
        """How many ops came without their bodies although nobody is known to have erased them."""
        return int(self._value("SELECT count(*) FROM op WHERE withheld = 1"))

    def withheld_from(self, record_ids: Sequence[str]) -> set[str]:
        """Of these records, those of which a body was withheld."""
        rows = self._connection.execute(
            "SELECT DISTINCT record_id FROM json_each(?) j"
            " CROSS JOIN op ON op.record_id = j.value AND op.withheld = 1",
            (json.dumps(list(record_ids)),),
        )
        return {str(record_id) for (record_id,) in rows}

    # -- the rest --------------------------------------------------------------------------

    def configs(self) -> list[tuple[int, bytes, bytes]]:
        """Every epoch that was kept, in order: (epoch, config, proof), both encoded."""
        rows = self._connection.execute("SELECT epoch, config, proof FROM config ORDER BY epoch")
        return list(rows)

    def idem(self, author: str, request_key: str) -> IdemRow | None:
        """The first answer to a request key of this principal."""
        row = self._connection.execute(
            "SELECT request_sha256, response, at_us FROM idem WHERE author = ? AND request_key = ?",
            (author, request_key),
        ).fetchone()
        return None if row is None else IdemRow(*row)

    def meta(self, k: str) -> bytes | None:
        """A named value of this node; None if it was never put."""
        value = self._value("SELECT v FROM meta WHERE k = ?", k)
        return None if value is None else bytes(value)

    def namespace_counts(
        self, now_us: int | None = None, below: str = "", limit: int = 10_000
    ) -> list[tuple[str, int]]:
        """Namespaces with how many live memories each holds, in the order of their names.

        `below`: only this one and those below it. `now_us`: not those whose life has ended.
        """
        return list(
            self._connection.execute(
                "SELECT namespace, count(*) FROM memory WHERE life = 'live'"
                " AND (?1 = '' OR namespace = ?1"
                "      OR (namespace >= ?1 || '/' AND namespace < ?1 || '0'))"
                " AND (?2 IS NULL OR expires_us IS NULL OR expires_us > ?2)"
                " GROUP BY namespace ORDER BY namespace LIMIT ?3",
                (below, now_us, limit),
            )
        )

    def archived_counts(self, limit: int = 10_000) -> list[tuple[str, int]]:
        """Namespaces with how many archived memories each holds."""
        return list(
            self._connection.execute(
                "SELECT namespace, count(*) FROM memory WHERE life = 'archived'"
                " GROUP BY namespace ORDER BY namespace LIMIT ?",
                (limit,),
            )
        )

    def counts(self, now_us: int | None = None) -> Counts:
        """Totals. `now_us`: live ones whose life has ended by then are not counted."""
        tiers = dict(
            self._connection.execute(
                "SELECT tier, count(*) FROM memory INDEXED BY memory_by_namespace"
                " WHERE life = 'live' AND (?1 IS NULL OR expires_us IS NULL OR expires_us > ?1)"
                " GROUP BY tier",
                (now_us,),
            )
        )
        count = self._value
        return Counts(
            live=sum(tiers.values()),
            by_tier=tiers,
            archived=count("SELECT count(*) FROM memory WHERE life = 'archived'"),
            deleted=count("SELECT count(*) FROM memory WHERE life = 'deleted'"),
            links=count("SELECT count(*) FROM link WHERE life = 'live'"),
            # Nothing of a log is ever removed, but positions may leap: see install.
            ops=sum(seq for _, seq in self.have()),
            origins=count("SELECT count(*) FROM origin"),
            records=count("SELECT count(*) FROM record"),
            conflicts=count(
                "SELECT count(*) FROM memory WHERE conflicts > 0 AND life <> 'deleted'"
            ),
        )

    def _links(self, where: str, *values: Any) -> list[LinkRow]:
        rows = self._connection.execute(
            f"SELECT {LINK_SELECT} FROM link WHERE {where}",  # noqa: S608  our own words
            values,
        )
        return [LinkRow(*columns) for columns in rows]

    def _ops(self, rest: str, *values: Any) -> list[PlacedOp]:
        rows = self._connection.execute(f"{_OP_SELECT} {rest}", values)
        return [PlacedOp(pos, Op(self._origin(oid), *parts)) for pos, oid, *parts in rows]

    def _last_of_key(self, author: str, request_key: str) -> tuple[int, int] | None:
        if not request_key:
            return None
        row = self._connection.execute(
            "SELECT oid, seq FROM op WHERE author = ? AND request_key = ? AND request_key <> ''"
            " ORDER BY pos DESC LIMIT 1",
            (author, request_key),
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def _origin(self, oid: int) -> Origin:
        origin = self._origins.get(oid)
        if origin is None:
            row = self._connection.execute(
                "SELECT node_id, incarnation FROM origin WHERE oid = ?", (oid,)
            ).fetchone()
            assert row is not None
            origin = self._origins[oid] = Origin(*row)
        return origin

    def _value(self, sql: str, *values: Any) -> Any:
        return self._connection.execute(sql, values).get


def kept_record(row: tuple[Any, ...]) -> KeptRecord:
    """The record of a row. One that is damaged raises what decode_state raises."""
    record_id, encoded, rid, *rest = row
    return KeptRecord(rid, decode_state(record_id, encoded), *rest)


def all_memories(
    view: View, wanted: Filter, order: Order = Order.CREATED, page: int = 500
) -> Iterator[MemoryRow]:
    """Every memory that is wanted, page by page within one view."""
    after: Key | None = None
    while True:
        rows, after = view.list_memories(wanted, order, after, page)
        yield from rows
        if after is None:
            return
