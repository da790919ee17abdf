"""What can be written, inside one transaction of the writer.

`take` and `take_run` are the one door for ops, own and others': they append to the log, fold the
records, move the digest and renew every row made from them, all or nothing. One op and a run of
hundreds go the same way; a run only goes it once.

What every op would change anew (where the logs end, the sums of the digest, the words of the
index) is held back in memory until the end of the group: see ledger and index. So whoever reads
these things inside a transaction must read them through the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import apsw

from aimem_node.store.answers import Answer
from aimem_node.store.folding import Folding
from aimem_node.store.fulltext import Mode, SearchResult
from aimem_node.store.index import Index, Text
from aimem_node.store.ledger import Ledger, Numbers
from aimem_node.store.listing import Filter
from aimem_node.store.meta import IN_INDEX, META_UNSCRUBBED
from aimem_node.store.repair import Repair, fits
from aimem_node.store.shelf import Shelf
from aimem_node.store.truncation import truncate
from aimem_node.store.vector_writes import VectorWrites
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest
from aimem_sync.display import Display
from aimem_sync.faults import Duplicate, OpFault
from aimem_sync.lamport import witness
from aimem_sync.log import Head, admit
from aimem_sync.op import Kind, Op, Origin
from aimem_sync.state import RecordState

if TYPE_CHECKING:
    from aimem_node.store.vector_index import VectorIndexes

_NOT_BEGUN: Final = Head()
_PUT_OP: Final = (
    "INSERT INTO op(pos, oid, seq, lamport, wall_us, epoch, kind, record_id, author, request_key,"
    " body_sha256, body, prev_chain, chain, sig, withheld)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a session can be taken back to in memory, as a savepoint does for the file."""

    unindexed: dict[int, Text | None]
    numbers: Numbers | None


