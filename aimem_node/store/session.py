"""What can be written, inside one transaction of the writer.

`take` is the one door for ops, own and others': it appends to the log, folds the record, moves
the digest and renews every row made from it, all or nothing. The full-text index alone is renewed
at the end of the group, since it starts a new segment whenever a savepoint is set: a hundred
small writes would leave a hundred segments to merge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import apsw

from aimem_node.store.fulltext import Mode, SearchResult
from aimem_node.store.listing import Filter
from aimem_node.store.projection import link_of, memory_of
from aimem_node.store.rows import (
    LINK_COLUMNS,
    MEMORY_COLUMNS,
    KeptRecord,
    LinkRow,
    MemoryRow,
    compact_json,
    memory_columns,
)
from aimem_node.store.schema import IN_INDEX, META_LAMPORT, META_UNSCRUBBED
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor
from aimem_sync.digest import NOTHING, bucket_of, record_hash, sum_minus, sum_plus
from aimem_sync.display import Display, display
from aimem_sync.faults import Duplicate
from aimem_sync.lamport import witness
from aimem_sync.log import admit
from aimem_sync.merge import apply, collect
from aimem_sync.op import Kind, Op
from aimem_sync.state import RecordState, decode_state, encode_state

STATES_REMEMBERED: Final = 512
"""Records whose state the writer keeps at hand: a write reads the state that it then folds into."""

MERGED_NOTHING_BELOW: Final = 2
"""Changes that FTS5 reports for a merge that found nothing to do, as its manual says."""

_Text: TypeAlias = tuple[str, str, str]
"""Title, content and tags as the index was given them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a session can be taken back to in memory, as a savepoint does for the file."""

    unindexed: dict[int, _Text | None]


class WriteSession(View):
    """A view that also writes, and reads its own writes. For the writer's thread only."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._kept: dict[str, KeptRecord] = {}
        self._oids: dict[object, int] = {}
        self.settled: Cursor | None = None
        """What every member has taken in, as the replica knows it: what earlier ops overwrote
        before then can be forgotten, since nothing that speaks of it can still come."""
        # Per row that changed: what the index still holds of it, None if nothing.
        self._unindexed: dict[int, _Text | None] = {}

    # -- ops -------------------------------------------------------------------------------

    def take(self, op: Op) -> Display | None:
        """Append an op and fold it into its record; returns what is shown of that now.

        An op that is held already changes nothing. One that cannot come next raises Gap, Fork,
        ChainFault or LamportFault and changes nothing either. Signatures are the caller's part.
        """
        if not self.append(op):
            return self.display(op.record_id)
        return self.fold(op)

    def append(self, op: Op) -> bool:
        """Add an op to its origin's log; False if it is held already. Use `take`."""
        head = self.head(op.origin)
        try:
            after = admit(head, op)
        except Duplicate:
            return False
        lamport = self.lamport()
        highest = witness(lamport, op.lamport)
        oid = self._oid(op, after.seq, after.chain)
        self._connection.execute(
            "INSERT INTO op(oid, seq, lamport, wall_us, epoch, kind, record_id, author,"
            " request_key, body_sha256, body, prev_chain, chain, sig)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                oid,
                op.seq,
                op.lamport,
                op.wall_us,
                op.epoch,
                op.kind,
                op.record_id,
                op.author,
                op.request_key,
                op.body_sha256,
                op.body,
                op.prev_chain,
                op.chain,
                op.sig,
            ),
        )
        if highest != lamport:
            self.put_meta(META_LAMPORT, str(highest).encode())
        return True

    def fold(self, op: Op) -> Display | None:
        """Bring the record of an op that is in the log up to date with it. Use `take`.

        None if nothing is known of the record but that ops about it exist.
        """
        kept = self._row(op.record_id)
        state = apply(kept.state if kept is not None else None, op)
        if self.settled is not None:
            state = collect(state, self.settled)
        if state.purged:
            self.erase_bodies(op.record_id)
            if kept is not None and not kept.state.purged:
                self.put_meta(META_UNSCRUBBED, IN_INDEX)
        if kept is None and state.is_blank and not (state.overwritten or state.untagged):
            return None
        renewed = self._keep(op, kept, state)
        shown = display(state)
        self._project(shown, renewed)
        return shown

    def erase_bodies(self, record_id: str) -> None:
        """Take the text of a record's ops out of the log, and the answers that speak of it.

        Header, hash and signature stay, so the log still verifies. Done by itself when a purge
        is folded, and for every op of a purged record that comes later.
        """
        self._connection.execute(
            "UPDATE op SET body = NULL WHERE record_id = ? AND kind <> ? AND body IS NOT NULL",
            (record_id, Kind.PURGE),
        )
        self._connection.execute(
            "DELETE FROM idem WHERE (author, request_key) IN"
            " (SELECT author, request_key FROM idem_record WHERE record_id = ?1"
            "  UNION SELECT author, request_key FROM op WHERE record_id = ?1)",
            (record_id,),
        )

    # -- answers and named values ----------------------------------------------------------

    def put_idem(
        self,
        author: str,
        request_key: str,
        request_sha256: bytes,
        response: bytes,
        at_us: int,
        record_ids: Iterable[str],
    ) -> None:
        """Keep the first answer to a request key. `record_ids`: all whose text it may hold."""
        self._connection.execute(
            "INSERT INTO idem(author, request_key, request_sha256, response, at_us)"
            " VALUES(?, ?, ?, ?, ?)",
            (author, request_key, request_sha256, response, at_us),
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO idem_record(record_id, author, request_key) VALUES(?, ?, ?)",
            [(record_id, author, request_key) for record_id in record_ids],
        )

    def forget_idem(self, before_us: int, limit: int) -> int:
        """Drop answers given before then, at most `limit`; returns how many went."""
        self._connection.execute(
            "DELETE FROM idem WHERE (author, request_key) IN"
            " (SELECT author, request_key FROM idem WHERE at_us < ? ORDER BY at_us LIMIT ?)",
            (before_us, limit),
        )
        return self._connection.changes()

    def put_meta(self, k: str, v: bytes) -> None:
        """Set a named value of this node."""
        self._connection.execute(
            "INSERT INTO meta(k, v) VALUES(?, ?) ON CONFLICT(k) DO UPDATE SET v = excluded.v",
            (k, v),
        )

    def delete_meta(self, k: str) -> None:
        """Remove a named value, if there is one."""
        self._connection.execute("DELETE FROM meta WHERE k = ?", (k,))

    # -- reads that must see this session's writes -----------------------------------------

    def state(self, record_id: str) -> RecordState | None:
        kept = self._row(record_id)
        return None if kept is None else kept.state

    def search(self, text: str, mode: Mode, wanted: Filter, limit: int) -> SearchResult:
        self.index()
        return super().search(text, mode, wanted, limit)

    def matching_ids(self, pattern: str | None, wanted: Filter, limit: int) -> list[str]:
        self.index()
        return super().matching_ids(pattern, wanted, limit)

    def similar_titles(self, title: str, wanted: Filter, limit: int) -> list[str]:
        self.index()
        return super().similar_titles(title, wanted, limit)

    # -- for the writer --------------------------------------------------------------------

    def mark(self) -> Mark:
        """Remember this moment. Set together with a savepoint."""
        return Mark(dict(self._unindexed))

    def back_to(self, mark: Mark) -> None:
        """Forget what the file has forgotten. Call with a rollback to the savepoint."""
        self._unindexed = dict(mark.unindexed)
        self._kept.clear()
        self._oids.clear()
        self._origins.clear()

    def index(self) -> None:
        """Bring the full-text index up to date. Called before every commit."""
        for rid, held in self._unindexed.items():
            text = self._connection.execute(
                "SELECT title, content, tags FROM memory_text WHERE rid = ?", (rid,)
            ).fetchone()
            if text == held:
                continue
            if held is not None:
                self._connection.execute(
                    "INSERT INTO memory_fts(memory_fts, rowid, title, content, tags)"
                    " VALUES('delete', ?, ?, ?, ?)",
                    (rid, *held),
                )
            if text is not None:
                self._connection.execute(
                    "INSERT INTO memory_fts(rowid, title, content, tags) VALUES(?, ?, ?, ?)",
                    (rid, *text),
                )
        self._unindexed.clear()

    def merge_index(self, pages: int) -> bool:
        """Merge up to so many pages of the index; whether there was anything left to merge.

        Negative begins anew, with all pages. What is merged holds no removed words any more.
        """
        before = self._connection.total_changes()
        self._connection.execute(
            "INSERT INTO memory_fts(memory_fts, rank) VALUES('merge', ?)", (pages,)
        )
        return self._connection.total_changes() - before >= MERGED_NOTHING_BELOW

    def index_problem(self) -> str:
        """What is wrong with the full-text index; "" if nothing is."""
        self.index()
        try:
            self._connection.execute(
                "INSERT INTO memory_fts(memory_fts, rank) VALUES('integrity-check', 1)"
            )
        except apsw.CorruptError as cause:
            return f"the full-text index does not match the memories: {cause}"
        return ""

    def rebuild_index(self) -> None:
        """Make the full-text index again from the live memories."""
        self._unindexed.clear()
        self._connection.execute("INSERT INTO memory_fts(memory_fts) VALUES('rebuild')")

    # -- rows ------------------------------------------------------------------------------

    def _oid(self, op: Op, seq: int, chain: bytes) -> int:
        oid = self._oids.get(op.origin)
        if oid is not None:
            self._connection.execute(
                "UPDATE origin SET have = ?, head = ? WHERE oid = ?", (seq, chain, oid)
            )
            return oid
        oid = int(
            self._connection.execute(
                "INSERT INTO origin(node_id, incarnation, have, head) VALUES(?, ?, ?, ?)"
                " ON CONFLICT(node_id, incarnation) DO UPDATE SET have = ?3, head = ?4"
                " RETURNING oid",
                (op.origin.node_id, op.origin.incarnation, seq, chain),
            ).get
        )
        self._oids[op.origin] = oid
        return oid

    def _row(self, record_id: str) -> KeptRecord | None:
        kept = self._kept.get(record_id)
        if kept is not None:
            return kept
        row = self._connection.execute(
            "SELECT rid, state, hash, born_lamport, born_id FROM record WHERE record_id = ?",
            (record_id,),
        ).fetchone()
        if row is None:
            return None
        rid, encoded, *rest = row
        return self._remember(KeptRecord(rid, decode_state(record_id, encoded), *rest))

    def _remember(self, kept: KeptRecord) -> KeptRecord:
        if len(self._kept) >= STATES_REMEMBERED:
            self._kept.clear()
        self._kept[kept.state.record_id] = kept
        return kept

    def _keep(self, op: Op, kept: KeptRecord | None, state: RecordState) -> KeptRecord:
        born_lamport, born_id = self._born(op, kept)
        new_hash, encoded = record_hash(state), encode_state(state)
        if kept is None:
            self._connection.execute(
                "INSERT INTO record(record_id, type, born_lamport, born_id, hash, state)"
                " VALUES(?, ?, ?, ?, ?, ?)",
                (state.record_id, state.type, born_lamport, born_id, new_hash, encoded),
            )
            rid = self._connection.last_insert_rowid()
        else:
            rid = kept.rid
            self._connection.execute(
                "UPDATE record SET type = ?, born_lamport = ?, born_id = ?, hash = ?, state = ?"
                " WHERE rid = ?",
                (state.type, born_lamport, born_id, new_hash, encoded, rid),
            )
        self._count(state.record_id, NOTHING if kept is None else kept.hash, new_hash)
        return self._remember(KeptRecord(rid, state, new_hash, born_lamport, born_id))

    def _born(self, op: Op, kept: KeptRecord | None) -> tuple[int, str]:
        """The first of the record's ops in the order of writes. A function of the ops alone."""
        if kept is not None and kept.born_lamport < op.lamport:
            return kept.born_lamport, kept.born_id
        row = self._connection.execute(
            "SELECT lamport, node_id || '.' || incarnation || ':' || seq FROM op"
            " JOIN origin USING(oid) WHERE record_id = ?"
            " ORDER BY lamport, node_id, incarnation, seq LIMIT 1",
            (op.record_id,),
        ).fetchone()
        assert row is not None, "an op is appended before it is folded"
        lamport, name = row
        return int(lamport), str(name)

    def _count(self, record_id: str, old: bytes, new: bytes) -> None:
        bucket = bucket_of(record_id)
        total = self._value("SELECT sum FROM bucket WHERE b = ?", bucket) or NOTHING
        self._connection.execute(
            "INSERT OR REPLACE INTO bucket(b, sum) VALUES(?, ?)",
            (bucket, sum_plus(sum_minus(total, old), new)),
        )

    def _project(self, shown: Display, kept: KeptRecord) -> None:
        memory = memory_of(shown, kept.rid, kept.born_lamport, kept.born_id)
        link = link_of(shown, kept.born_lamport)
        self._put_memory(kept.rid, memory)
        if link is not None:
            self._put_link(link)
        else:
            self._connection.execute("DELETE FROM link WHERE record_id = ?", (shown.record_id,))

    def _put_memory(self, rid: int, row: MemoryRow | None) -> None:
        had = self._connection.execute(
            "SELECT title, content, tags, life = 'live' FROM memory WHERE rid = ?", (rid,)
        ).fetchone()
        if had is None and row is None:
            return
        if rid not in self._unindexed:
            self._unindexed[rid] = had[:3] if had is not None and had[3] else None
        tags = compact_json(list(row.tags)) if row is not None else "[]"
        tags_changed = tags != (had[2] if had is not None else "[]")
        if tags_changed and had is not None:
            self._connection.execute("DELETE FROM memory_tag WHERE rid = ?", (rid,))
        if row is None:
            self._connection.execute("DELETE FROM memory WHERE rid = ?", (rid,))
            return
        columns: tuple[Any, ...] = memory_columns(row)
        self._connection.execute(_PUT_MEMORY if had is None else _RENEW_MEMORY, columns)
        if tags_changed:
            self._connection.executemany(
                "INSERT INTO memory_tag(tag, rid) VALUES(?, ?)", [(tag, rid) for tag in row.tags]
            )

    def _put_link(self, row: LinkRow) -> None:
        self._connection.execute(_PUT_LINK, tuple(getattr(row, name) for name in LINK_COLUMNS))


def _numbered(columns: tuple[str, ...]) -> str:
    return ", ".join(f"?{at}" for at in range(1, len(columns) + 1))


_PUT_MEMORY: Final = (
    f"INSERT INTO memory({', '.join(MEMORY_COLUMNS)}) VALUES({_numbered(MEMORY_COLUMNS)})"
)
_RENEW_MEMORY: Final = (
    f"UPDATE memory SET ({', '.join(MEMORY_COLUMNS[1:])})"  # noqa: S608  our own column names
    f" = ({_numbered(MEMORY_COLUMNS)[4:]}) WHERE rid = ?1"
)
_PUT_LINK: Final = (
    f"INSERT OR REPLACE INTO link({', '.join(LINK_COLUMNS)}) VALUES({_numbered(LINK_COLUMNS)})"
)
