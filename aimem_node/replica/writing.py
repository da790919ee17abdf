"""One write from its request to its answer, and the values that it is made of.

The work runs on the writer's thread inside the transaction; everything else about a write runs on
the event loop. The core says first whether it may be done at all, and at the end how it stands.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeAlias, TypeVar

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Outcome, PeerStatus
from aimem_node.replica.granting import bare, holders_of_all, speaks_of_grants
from aimem_node.replica.recent import Travelling
from aimem_node.store.answers import Answer as Beside
from aimem_node.store.session import WriteSession
from aimem_sync import effects
from aimem_sync.change import Change, body_for
from aimem_sync.deeds import name_of
from aimem_sync.display import Display
from aimem_sync.events import NotWritten, WriteWanted, Wrote
from aimem_sync.lamport import next_lamport
from aimem_sync.log import Head, append
from aimem_sync.op import Dot, Kind, Op, Origin, Stamp, encode_op
from aimem_sync.quorum import acks_in, needed_in

if TYPE_CHECKING:
    from aimem_node.replica.plane import Plane
    from aimem_node.replica.replica import Replica

R = TypeVar("R")

DEADLINE_MS: Final = 1_500
CATCH_BREATH_S: Final = 0.005
"""Before a write that came too soon after a burst is tried again."""
UNREACHABLE: Final = "unreachable"
"""As aimem_sync.peers calls a member that was not heard of lately."""
OPS_PER_WRITE_MAX: Final = 5_000
"""What one request may append. A bulk store of 1,000 memories stays far below; a forget pages."""

Copies: TypeAlias = Callable[[WriteSession, Sequence[Op]], tuple[int, frozenset[str] | None] | None]
"""How many members must hold these ops (0: a majority), and which may (None: all); None if no
namespace says anything."""


@dataclass(frozen=True, slots=True)
class Intent(Generic[R]):
    """Who wants a write, under which request key, and how its answer is kept."""

    author: str
    now_us: int
    encode: Callable[[R], bytes]
    decode: Callable[[bytes], R]
    request_key: str = ""
    request_sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a caller wants a write to be kept."""

    needed: int = 0
    "W; 0 is as the namespace says, and a majority if it says nothing."
    deadline_ms: int = DEADLINE_MS
    allow_pending: bool = False
    "Write even if too few members are in reach."


ANY_WISH: Final = Wish()
HERE: Final = Wish(needed=1, allow_pending=True)
"""For the node's own bookkeeping: answered once it is on this disk."""


@dataclass(frozen=True, slots=True)
class Ack:
    """How a write stands: COMMITTED or PENDING, and why."""

    outcome: Outcome
    acks: int
    needed: int
    reason: str = ""
    peers: tuple[PeerStatus, ...] = ()


NO_ACK: Final = Ack(Outcome.COMMITTED, 1, 1)
"""Of a write that changed nothing, or whose fate is not known yet."""


@dataclass(frozen=True, slots=True)
class Written(Generic[R]):
    """What a write did: its answer and the ops it appended, or an earlier answer again."""

    response: R
    write_ids: tuple[str, ...]
    replayed: bool
    ack: Ack


