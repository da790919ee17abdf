"""Answers to other members' questions about the store: sums of its state, hashes of its logs.

They are asked when two members that have the same ops do not have the same state, or do not have
the same ops under the same numbers: to find where, in a handful of questions.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from aimem_node.replica.comparing import record_hashes
from aimem_node.replica.granting import Grants, MayHold
from aimem_node.replica.vectors import VectorAnswer, VectorAsk
from aimem_node.rpc.peer_asks import (
    LEVEL_BUCKETS,
    LEVEL_HASHES,
    ChainAsk,
    DigestAnswer,
    DigestAsk,
)
from aimem_node.rpc.peer_vectors import answered
from aimem_node.store.store import Store
from aimem_node.store.view import View
from aimem_sync.dot import Dot
from aimem_sync.op import encode_op

READ_MS: Final = 60_000


class StoreBooks:
    """The books of one store."""

    def __init__(
        self,
        store: Store,
        may_hold: Callable[[str], MayHold],
        grants: Callable[[], Grants | None] = lambda: None,
    ) -> None:
        """`may_hold`: what says, of a member, whether it may hold the body of an op. `grants`:
        who may hold what, now; None: all may hold everything."""
        self._store = store
        self._may_hold = may_hold
        self._grants = grants

    async def digest(self, ask: DigestAsk) -> DigestAnswer:
        """The sums of all buckets, the hashes of the records in some, or some records."""
        return await self._store.readers.read(lambda view: _digest(view, ask), READ_MS)

    async def chain_at(self, ask: ChainAsk) -> Sequence[bytes]:
        """One hash for each place; empty where the log does not reach."""
        return await self._store.readers.read(
            lambda view: [_chain_at(view, Dot(ask.origin, seq)) for seq in ask.seqs], READ_MS
        )

    async def ops_at(self, node_id: str, ask: ChainAsk) -> Sequence[bytes]:
        """The ops that are here with their bodies, as that member may hold them."""
        may_hold = self._may_hold(node_id)
        return await self._store.readers.read(lambda view: _ops_at(view, ask, may_hold), READ_MS)

    async def vectors_at(self, node_id: str, ask: VectorAsk) -> VectorAnswer:
        """The vectors that are here, as that member may hold them."""
        answer = answered(self._grants(), node_id)
        return await self._store.readers.read(lambda view: answer(view, ask), READ_MS)


def _chain_at(view: View, dot: Dot) -> bytes:
    op = view.op(dot)
    return op.chain if op is not None else b""


def _ops_at(view: View, ask: ChainAsk, may_hold: MayHold) -> list[bytes]:
    ops = (view.op(Dot(ask.origin, seq)) for seq in ask.seqs)
    whole = (op for op in ops if op is not None and op.body is not None)
    return [encode_op(op if may_hold(view, op) else replace(op, body=None)) for op in whole]


def _digest(view: View, ask: DigestAsk) -> DigestAnswer:
    have = view.have()
    if ask.level == LEVEL_BUCKETS:
        sums = view.digest().sums
        return DigestAnswer(have, tuple((str(at), one) for at, one in enumerate(sums)))
    if ask.level == LEVEL_HASHES:
        return DigestAnswer(have, tuple(record_hashes(view, frozenset(ask.buckets))))
    # Records themselves are not told: they hold text that the one who asks may not hold.
    return DigestAnswer(have, ())
