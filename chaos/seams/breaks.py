"""What chaos.seams.broken puts in the place of functions of the node: each as it was once written,
by us or by others, before somebody thought of the fault that it does not survive."""

# ruff: noqa: SLF001 - they stand where the real ones stood

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import apsw

from aimem_node.contract.errors import Failure
from aimem_node.store import session as sessions
from aimem_node.store.view import View
from aimem_sync import merge, quorum
from aimem_sync.cursor import Range
from aimem_sync.dot import Dot
from aimem_sync.edit import Edit
from aimem_sync.effects import Answer, Note, Outcome
from aimem_sync.faults import Duplicate, OpFault
from aimem_sync.lamport import witness
from aimem_sync.log import Head
from aimem_sync.op import Kind, Op

ROWS_LATER_S: Final = 0.1
"""Between two transactions that should be one. At twenty writes a second a kill would seldom meet
the millisecond that lies between two commits that follow at once."""

# ---- the disk ------------------------------------------------------------------------------------


def sync_no_commit(connection: apsw.Connection) -> None:
    """Checkpoints are still synced, so the file stays whole: only the last commits go."""
    connection.pragma("synchronous", "normal")


def cursor_first(self: Any, ticket: int, ops: Sequence[Op], settled: Any, kept: Any = None) -> None:
    """Disk.keep in two transactions, the second of which is left for a moment with less to do."""
    beside = [one for op in ops if (one := self._beside.pop(op.dot, None)) is not None]

    def moves(session: Any) -> None:
        numbers = session._ledger.now
        for op in ops:
            session._ledger.oid(op.origin)
            numbers.heads[op.origin] = Head(op.seq, op.chain)
            numbers.moved.add(op.origin)
            numbers.lamport = witness(numbers.lamport, op.lamport)
        numbers.lamport_moved = True

    def rows(session: Any) -> None:
        session.settled = settled
        numbers = session._ledger.now
        before = numbers.pos
        numbers.pos += len(ops)
        put = [
            sessions._op_row(before + 1 + at, session._ledger.oid(op.origin), op)
            for at, op in enumerate(ops)
        ]
        session._connection.executemany(sessions._PUT_OP, put)
        session._folding.fold(list(ops), before, settled)
        for one in beside:
            session._take_answer(one)

    def bring() -> None:
        with contextlib.suppress(Failure):  # the store is closing
            self._store.writer.submit(rows)

    def moved(done: Any) -> None:
        later = threading.Timer(ROWS_LATER_S, bring)
        later.daemon = True
        later.start()
        if kept is not None:
            self._soon(kept)
        self._done(ticket, done)

    self._store.writer.submit(moves).add_done_callback(moved)


# ---- ops of others -------------------------------------------------------------------------------


def take_run_without_tombstones(
    self: Any, ops: Sequence[Op], answers: Sequence[bytes] = ()
) -> None:
    """WriteSession.take_run, deaf for deletions."""
    before = self._ledger.now.pos
    told = [op for op in self._append(ops) if not _deletes(op)]
    if told:
        self._folding.fold(told, before, self.settled)
    for encoded in answers:
        self._take_answer(encoded)


def _deletes(op: Op) -> bool:
    if op.kind == Kind.PURGE:
        return True
    if op.kind != Kind.EDIT or op.body is None:
        return False
    try:
        life = Edit.decode(op.body).set.get("life")
    except OpFault:
        return False
    return isinstance(life, dict) and life.get("is") == "deleted"


def any_successor(_self: Any, head: Head, op: Op) -> Head:
    """Intake._next without a look at hashes and gaps."""
    return any_of_a_later_number(head, op)


def any_of_a_later_number(head: Head, op: Op) -> Head:
    """log.admit, the same."""
    if op.seq <= head.seq:
        raise Duplicate(op.seq)
    return Head(op.seq, op.chain)


def signed_anyhow(_self: Any, message: Any) -> Any:
    """PeerNet._signed."""
    return message


def page_by_lamport(self: Any, net: Any, effect: Any) -> None:
    """Outbox.page with one number for all logs: the newest that the asker has of any of them."""
    link = net._side.core.links.get(effect.to)
    held = dict(link.held) if link is not None else {}

    def read(view: View) -> Any:
        newest = [_lamport(view, Dot(origin, seq)) for origin, seq in held.items() if seq]
        cursor = max(newest, default=0)
        ranges = [_newer(view, wanted, cursor) for wanted in effect.ranges]
        return self._run_for(view, effect.to, [one for one in ranges if one.first <= one.last])

    self.read_then(read, lambda run: net.send_page(effect.to, effect.pull_id, *run))


def _lamport(view: View, dot: Dot) -> int:
    op = view.op(dot)
    return op.lamport if op is not None else 0


def _newer(view: View, wanted: Range, cursor: int) -> Range:
    first = wanted.first
    while first <= wanted.last and _lamport(view, Dot(wanted.origin, first)) <= cursor:
        first += 1
    return replace(wanted, first=first)


# ---- counting and answering ----------------------------------------------------------------------

_acks_in = quorum.acks_in


def each_counts_twice(config: Any, holders: Iterable[str], eligible: Any = None) -> frozenset[str]:
    """quorum.acks_in."""
    once = _acks_in(config, holders, eligible)
    return once | {f"{node} again" for node in once}


def late_is_committed(_self: Any, write: Any, acked: frozenset[str], needed: int) -> Answer:
    """Quorum._late."""
    return Answer(write.request, Outcome.COMMITTED, tuple(sorted(acked)), needed)


def late_is_failed(_self: Any, write: Any, acked: frozenset[str], needed: int) -> Answer:
    """Quorum._late."""
    reason = f"{len(acked)} of {needed} voters hold it so far"
    return Answer(write.request, Outcome.NOT_WRITTEN, (), needed, reason)


def no_key_known(_self: Any, _author: str, _request_key: str) -> None:
    """WriteSession.idem."""


async def nothing_earlier(_self: Any, _intent: Any) -> None:
    """Replica.earlier."""


_put_answer = sessions.WriteSession._put_answer


def put_answer_again(self: Any, author: str, request_key: str, *more: Any) -> None:
    """WriteSession._put_answer, of a key that may be there."""
    whose = (author, request_key)
    for table in ("idem_record", "idem"):
        self._connection.execute(
            f"DELETE FROM {table} WHERE author = ? AND request_key = ?",
            whose,
        )
    _put_answer(self, author, request_key, *more)


def new_id_each_time(self: Any, _index: int = 0) -> str:
    """WriteCall.new_id: the second line of defence, that one key makes one record on any node."""
    made: str = self.chance.record_id()
    return made


async def reached_already(_self: Any, after: Any, _session: Any, *, writes: bool) -> Any:  # noqa: ARG001
    """Dispatcher._reach."""
    return after


# ---- merging -------------------------------------------------------------------------------------

_join_heads = merge._join_heads


def join_heads_by_arrival(a: Any, b: Any, overwritten: Any) -> Mapping[str, Any]:
    """merge._join_heads."""
    joined = _join_heads(a, b, overwritten)
    came = {
        name: tuple(one for one in versions if (name, one.dot) not in overwritten)
        for name, versions in b.heads.items()
    }
    return {name: came.get(name) or versions for name, versions in joined.items()}


# ---- coming back ---------------------------------------------------------------------------------


def never_rolled_back(_self: Any, _have_seq: int, _incarnation: str = "") -> bool:
    """Fence.rolled_back."""
    return False


def only_a_note(reason: str) -> Note:
    """effects.Fence."""
    return Note(f"not minded: {reason}")