@dataclass(slots=True)
class Tx:
    """One write in progress. Everything it changes is kept together, or not at all."""

    session: WriteSession
    origin: Origin
    author: str
    now_us: int
    request_key: str
    sign: Callable[[bytes], bytes]
    epoch: int = 0
    ops: list[Op] = field(default_factory=list)
    gate: "Gate | None" = None
    about: Any = None
    "The call that this write is for, which the gate looks at. Opaque here."
    notes: Any = None
    "What the gate remembers of this write. Opaque here too."
    shown: set[str] = field(default_factory=set)
    """Records whose text the answer holds although no op speaks of them: an erasure must find it
    where answers are kept."""

    def change(self, change: Change) -> Display | None:
        """Stamp one change, append it to this node's log and fold it. Returns what is shown now.

        Raises Failure if the gate refuses it: then nothing of the whole write is kept.
        """
        if self.gate is not None:
            change = self.gate.change(self, change)
        at = f"{self.origin}:{self.session.head(self.origin).seq + 1}"
        deed = name_of(self.author, self.request_key, at)
        body = body_for(change, self.session.state(change.record_id), self.origin, deed)
        return self._append(change.kind, change.record_id, body)

    def purge(self, record_id: str) -> None:
        """Ban a memory for good and erase the text of its ops, here and wherever this op goes. The
        aliases of one that stands for an entity go with it."""
        aliases = f"entity:{record_id}"
        if self.session.state(aliases) is not None:
            self.change(Change(aliases, "entity", kind=Kind.PURGE))
        self.change(Change(record_id, "memory", kind=Kind.PURGE))

    def _append(self, kind: str, record_id: str, body: bytes) -> Display | None:
        if len(self.ops) >= OPS_PER_WRITE_MAX:
            raise Failure(
                Code.TOO_LARGE,
                f"one request may append {OPS_PER_WRITE_MAX} ops and this one wants more",
                next="Send it in smaller parts.",
            )
        stamp = Stamp(
            lamport=next_lamport(self.session.lamport()), wall_us=self.now_us, epoch=self.epoch
        )
        op = append(
            self.session.head(self.origin),
            stamp,
            kind,
            record_id,
            body,
            self.author,
            self.request_key,
            self.origin,
            self.sign,
        )
        self.ops.append(op)
        return self.session.take(op)


class Gate(Protocol):
    """Says what may be written. It raises what the write is to end with; then nothing is kept."""

    def change(self, tx: Tx, change: Change) -> Change:
        """Asked before each change of every kind is stamped. Returns it as it may be made."""
        ...

    def done(self, tx: Tx) -> None:
        """Asked once more when all changes of a write are made, of all of them together."""
        ...


class _TooFewError(Exception):
    """Raised inside the transaction, so that nothing of it stays."""

    def __init__(self, near: int, wanted: int) -> None:
        super().__init__(f"{near} of the {wanted} voters that are needed are in sync")
        self.near = near
        self.wanted = wanted


