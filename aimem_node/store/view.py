"""Everything that can be read, at one moment.

A view belongs to one connection inside one transaction, so its answers agree with each other
however many there are. It ends with the function it was given to: keep rows, never the view.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.fulltext import Mode, SearchResult, search
from aimem_node.store.listing import Filter, Key, Order, conditions, list_memories
from aimem_node.store.matching import matching_ids, similar_titles
from aimem_node.store.rows import (
    MEMORY_SELECT,
    Counts,
    IdemRow,
    KeptRecord,
    MemoryRow,
    memory_row,
)
from aimem_node.store.sight import MESSAGES, Sight
from aimem_node.store.view_company import CompanyView
from aimem_node.store.view_likeness import LikenessView
from aimem_node.store.view_names import NameView
from aimem_node.store.view_past import PastView
from aimem_node.store.view_population import PopulationView
from aimem_node.store.view_vectors import VectorView
from aimem_sync.display import Display, display
from aimem_sync.state import RecordState, decode_state

if TYPE_CHECKING:
    from aimem_node.store.view_then import ViewThen

CANDIDATES_MAX: Final = 5
"""Ids that an ambiguous prefix is answered with. More would not help anyone choose."""


_LAST_CHARACTER: Final = "\U0010ffff"


class View(CompanyView, LikenessView, PastView, NameView, PopulationView, VectorView):
    """What one transaction sees."""

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

    def records_before(self, prefix: str, record_id: str, limit: int) -> list[KeptRecord]:
        """The records before one, the last first, of those whose ids begin like this.

        "" begins with the last of all.
        """
        rows = self._connection.execute(
            "SELECT record_id, state, rid, hash, born_lamport, born_id FROM record"
            " WHERE record_id >= ? AND record_id < ? ORDER BY record_id DESC LIMIT ?",
            (prefix, record_id or prefix + _LAST_CHARACTER, limit),
        )
        return [kept_record(row) for row in rows]

    def has_records(self, prefix: str) -> bool:
        """Whether there is a record whose id begins like this."""
        found = self._value(
            "SELECT 1 FROM record WHERE record_id >= ? AND record_id < ? LIMIT 1",
            prefix,
            prefix + _LAST_CHARACTER,
        )
        return found is not None

    def record_marks(self, prefix: str) -> tuple[tuple[str, bytes], ...]:
        """The records whose ids begin like this, each with its hash: what changes with them."""
        return tuple(
            self._connection.execute(
                "SELECT record_id, hash FROM record WHERE record_id >= ? AND record_id < ?"
                " ORDER BY record_id",
                (prefix, prefix + _LAST_CHARACTER),
            )
        )

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

    def then(self, as_of_us: int, sight: Sight | None) -> ViewThen:
        """The same with records as they were known at a moment. See view_then.

        `sight`: memories that are out of it now were never there.
        """
        from aimem_node.store.view_then import ViewThen

        return ViewThen(self._connection, self, as_of_us, sight)

    # -- memories --------------------------------------------------------------------------

    def resolve_id(
        self, text: str, *, deleted: bool = False, path: str = "$.id", sight: Sight | None = None
    ) -> str:
        """The id that `text` names: exactly, or as the beginning of one live or archived memory.

        With `deleted`, an exact id of a deleted memory will do too. What is out of sight might as
        well not exist. Raises Failure NOT_FOUND, or AMBIGUOUS with up to five of the ids that it
        could be.
        """
        seen, values = _seen(sight)
        life = self._value(f"SELECT life FROM memory m WHERE record_id = ?{seen}", text, *values)  # noqa: S608
        if life is not None and (deleted or life != "deleted"):
            return text
        found: list[str] = []
        # A record that is gone is not named any more, not even as the beginning of another's id:
        # whoever deletes "1" twice must not lose "10".
        hidden = life is None and self._value("SELECT 1 FROM memory WHERE record_id = ?", text)
        gone = not hidden and self._value("SELECT 1 FROM record WHERE record_id = ?", text)
        if text and not gone:
            rows = self._connection.execute(
                "SELECT record_id FROM memory m WHERE record_id >= ? AND record_id < ?"  # noqa: S608
                f" AND life <> 'deleted'{seen} ORDER BY record_id LIMIT ?",
                (text, text + _LAST_CHARACTER, *values, CANDIDATES_MAX + 1),
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

    def live_by_title(
        self, namespace: str, title: str, now_us: int, sight: Sight | None = None
    ) -> MemoryRow | None:
        """The live memory with exactly this title there; the first written if there are several."""
        seen, values = _seen(sight)
        columns = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m"  # noqa: S608
            " WHERE life = 'live' AND namespace = ? AND title = ?"
            f" AND (expires_us IS NULL OR expires_us > ?){seen} ORDER BY lamport, write_id LIMIT 1",
            (namespace, title, now_us, *values),
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

    def expired(self, now_us: int, limit: int, sight: Sight | None = None) -> list[MemoryRow]:
        """Live memories whose life had ended by then, the longest ended first."""
        seen, values = _seen(sight)
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m WHERE life = 'live'"  # noqa: S608
            f" AND expires_us IS NOT NULL AND expires_us <= ?{seen}"
            " ORDER BY expires_us, rid LIMIT ?",
            (now_us, *values, limit),
        )
        return [memory_row(columns) for columns in rows]

    def expiring(self, from_us: int, until_us: int, wanted: Filter) -> int:
        """How many of the live memories wanted end their life after `from_us`, by `until_us`."""
        where, values = conditions(wanted)
        count = self._value(
            f"SELECT count(*) FROM memory m WHERE {where} AND m.expires_us IS NOT NULL"  # noqa: S608
            " AND m.expires_us > ? AND m.expires_us <= ?",
            *values,
            from_us,
            until_us,
        )
        return int(count)

    def removed(
        self, before_us: int | None, after_rid: int, limit: int, sight: Sight | None = None
    ) -> list[MemoryRow]:
        """Archived and deleted memories, by row: what a purge takes. `after_rid` 0 begins.

        `before_us`: only those archived, or last changed if deleted, before then.
        """
        seen, values = _seen(sight)
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m"  # noqa: S608
            " WHERE life IN ('archived', 'deleted') AND rid > ?"
            f" AND (? IS NULL OR coalesce(archived_us, updated_us) < ?){seen} ORDER BY rid LIMIT ?",
            (after_rid, before_us, before_us, *values, limit),
        )
        return [memory_row(columns) for columns in rows]

    def newest_by(self, agent_id: str) -> int | None:
        """When the live memory was stored that came last of those an agent said; None for none."""
        found = self._value(
            "SELECT created_us FROM memory WHERE life = 'live' AND agent_id = ?"
            " ORDER BY rid DESC LIMIT 1",
            agent_id,
        )
        return None if found is None else int(found)

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

    def namespace_counts(self, wanted: Filter, limit: int = 10_000) -> list[tuple[str, int]]:
        """Namespaces with how many of the memories wanted each holds, by name."""
        counted = self.counted_by_namespace(wanted)
        if counted is not None:
            return list(counted.items())[:limit]
        where, values = conditions(wanted)
        return list(
            self._connection.execute(
                f"SELECT m.namespace, count(*) FROM memory m WHERE {where}"  # noqa: S608
                " GROUP BY m.namespace ORDER BY m.namespace LIMIT ?",
                (*values, limit),
            )
        )

    def counts(self, now_us: int | None = None, sight: Sight | None = None) -> Counts:
        """Totals of what is seen, without messages.

        `now_us`: live ones whose life has ended by then are not counted.
        """
        live, values = conditions(Filter(now_us=now_us, but_below=MESSAGES, sight=sight))
        tiers = dict(
            self._connection.execute(
                "SELECT m.tier, count(*) FROM memory m INDEXED BY memory_by_namespace"  # noqa: S608
                f" WHERE {live} GROUP BY m.tier",
                values,
            )
        )

        def count(life: str | None, more: str = "") -> int:
            where, bound = conditions(Filter(life=life, but_below=MESSAGES, sight=sight))
            return int(self._value(f"SELECT count(*) FROM memory m WHERE {where}{more}", *bound))  # noqa: S608

        return Counts(
            live=sum(tiers.values()),
            by_tier=tiers,
            archived=count("archived"),
            deleted=count("deleted"),
            links=self._links_seen(sight),
            # Nothing of a log is ever removed, but positions may leap: see install.
            ops=sum(seq for _, seq in self.have()),
            origins=self._value("SELECT count(*) FROM origin"),
            records=self._value("SELECT count(*) FROM record"),
            conflicts=count(None, " AND m.conflicts > 0"),
        )

    def _links_seen(self, sight: Sight | None) -> int:
        """Live links of which both ends are seen. Where only messages are out of sight all are
        counted: hardly a link leads to one."""
        seen, values = _seen(sight if sight is not None and sight.narrows else None)
        ends, bound = "", []
        for end in ("source_id", "target_id") if seen else ():
            ends += f" AND EXISTS (SELECT 1 FROM memory m WHERE m.record_id = link.{end}{seen})"  # noqa: S608
            bound += values
        return int(self._value(f"SELECT count(*) FROM link WHERE life = 'live'{ends}", *bound))  # noqa: S608


def _seen(sight: Sight | None) -> tuple[str, list[Any]]:
    """What a condition on `memory m` goes on with, and its bindings."""
    sql, values = ("", []) if sight is None else sight.condition()
    return (f" AND {sql}" if sql else ""), values


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
