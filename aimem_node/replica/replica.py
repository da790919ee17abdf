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
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from aimem_node.clocks import Chance, Clock
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.fence import Fence
from aimem_node.replica.identity import Identity
from aimem_node.replica.standing import META_CLUSTER_ID
from aimem_node.replica.writing import (
    ANY_WISH,
    NO_ACK,
    Ack,
    Attempt,
    Copies,
    Gate,
    Intent,
    Tx,
    Wish,
    Written,
    ack_of,
)
from aimem_node.store.rows import IdemRow
from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_sync.effects import Outcome
from aimem_sync.events import WriteWanted
from aimem_sync.op import Dot, Origin

if TYPE_CHECKING:
    from aimem_node.replica.plane import Plane

__all__ = ["ANY_WISH", "Ack", "Intent", "Replica", "Tx", "Wish", "Written", "request_sha256"]

R = TypeVar("R")

META_INCARNATION: Final = "incarnation"
META_NODE_ID: Final = "node_id"
META_RESTORED: Final = "restored"
READ_MS: Final = 5_000


class Replica:
    """This node's share of the cluster: its identity, its log, and the store they live in."""

    def __init__(
        self, store: Store, identity: Identity, clock: Clock, origin: Origin, fence: Fence, *,
        is_new_log: bool = False,
    ) -> None:  # fmt: skip
        self.store = store
        self.identity = identity
        self.clock = clock
        self.first_origin = origin
        "The log as found at the start; `origin` is the one of now."
        self.is_new_log = is_new_log
        "Whether it was begun at this start."
        self.fence = fence
        self.plane: Plane
        "Set once the core runs, before anything is written."
        self.gate: Gate | None = None
        "What says whether a change may be made. None: anything may."
        self.copies: Copies | None = None
        "Where a namespace says on how many nodes, and on which, it is kept; None: nowhere."
        self.copies_set = True
        "Whether any namespace may say so. Found out by the first write."
        self.asked = 0
        """How many writes have been asked for since the start. Who can wait watches it."""

    @property
    def origin(self) -> Origin:
        """The log that this node writes now."""
        return self.plane.origin

    @classmethod
    async def start(
        cls, store: Store, identity: Identity, clock: Clock, chance: Chance, fence: Fence
    ) -> "Replica":
        """Take up the origin that the store names, or mint one: at first start and after a restore.

        An origin that wrote before a restore may have sent ops that the restored file lacks, and
        must never number an op again.
        """

        def settle(session: WriteSession) -> tuple[Origin, bool]:
            known = session.meta(META_NODE_ID)
            if known is not None and known.decode() != identity.node_id:
                raise Failure(
                    Code.CORRUPT,
                    f"the store belongs to node {known.decode()}, the key to {identity.node_id}",
                    next="Put the node's own key back, or start with an empty data directory.",
                )
            incarnation = session.meta(META_INCARNATION)
            gone_back = incarnation is not None and fence.rolled_back(
                session.head(Origin(identity.node_id, incarnation.decode())).seq,
                incarnation.decode(),
            )
            is_new = incarnation is None or gone_back or session.meta(META_RESTORED) is not None
            if incarnation is None or is_new:
                incarnation = chance.token_hex(8).encode()
                fence.renew(incarnation.decode())
                session.put_meta(META_INCARNATION, incarnation)
                session.delete_meta(META_RESTORED)
                session.put_meta(META_NODE_ID, identity.node_id.encode())
                if session.meta(META_CLUSTER_ID) is None:
                    session.put_meta(META_CLUSTER_ID, chance.token_hex(16).encode())
            return Origin(identity.node_id, incarnation.decode()), is_new

        origin, is_new = await store.writer.write(settle)
        return cls(store, identity, clock, origin, fence, is_new_log=is_new)

    async def write(
        self, intent: Intent[R], work: Callable[[Tx], R], wish: Wish = ANY_WISH
    ) -> Written[R]:
        """Run `work` inside the next transaction; answer once enough members hold it on disk.

        Raises Failure: NOT_WRITTEN when too few members are in reach, whatever the work refuses
        with (in both cases nothing was written), CONFLICT when the request key was used for
        another request, STORAGE when the disk could not keep it. A write that is in the log but
        not on enough disks in time is no failure: its `ack` says PENDING.
        """
        self.asked += 1
        attempt = Attempt(self, intent, work, wish)
        written = await attempt.run()
        if attempt.erased:
            # A reader that is in the way delays this; the writer goes on with it when idle.
            with contextlib.suppress(Failure):
                await asyncio.wrap_future(self.store.writer.scrub())
        return written

    async def wait(self, dot: Dot, wish: Wish) -> Ack:
        """Wait until enough members hold an op that is in the log here, or the time is up."""
        plane = self.plane
        request = plane.new_request()
        deadline_us = self.clock.monotonic_us() + wish.deadline_ms * 1_000
        wanted = WriteWanted(request, deadline_us, wish.needed, known=dot)
        try:
            answer = await plane.ask_write(wanted, _never)
            if answer.outcome is Outcome.NOT_WRITTEN:  # fenced, or W is more than there are voters
                answer = replace(answer, outcome=Outcome.PENDING, acked_by=(plane.core.me,))
            return ack_of(answer, plane)
        finally:
            plane.forget(request)

    async def earlier(self, intent: Intent[R]) -> Written[R] | None:
        """What this request key did before, if it did anything. Raises CONFLICT as write does."""
        if not intent.request_key:
            return None
        seen = await self.store.readers.read(
            lambda view: view.idem(intent.author, intent.request_key), READ_MS
        )
        return None if seen is None else self.again(intent, seen)

    @staticmethod
    def again(intent: Intent[R], seen: IdemRow) -> Written[R]:
        """The first answer to a request key. Raises CONFLICT if it was to another request."""
        if seen.request_sha256 != intent.request_sha256:
            raise Failure(
                Code.CONFLICT,
                "this request key was used for a different request",
                path="$.options.request_key",
                next="Use a new key for a new request.",
            )
        write_ids, answer = _unpack(seen.response)
        return Written(intent.decode(answer), write_ids, replayed=True, ack=NO_ACK)


def request_sha256(operation: str, wire: bytes) -> bytes:
    """What a request key is bound to: the operation and its request, without its options."""
    return hashlib.sha256(operation.encode() + b"\0" + wire).digest()


def _unpack(kept: bytes) -> tuple[tuple[str, ...], bytes]:
    size = int.from_bytes(kept[:4], "big")
    head = kept[4 : 4 + size].decode()
    return tuple(head.split("\n")) if head else (), kept[4 + size :]


def _never(_request: int) -> None:
    raise AssertionError("an op that is in the log is not stamped again")