class Attempt(Generic[R]):
    """One write in hand."""

    def __init__(
        self, replica: "Replica", intent: Intent[R], work: Callable[[Tx], R], wish: Wish
    ) -> None:
        self.erased = False
        self._replica = replica
        self._plane: Plane = replica.plane
        self._intent = intent
        self._work = work
        self._wish = wish
        self._request = self._plane.new_request()
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Written[R]] = self._loop.create_future()
        self._begun = False
        self._unsure = False
        "Whether the core was not asked if enough members are in sync: the transaction has to."
        self._future: Future[_Kept[R]] | None = None

    async def run(self) -> Written[R]:
        """See Replica.write."""
        wish, plane = self._wish, self._plane
        deadline_us = self._replica.clock.monotonic_us() + wish.deadline_ms * 1_000
        while True:
            # Where W hangs on the namespace it is checked in the transaction, which alone knows.
            self._unsure = self._replica.copies_set
            wanted = WriteWanted(
                self._request, deadline_us, wish.needed, wish.allow_pending or self._unsure
            )
            answered = plane.ask_write(wanted, self._begin)
            try:
                if not self._begun:  # refused, or to begin after a while: see aimem_sync.startup
                    await asyncio.wait((answered, self._done), return_when=asyncio.FIRST_COMPLETED)
                if self._begun:
                    written = await self._done
                    return replace(written, ack=ack_of(await answered, plane))
                answer = await answered
            except _TooFewError as few:
                answer = self._too_few(few)
            except asyncio.CancelledError:
                if self._future is not None:
                    self._future.cancel()  # if its turn has not come, it need not come
                elif not self._begun:
                    plane.feed(NotWritten(self._request, "the caller gave up before its turn came"))
                raise
            finally:
                plane.forget(self._request)
            # Members that are in reach but behind will be level again in a moment: a burst is
            # slowed down, not refused.
            late = self._replica.clock.monotonic_us() >= deadline_us
            if late or plane.in_reach() < answer.needed:
                return await self._refused(answer)
            await asyncio.sleep(CATCH_BREATH_S)
            self._request, self._begun = plane.new_request(), False
            self._done = self._loop.create_future()

    def _too_few(self, few: _TooFewError) -> effects.Answer:
        peers = self._plane.core.peer_status(self._plane.own_dot())
        return effects.Answer(
            self._request, effects.Outcome.NOT_WRITTEN, (), few.wanted, str(few), peers
        )

    async def _refused(self, answer: effects.Answer) -> Written[R]:
        """The core would have nothing begun; but the request key may have been used before."""
        earlier = await self._replica.earlier(self._intent)
        if earlier is None:
            raise not_written(answer, self._plane)
        if not earlier.write_ids:
            return replace(earlier, ack=NO_ACK)
        dot = Dot.parse(earlier.write_ids[-1])
        return replace(earlier, ack=await self._replica.wait(dot, self._wish))

    def _begin(self, _request: int) -> None:
        self._begun = True
        try:
            future = self._replica.store.writer.submit(self._job)
        except Exception as error:
            self._loop.call_soon(self._failed, error)
            return
        self._future = future
        future.add_done_callback(self._kept)

    def _kept(self, future: "Future[_Kept[R]]") -> None:
        try:
            self._loop.call_soon_threadsafe(self._finished, future)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            return

    def _finished(self, future: "Future[_Kept[R]]") -> None:
        if future.cancelled():
            self._plane.feed(NotWritten(self._request, "the caller gave up before its turn came"))
            return
        error = future.exception()
        if error is not None:
            self._failed(error)
            return
        kept = future.result()
        if kept.grants_changed:
            self._plane.grants_changed()
        for one in kept.travelling:
            self._plane.recent.add(one)
        self._plane.wrote(Wrote(self._request, kept.dot, kept.head, kept.needed, kept.eligible))
        if not self._done.done():
            self._done.set_result(kept.written)

    def _failed(self, error: BaseException) -> None:
        self._plane.feed(NotWritten(self._request, str(error)))
        if not self._done.done():
            self._done.set_exception(error)

    # ---- on the writer's thread ----------------------------------------------------------------

    def _job(self, session: WriteSession) -> "_Kept[R]":
        replica, intent = self._replica, self._intent
        self._plane.check_not_fenced()  # it may have been since this was asked for
        own = self._plane.origin
        if intent.request_key:
            seen = session.idem(intent.author, intent.request_key)
            if seen is not None:
                return self._seen(session, own, replica.again(intent, seen))
        # What a lone node has is what every member has.
        session.settled = session.have() if self._plane.is_alone else self._plane.settled
        tx = Tx(
            session, own, intent.author, intent.now_us, intent.request_key,
            replica.identity.sign, self._plane.config.epoch, gate=replica.gate,
        )  # fmt: skip
        response = self._work(tx)
        if tx.gate is not None:
            tx.gate.done(tx)
        needed, eligible = self._copies(session, tx.ops)
        self.erased = any(op.kind == Kind.PURGE for op in tx.ops)
        write_ids = tuple(str(op.dot) for op in tx.ops)
        packed = b""
        record_ids = sorted({op.record_id for op in tx.ops} | tx.shown)
        if intent.request_key:
            packed = _pack(write_ids, intent.encode(response))
            session.put_idem(
                intent.author, intent.request_key, intent.request_sha256, packed, intent.now_us,
                record_ids,
            )  # fmt: skip
        head = session.head(own)
        replica.fence.reach(head.seq)
        travelling = (
            [] if self._plane.is_alone else self._encoded(session, tx.ops, packed, record_ids)
        )
        return _Kept(
            Written(response, write_ids, replayed=False, ack=NO_ACK),
            tx.ops[-1].dot if tx.ops else None, head, needed, eligible, travelling,
            speaks_of_grants(tx.ops),
        )  # fmt: skip

    def _seen(self, session: WriteSession, own: Origin, again: Written[R]) -> "_Kept[R]":
        dot = Dot.parse(again.write_ids[-1]) if again.write_ids else None
        return _Kept(again, dot, session.head(own), self._wish.needed, None, [])

    def _copies(
        self, session: WriteSession, ops: Sequence[Op]
    ) -> tuple[int, frozenset[str] | None]:
        """W of this write and who counts toward it. Raises _TooFew: all is taken back."""
        replica = self._replica
        if replica.copies is None or not ops:
            return self._wish.needed, None
        found = replica.copies(session, ops)
        replica.copies_set = found is not None
        if found is None and not self._unsure:
            return self._wish.needed, None  # the core has seen to it
        needed, eligible = found or (self._wish.needed, None)
        needed = max(self._wish.needed, needed) if eligible else (self._wish.needed or needed)
        config = self._plane.config
        wanted = needed_in(config, needed, eligible)
        near = len(acks_in(config, self._plane.in_sync, eligible))
        if near < wanted and not self._wish.allow_pending:
            raise _TooFewError(near, wanted)
        return needed, eligible

    def _encoded(
        self, session: WriteSession, ops: Sequence[Op], packed: bytes, record_ids: Sequence[str]
    ) -> list[Travelling]:
        """The ops as they go to others, with the answer beside the last of them."""
        intent, grants = self._intent, self._plane.grants
        if not self._replica.copies_set:
            grants = None
        travelling = []
        for op in ops:
            beside = b""
            told: frozenset[str] | None = None
            if packed and op is ops[-1]:
                told = holders_of_all(grants, session, record_ids) if grants else None
                beside = Beside(
                    op.dot, intent.author, intent.request_key, intent.request_sha256, packed,
                    intent.now_us, tuple(record_ids),
                ).encode()  # fmt: skip
            holders = None
            if grants is not None and op.kind != Kind.PURGE:
                holders = grants.holders(session, op.record_id)
            without = encode_op(bare(op)) if holders is not None else b""
            travelling.append(Travelling(op.seq, encode_op(op), beside, holders, without, told))
        return travelling


