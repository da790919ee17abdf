"""The one write path: stamp changes into ops, append them, fold them, answer.

A piece of work runs on the writer's thread, inside the transaction, and reads what it decides
by from that same transaction. So a title cannot be taken twice, a limit cannot be overrun by
two callers at once, and a request key is looked up in the same breath in which it is recorded.
What the work returns is encoded and kept with its request key before the commit: a retry gets
the first answer, to the byte, whatever has happened to the memory since.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aimem_node.clocks import Chance, Clock
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import Identity
from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_sync.change import Change, body_for
from aimem_sync.display import Display
from aimem_sync.lamport import next_lamport
from aimem_sync.log import append
from aimem_sync.op import Kind, Op, Origin, Stamp

R = TypeVar("R")

META_INCARNATION = "incarnation"
META_NODE_ID = "node_id"
META_RESTORED = "restored"
META_CLUSTER_ID = "cluster_id"
OPS_PER_WRITE_MAX = 5_000
"""What one request may append. A bulk store of 1,000 memories stays far below; a forget pages."""


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
class Written(Generic[R]):
    """What a write did: its answer and the ops it appended, or an earlier answer again."""

    response: R
    write_ids: tuple[str, ...]
    replayed: bool


@dataclass(slots=True)
class Tx:
    """One write in progress. Everything it changes is kept together, or not at all."""

    session: WriteSession
    origin: Origin
    author: str
    now_us: int
    request_key: str
    sign: Callable[[bytes], bytes]
    ops: list[Op] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    """Records whose text the answer holds although no op speaks of them: an erasure must find it
    where answers are kept."""

    def change(self, change: Change) -> Display | None:
        """Stamp one change, append it to this node's log and fold it. Returns what is shown now."""
        body = body_for(change, self.session.state(change.record_id), self.origin)
        return self._append(change.kind, change.record_id, body)

    def purge(self, record_id: str) -> None:
        """Ban a record for good and erase the text of its ops, here and wherever this op goes."""
        self.change(Change(record_id, "memory", kind=Kind.PURGE))

    def _append(self, kind: str, record_id: str, body: bytes) -> Display | None:
        if len(self.ops) >= OPS_PER_WRITE_MAX:
            raise Failure(
                Code.TOO_LARGE,
                f"one request may append {OPS_PER_WRITE_MAX} ops and this one wants more",
                next="Send it in smaller parts.",
            )
        stamp = Stamp(lamport=next_lamport(self.session.lamport()), wall_us=self.now_us, epoch=0)
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


class Replica:
    """This node's share of the cluster: its identity, its log, and the store they live in."""

    def __init__(self, store: Store, identity: Identity, clock: Clock, origin: Origin) -> None:
        self.store = store
        self.identity = identity
        self.clock = clock
        self.origin = origin
        self.asked = 0
        """How many writes have been asked for since the start. Who can wait watches it."""

    @classmethod
    async def start(
        cls, store: Store, identity: Identity, clock: Clock, chance: Chance
    ) -> "Replica":
        """Take up the origin that the store names, or mint one: at first start and after a restore.

        An origin that wrote before a restore may have sent ops that the restored file lacks, and
        must never number an op again.
        """

        def settle(session: WriteSession) -> Origin:
            known = session.meta(META_NODE_ID)
            if known is not None and known.decode() != identity.node_id:
                raise Failure(
                    Code.CORRUPT,
                    f"the store belongs to node {known.decode()}, the key to {identity.node_id}",
                    next="Put the node's own key back, or start with an empty data directory.",
                )
            incarnation = session.meta(META_INCARNATION)
            if incarnation is None or session.meta(META_RESTORED) is not None:
                incarnation = chance.token_hex(8).encode()
                session.put_meta(META_INCARNATION, incarnation)
                session.delete_meta(META_RESTORED)
                session.put_meta(META_NODE_ID, identity.node_id.encode())
                if session.meta(META_CLUSTER_ID) is None:
                    session.put_meta(META_CLUSTER_ID, chance.token_hex(16).encode())
            return Origin(identity.node_id, incarnation.decode())

        origin = await asyncio.wrap_future(store.writer.submit(settle))
        return cls(store, identity, clock, origin)

    async def write(self, intent: Intent[R], work: Callable[[Tx], R]) -> Written[R]:
        """Run `work` inside the next transaction and answer once it is on disk.

        Raises Failure: whatever the work refuses with (nothing was written), CONFLICT when the
        request key was used for another request, STORAGE when the disk could not keep it.
        """

        self.asked += 1
        erased: list[str] = []

        def job(session: WriteSession) -> Written[R]:
            if intent.request_key:
                seen = session.idem(intent.author, intent.request_key)
                if seen is not None:
                    return self._again(intent, seen)
            # This node is the only member, so what it has is what every member has.
            session.settled = session.have()
            tx = Tx(
                session, self.origin, intent.author, intent.now_us, intent.request_key,
                self.identity.sign,
            )  # fmt: skip
            response = work(tx)
            erased.extend(op.record_id for op in tx.ops if op.kind == Kind.PURGE)
            write_ids = tuple(str(op.dot) for op in tx.ops)
            if intent.request_key:
                session.put_idem(
                    intent.author,
                    intent.request_key,
                    intent.request_sha256,
                    _pack(write_ids, intent.encode(response)),
                    intent.now_us,
                    sorted({op.record_id for op in tx.ops} | tx.shown),
                )
            return Written(response, write_ids, replayed=False)

        written = await asyncio.wrap_future(self.store.writer.submit(job))
        if erased:
            # A reader that is in the way delays this; the writer goes on with it when idle.
            with contextlib.suppress(Failure):
                await asyncio.wrap_future(self.store.writer.scrub())
        return written

    @staticmethod
    def _again(intent: Intent[R], seen: Any) -> Written[R]:
        if seen.request_sha256 != intent.request_sha256:
            raise Failure(
                Code.CONFLICT,
                "this request key was used for a different request",
                path="$.options.request_key",
                next="Use a new key for a new request.",
            )
        write_ids, answer = _unpack(seen.response)
        return Written(intent.decode(answer), write_ids, replayed=True)


def _pack(write_ids: tuple[str, ...], answer: bytes) -> bytes:
    head = "\n".join(write_ids).encode()
    return len(head).to_bytes(4, "big") + head + answer


def _unpack(kept: bytes) -> tuple[tuple[str, ...], bytes]:
    size = int.from_bytes(kept[:4], "big")
    head = kept[4 : 4 + size].decode()
    return tuple(head.split("\n")) if head else (), kept[4 + size :]


def request_sha256(operation: str, wire: bytes) -> bytes:
    """What a request key is bound to: the operation and its request, without its options."""
    return hashlib.sha256(operation.encode() + b"\0" + wire).digest()
