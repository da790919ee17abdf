"""Make again from the log what was damaged, and put back ops that were fetched elsewhere.

Only what can be made is made. A log that lacks an op does not say whose, so as long as any is
broken a record that looks sound is left as it is: it may hold what the log has lost. Nothing in
the log itself is ever made up; a broken op comes back from a member that has it, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw

from aimem_node.store.folding import first_of, is_nothing
from aimem_node.store.past import NEVER_TOLD, changes_of
from aimem_node.store.projection import memory_of, names_of
from aimem_node.store.shelf import (
    DROP_NAMES,
    PUT_LINK,
    PUT_MEMORY,
    PUT_NAME,
    link_columns,
    memory_bindings,
    name_columns,
)
from aimem_node.store.vector_writes import DUE_AGAIN
from aimem_node.store.verify import (
    Verified,
    chain_problems,
    has_its_marks,
    has_its_past,
    readable,
    shown_link,
    shown_row,
)
from aimem_node.store.view import View
from aimem_node.store.view_population import POPULATION_SHOULD_BE
from aimem_sync.digest import Digest, bucket_of, record_hash
from aimem_sync.display import display
from aimem_sync.faults import PeerFault
from aimem_sync.log import check_op
from aimem_sync.merge import apply
from aimem_sync.op import CHAIN_START, Dot, Kind, Op
from aimem_sync.state import RecordState, decode_state, encode_state

RECORDS_PER_PAGE: Final = 500


class Repair:
    """One repair, inside one transaction."""

    def __init__(self, connection: apsw.Connection, view: View) -> None:
        self._connection = connection
        self._view = view
        self._lines: list[str] = []
        self.renewed_memories = 0

    def run(self) -> list[str]:
        """Make everything again that the log can give; a line about each kind of thing."""
        checked = Verified()
        for origin, have in self._view.have():
            for _ in chain_problems(self._view, checked, origin, have):
                pass
        self._records(log_is_whole=not checked.broken)
        self._strangers()
        self._rows(log_is_whole=not checked.broken)
        self._population()
        self._vectors()
        self._sums()
        self._ends(checked.broken)
        if checked.broken:
            self._say(len(checked.broken), "ops are broken and must come from another member")
        return self._lines

    def _say(self, count: int, what: str) -> None:
        if count:
            self._lines.append(f"{count} {what}")

    def _records(self, *, log_is_whole: bool) -> None:
        """Records against their ops."""
        folded = lost = renewed = 0
        for record_id in self._told():
            row, stored = self._stored(record_id)
            made = fold_again(self._view, record_id)
            state = stored
            was = None if stored is None else record_hash(stored)
            may = was is None or log_is_whole
            if made is not None and may and record_hash(made) != was:
                state = made
            if state is None:
                lost += 1
                continue
            born_lamport, born_id = first_of(self._connection, record_id)
            columns = (state.type, born_lamport, born_id, record_hash(state))
            if state is not stored:
                if is_nothing(state) and row is None:
                    continue
                folded += 1
            elif row is not None and row[1:] != columns:
                renewed += 1
            else:
                continue
            self._connection.execute(
                "INSERT INTO record(record_id, type, born_lamport, born_id, hash, state)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(record_id) DO UPDATE SET"
                " type = ?2, born_lamport = ?3, born_id = ?4, hash = ?5, state = ?6",
                (record_id, *columns, encode_state(state)),
            )
        self._say(folded, "records were folded again from the log")
        self._say(renewed, "records were given their hash or their place again")
        self._say(lost, "records cannot be made again: the log lacks what was said of them")

    def _told(self) -> Iterator[str]:
        """Every record that an op speaks of."""
        after = ""
        while True:
            rows = self._connection.execute(
                "SELECT DISTINCT record_id FROM op WHERE record_id > ? ORDER BY record_id LIMIT ?",
                (after, RECORDS_PER_PAGE),
            ).fetchall()
            if not rows:
                return
            names = [str(record_id) for (record_id,) in rows]
            yield from names
            after = names[-1]

    def _stored(self, record_id: str) -> tuple[tuple[Any, ...] | None, RecordState | None]:
        """(state, type, born_lamport, born_id, hash) of a record, and its state if it is sound."""
        row = self._connection.execute(
            "SELECT state, type, born_lamport, born_id, hash FROM record WHERE record_id = ?",
            (record_id,),
        ).fetchone()
        if row is None:
            return None, None
        try:
            return row, decode_state(record_id, row[0])
        except (ValueError, LookupError, TypeError, PeerFault):
            return row, None

    def _strangers(self) -> None:
        """Rows that stand for nothing."""
        execute = self._connection.execute
        execute("DELETE FROM memory_tag WHERE rid NOT IN (SELECT rid FROM memory)")
        untold = "record_id NOT IN (SELECT record_id FROM op)"
        gone = 0
        for what in (
            f"memory_tag WHERE rid IN (SELECT rid FROM record WHERE {untold})",  # noqa: S608
            f"memory WHERE rid IN (SELECT rid FROM record WHERE {untold})",  # noqa: S608
            f"record WHERE {untold}",
            "memory_tag WHERE rid NOT IN (SELECT rid FROM record)",
            "memory WHERE rid NOT IN (SELECT rid FROM record)",
            "link WHERE record_id NOT IN (SELECT record_id FROM record)",
            "entity_name WHERE record_id NOT IN (SELECT record_id FROM record)",
        ):
            execute(f"DELETE FROM {what}")  # noqa: S608  our own words
            gone += self._connection.changes()  # what triggers change does not count
        self.renewed_memories += gone
        self._say(gone, "rows that no op stands for were removed")

    def _rows(self, *, log_is_whole: bool) -> None:
        """Memories, tags, links and names against their records."""
        memories = links = names = 0
        after = ""
        while page := readable(self._view, after, RECORDS_PER_PAGE):
            after = page[-1][0]
            for name, kept in page:
                if kept is None:
                    continue
                shown = display(kept.state)
                row = memory_of(shown, kept.rid, kept.born_lamport, kept.born_id)
                tags = () if row is None else row.tags
                is_shown = row == shown_row(self._view, name) and has_its_marks(self._view, row)
                if log_is_whole:
                    is_shown = is_shown and has_its_past(self._view, row)
                if not is_shown or tags != self._view.tag_rows(kept.rid):
                    memories += 1
                    where = (kept.rid, name)
                    self._connection.execute("DELETE FROM memory_tag WHERE rid = ?", (kept.rid,))
                    self._connection.execute(
                        "DELETE FROM memory WHERE rid = ? OR record_id = ?", where
                    )
                    if row is not None:
                        told = changes_of(self._connection, (name,)).get(name, NEVER_TOLD)
                        self._connection.execute(PUT_MEMORY, memory_bindings(row, told))
                        self._connection.executemany(
                            "INSERT INTO memory_tag(tag, rid) VALUES(?, ?)",
                            [(tag, kept.rid) for tag in tags],
                        )
                link = shown_link(self._view, shown, kept.born_lamport)
                if link != self._view.link(name):
                    links += 1
                    self._connection.execute("DELETE FROM link WHERE record_id = ?", (name,))
                    if link is not None:
                        self._connection.execute(PUT_LINK, link_columns(link))
                named = names_of(shown)
                if named != self._view.name_rows(name):
                    names += 1
                    self._connection.execute(DROP_NAMES, (name,))
                    self._connection.executemany(PUT_NAME, name_columns(named))
        self.renewed_memories += memories
        self._say(memories, "memories were shown again as their records say")
        self._say(links, "links were shown again as their records say")
        self._say(names, "records gave their names again")

    def _population(self) -> None:
        """The counts of live memories against the memories."""
        if self._view.population_is_right():
            return
        self._connection.execute("DELETE FROM population")
        self._connection.execute(
            f"INSERT INTO population(namespace, agent_id, live) {POPULATION_SHOULD_BE}"
        )
        self._say(1, "table of counts was made again")

    def _vectors(self) -> None:
        """Vectors against the memories. What is missing is made by whoever makes vectors."""
        if not self._view.vector_problems():
            return
        execute = self._connection.execute
        execute(
            "DELETE FROM vector WHERE vid IN (SELECT vid FROM vector v"
            " LEFT JOIN memory m ON m.rid = v.rid LEFT JOIN space s ON s.sid = v.sid"
            " WHERE m.life IS NOT 'live' OR m.fingerprint IS NOT v.mark"
            " OR length(v.body) IS NOT 2 * s.dimension)"
        )
        self._say(self._connection.changes(), "vectors were removed that are none of any memory")
        execute("DELETE FROM vector_due")
        execute(DUE_AGAIN)
        self._say(1, "list of memories without a vector was made again")

    def _sums(self) -> None:
        """The digest against the records."""
        digest = Digest()
        rows = self._connection.execute("SELECT record_id, hash FROM record")
        for record_id, hashed in rows:
            digest = digest.add(bucket_of(str(record_id)), hashed)
        wrong = digest.differing(self._view.digest())
        self._connection.executemany(
            "INSERT OR REPLACE INTO bucket(b, sum) VALUES(?, ?)",
            [(bucket, digest.sums[bucket]) for bucket in wrong],
        )
        self._say(len(wrong), "buckets of the digest were added up again")

    def _ends(self, broken: Sequence[Dot]) -> None:
        """Where a whole log ends against what is noted of it."""
        logs = {dot.origin for dot in broken}
        renewed = 0
        for origin, head in self._view.heads().items():
            last = self._view.op(Dot(origin, head.seq))
            if origin in logs or last is None or last.chain == head.chain:
                continue
            renewed += 1
            self._connection.execute(
                "UPDATE origin SET head = ? WHERE node_id = ? AND incarnation = ?",
                (last.chain, origin.node_id, origin.incarnation),
            )
        self._say(renewed, "logs were given their last hash again")


def fold_again(view: View, record_id: str) -> RecordState | None:
    """The record as all of its ops make it; None if the log does not hold all that they said."""
    ops: list[Op] = []
    before: int | None = None
    while page := view.ops_of(record_id, before, RECORDS_PER_PAGE):
        before = page[-1].pos
        ops += [placed.op for placed in page]
    if any(op.kind == Kind.PURGE for op in ops):
        return RecordState(record_id, purged=True)
    state: RecordState | None = None
    for op in ops:
        try:
            check_op(op)
        except PeerFault:
            return None
        if op.body is None:
            return None
        state = apply(state, op)
    return state


def fits(view: View, op: Op) -> bool:
    """Whether this is the op that its neighbours in the log here speak of.

    Raises ChainFault if it does not match its own hashes.
    """
    check_op(op)
    head = view.head(op.origin)
    if op.seq > head.seq:
        return False
    after = view.op(Dot(op.origin, op.seq + 1))
    before = view.op(Dot(op.origin, op.seq - 1)) if op.seq > 1 else None
    follows = before.chain if before is not None else op.prev_chain
    if op.seq == 1:
        follows = CHAIN_START
    told = after.prev_chain if after is not None else op.chain
    if op.seq == head.seq:
        told = head.chain
    # With both neighbours gone nothing here would speak for it.
    known = op.seq in (1, head.seq) or before is not None or after is not None
    return known and op.prev_chain == follows and op.chain == told