@dataclass(frozen=True, slots=True)
class _Kept(Generic[R]):
    """What the transaction did."""

    written: Written[R]
    dot: Dot | None
    head: Head
    needed: int
    eligible: frozenset[str] | None
    travelling: list[Travelling]
    grants_changed: bool = False


def ack_of(answer: effects.Answer, plane: "Plane") -> Ack:
    """How a write stands, in the words of the contract."""
    if answer.outcome is effects.Outcome.NOT_WRITTEN:
        raise not_written(answer, plane)
    if answer.outcome is effects.Outcome.COMMITTED:
        return Ack(Outcome.COMMITTED, len(answer.acked_by), answer.needed)
    peers = peers_of(answer, plane)
    return Ack(Outcome.PENDING, len(answer.acked_by), answer.needed, answer.reason, peers)


def peers_of(answer: effects.Answer, plane: "Plane") -> tuple[PeerStatus, ...]:
    """Each other member with the reason why it does not hold the write yet.

    Of one that is out of reach the connections know more than the core does: a certificate that is
    not the member's own must not look like a machine that is switched off.
    """
    names = {member.node_id: member.name for member in plane.config.members}

    def why(node_id: str, state: str, reason: str) -> str:
        return (plane.net.why_not(node_id) if state == UNREACHABLE else "") or reason

    return tuple(
        PeerStatus(
            node_id=node_id, name=names.get(node_id, ""), state=state,
            reason=why(node_id, state, reason),
        )
        for node_id, state, reason in answer.peers
    )  # fmt: skip


def not_written(answer: effects.Answer, plane: "Plane") -> Failure:
    """Too few members are in reach. Nothing was logged anywhere."""
    peers = [
        {"node_id": one.node_id, "name": one.name, "state": one.state, "reason": one.reason}
        for one in peers_of(answer, plane)
    ]
    return Failure(
        Code.NOT_WRITTEN,
        f"nothing was written: {answer.reason}",
        next="Send it again when more members are in reach, or let it be pending: "
        "options.allow_pending, --allow-pending on the command line.",
        details={"needed": answer.needed, "reason": answer.reason, "peers": peers},
    )


def _pack(write_ids: tuple[str, ...], answer: bytes) -> bytes:
    head = "\n".join(write_ids).encode()
    return len(head).to_bytes(4, "big") + head + answer