class WriteSession(View, VectorWrites):
    """A view that also writes, and reads its own writes. For the writer's thread only."""

    def __init__(self, connection: apsw.Connection, vectors: VectorIndexes | None = None) -> None:
        super().__init__(connection, vectors)
        self.settled: Cursor | None = None
        """What every member has taken in, as the replica knows it: what earlier ops overwrote
        before then can be forgotten, since nothing that speaks of it can still come."""
        self._ledger = Ledger(connection)
        self._index = Index(connection)
        self._shelf = Shelf(connection, self._ledger, self._index)
        self._folding = Folding(connection, self._shelf, self._purged)
        self._last: tuple[Op, int] | None = None  # appended last, and the row of its origin

    # -- ops -------------------------------------------------------------------------------

    def take(self, op: Op) -> Display | None:
        """Append an op and fold it into its record; returns what is shown of that now.

        An op that is held already changes nothing. One that cannot come next raises Gap, Fork,
        ChainFault or LamportFault and changes nothing either. Signatures are the caller's part.
        None if nothing is known of the record but that ops about it exist.
        """
        before = self._ledger.now.pos
        taken = self._append((op,))
        if not taken:
            return self.display(op.record_id)
        return self._folding.fold(taken, before, self.settled).get(op.record_id)

    def take_run(self, ops: Sequence[Op], answers: Sequence[bytes] = ()) -> None:
        """Append and fold many ops, each in its turn: the same rows as taking them one by one.

        `answers`, encoded, travel beside some of them; one that makes no sense is passed over.
        Raises what `take` raises for the first op that cannot come next; a job that goes on after
        that has none of them.
        """
        before = self._ledger.now.pos
        taken = self._append(ops)
        if taken:
            self._folding.fold(taken, before, self.settled)
        for encoded in answers:
            self._take_answer(encoded)

    def _append(self, ops: Sequence[Op]) -> list[Op]:
        """Add ops to their logs; returns those that were not held already."""
        numbers = self._ledger.now
        heads: dict[Origin, Head] = {}
        lamport, pos = numbers.lamport, numbers.pos
        taken: list[Op] = []
        rows: list[tuple[Any, ...]] = []
        for op in ops:
            origin = op.origin
            head = heads.get(origin) or numbers.heads.get(origin, _NOT_BEGUN)
            try:
                after = admit(head, op)
            except Duplicate:
                continue
            lamport = witness(lamport, op.lamport)
            heads[origin] = after
            pos += 1
            rows.append(_op_row(pos, self._ledger.oid(origin), op))
            taken.append(op)
        if not taken:
            return taken
        self._connection.executemany(_PUT_OP, rows)
        self._last = taken[-1], rows[-1][1]
        numbers.heads.update(heads)
        numbers.moved.update(heads)
        numbers.pos = pos
        if lamport != numbers.lamport:
            numbers.lamport, numbers.lamport_moved = lamport, True
        return taken

    def _purged(self, record_id: str, *, was_shown: bool) -> None:
        """A record is banned: for the first time, or once more by an op that came later."""
        self.erase_bodies(record_id)
        self._vectors_purged()
        if was_shown:
            self.put_meta(META_UNSCRUBBED, IN_INDEX)

    def erase_bodies(self, record_id: str) -> None:
        """Take the text of a record's ops out of the log, and the answers that speak of it.

        Header, hash and signature stay, so the log still verifies. Done by itself when a purge
        is folded, and for every op of a purged record that comes later.
        """
        self._connection.execute(
            "UPDATE op SET body = NULL, withheld = 0 WHERE record_id = ? AND kind <> ?"
            " AND (body IS NOT NULL OR withheld = 1)",
            (record_id, Kind.PURGE),
        )
        self._connection.execute(
            "DELETE FROM idem WHERE (author, request_key) IN"
            " (SELECT author, request_key FROM idem_record WHERE record_id = ?1"
            "  UNION SELECT author, request_key FROM op WHERE record_id = ?1)",
            (record_id,),
        )

    def truncate(self, upto: Cursor, before_us: int) -> Cursor:
        """Give up bodies of ops up to there that are older than `before_us`; returns the floor.

        A bounded part of it: call again as long as the floor moves. See truncation.
        """
        self._ledger.write()
        truncate(self._connection, upto, before_us)
        return self.floor()

    def mend(self, op: Op) -> bool:
        """Put an op, fetched elsewhere, in the place of a row that is broken, missing or bare.

        False, and nothing is changed, if it is not the op that the log here speaks of. Raises
        ChainFault if it does not match its own hashes. Signatures are the caller's part.
        """
        if not fits(self, op):
            return False
        numbers = self._ledger.now
        oid = self._ledger.oid(op.origin)
        pos = self._value("SELECT pos FROM op WHERE oid = ? AND seq = ?", oid, op.seq)
        if pos is None:
            pos = numbers.pos = numbers.pos + 1
        self._connection.execute("DELETE FROM op WHERE oid = ? AND seq = ?", (oid, op.seq))
        self._connection.execute(_PUT_OP, _op_row(int(pos), oid, op))
        self._folding.fold((op,), numbers.pos, None)
        return True

    def repair(self) -> list[str]:
        """Make again from the log what does not match it; a line about each kind. See repair."""
        self.finish()
        repair = Repair(self._connection, View(self._connection))
        lines = repair.run()
        self.forget()
        if repair.renewed_memories or self._index.problem():
            self._index.rebuild()
            lines.append("the full-text index was made again")
        return lines

    # -- answers, members and named values -------------------------------------------------

    def put_idem(
        self,
        author: str,
        request_key: str,
        request_sha256: bytes,
        response: bytes,
        at_us: int,
        record_ids: Iterable[str],
    ) -> None:
        """Keep the first answer to a request key. `record_ids`: all whose text it may hold.

        It travels beside the last op in the log that this key made.
        """
        last = self._last
        if last is not None and (last[0].author, last[0].request_key) == (author, request_key):
            at: tuple[int | None, int | None] = last[1], last[0].seq
        else:
            at = self._last_of_key(author, request_key) or (None, None)
        self._put_answer(author, request_key, request_sha256, response, at_us, record_ids, at)

    def forget_idem(self, before_us: int, limit: int) -> int:
        """Drop answers given before then, at most `limit`; returns how many went."""
        self._connection.execute(
            "DELETE FROM idem WHERE (author, request_key) IN"
            " (SELECT author, request_key FROM idem WHERE at_us < ? ORDER BY at_us LIMIT ?)",
            (before_us, limit),
        )
        return self._connection.changes()

    def put_config(self, epoch: int, config: bytes, proof: bytes) -> None:
        """Keep an epoch, in place of what was kept under its number."""
        self._connection.execute(
            "INSERT OR REPLACE INTO config(epoch, config, proof) VALUES(?, ?, ?)",
            (epoch, config, proof),
        )

    def reset_configs(self, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Keep these epochs and no others: (epoch, config, proof), as `configs` gives them."""
        self._connection.execute("DELETE FROM config")
        self._connection.executemany(
            "INSERT INTO config(epoch, config, proof) VALUES(?, ?, ?)", list(rows)
        )

    def delete_meta(self, k: str) -> None:
        """Remove a named value, if there is one."""
        self._connection.execute("DELETE FROM meta WHERE k = ?", (k,))

    def _take_answer(self, encoded: bytes) -> None:
        """Keep an answer that came from elsewhere, if there is a place for it."""
        try:
            answer = Answer.decode(encoded)
        except OpFault:
            return
        oid = self._ledger.now.oids.get(answer.dot.origin)
        # Only beside an op that is here and says of itself that this key made it: an answer is in
        # no chain, and whoever relays it could otherwise answer for others.
        made = oid is not None and self._value(
            "SELECT 1 FROM op WHERE oid = ? AND seq = ? AND author = ? AND request_key = ?",
            oid, answer.dot.seq, answer.author, answer.request_key,
        )  # fmt: skip
        if not made or self.idem(answer.author, answer.request_key) is not None:
            return
        kept = self._shelf.find_all(answer.record_ids)
        if any(one.state.purged for one in kept.values()):
            return
        self._put_answer(
            answer.author, answer.request_key, answer.request_sha256, answer.response,
            answer.at_us, answer.record_ids, (oid, answer.dot.seq),
        )  # fmt: skip

    def _put_answer(
        self,
        author: str,
        request_key: str,
        request_sha256: bytes,
        response: bytes,
        at_us: int,
        record_ids: Iterable[str],
        dot: tuple[int | None, int | None],
    ) -> None:
        self._connection.execute(
            "INSERT INTO idem(author, request_key, request_sha256, response, at_us, made_oid,"
            " made_seq) VALUES(?, ?, ?, ?, ?, ?, ?)",
            (author, request_key, request_sha256, response, at_us, *dot),
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO idem_record(record_id, author, request_key) VALUES(?, ?, ?)",
            [(record_id, author, request_key) for record_id in record_ids],
        )

    # -- reads that must see this session's writes -----------------------------------------

    def state(self, record_id: str) -> RecordState | None:
        kept = self._shelf.find(record_id)
        return None if kept is None else kept.state

    def heads(self) -> dict[Origin, Head]:
        return dict(self._ledger.now.heads)

    def head(self, origin: Origin) -> Head:
        return self._ledger.now.heads.get(origin, _NOT_BEGUN)

    def have(self) -> Cursor:
        return Cursor({origin: head.seq for origin, head in self._ledger.now.heads.items()})

    def lamport(self) -> int:
        return self._ledger.now.lamport

    def last_pos(self) -> int:
        return self._ledger.now.pos

    def digest(self) -> Digest:
        return self._ledger.digest()

    def search(self, text: str, mode: Mode, wanted: Filter, limit: int) -> SearchResult:
        self._index.write()
        return super().search(text, mode, wanted, limit)

    def matching_ids(self, pattern: str | None, wanted: Filter, limit: int) -> list[str]:
        self._index.write()
        return super().matching_ids(pattern, wanted, limit)

    def similar_titles(self, title: str, wanted: Filter, limit: int) -> list[str]:
        self._index.write()
        return super().similar_titles(title, wanted, limit)

    # -- for the writer --------------------------------------------------------------------

    def mark(self) -> Mark:
        """Remember this moment. Set together with a savepoint."""
        return Mark(self._index.mark(), self._ledger.mark())

    def back_to(self, mark: Mark) -> None:
        """Forget what the file has forgotten. Call with a rollback to the savepoint."""
        self._index.back_to(mark.unindexed)
        self._ledger.back_to(mark.numbers)
        self._shelf.forget()
        self._origins.clear()
        self._last = None

    def finish(self) -> None:
        """Write what was held back. Called before every commit."""
        self._ledger.write()
        self._index.write()

    def merge_index(self, pages: int) -> bool:
        """See Index.merge."""
        return self._index.merge(pages)

    def index_problem(self) -> str:
        """What is wrong with the full-text index; "" if nothing is."""
        return self._index.problem()

    def rebuild_index(self) -> None:
        """Make the full-text index again from the live memories."""
        self._index.rebuild()

    def forget(self) -> None:
        """Remember nothing: the rows were changed by other means than this session's."""
        self._ledger.forget()
        self._shelf.forget()
        self._origins.clear()


def _op_row(pos: int, oid: int, op: Op) -> tuple[Any, ...]:
    """An op as bindings of _PUT_OP. An edit without a body is taken to be withheld until a purge
    of its record is seen."""
    withheld = int(op.body is None and op.kind != Kind.PURGE)
    return (
        pos, oid, op.seq, op.lamport, op.wall_us, op.epoch, op.kind, op.record_id, op.author,
        op.request_key, op.body_sha256, op.body, op.prev_chain, op.chain, op.sig, withheld,
    )  # fmt: skip
