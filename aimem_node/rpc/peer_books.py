"""Answers to other members' questions about the store: sums of its state, hashes of its logs.

They are asked when two members that have the same ops do not have the same state, or do not have
the same ops under the same numbers: to find where, in a handful of questions.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from aimem_node.rpc.peer_asks import (
    LEVEL_BUCKETS,
    LEVEL_HASHES,
    ChainAsk,
    DigestAnswer,
    DigestAsk,
)
from aimem_node.store.store import Store
from aimem_node.store.view import View
from aimem_sync.digest import bucket_of, record_hash
from aimem_sync.dot import Dot
from aimem_sync.state import encode_state

READ_MS: Final = 60_000
RECORDS_PER_PAGE: Final = 500


class StoreBooks:
    """The books of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def digest(self, ask: DigestAsk) -> DigestAnswer:
        """The sums of all buckets, the hashes of the records in some, or some records."""
        return await asyncio.wrap_future(
            self._store.readers.submit(lambda view: _digest(view, ask), READ_MS)
        )

    async def chain_at(self, ask: ChainAsk) -> Sequence[bytes]:
        """One hash for each place; empty where the log does not reach."""
        return await asyncio.wrap_future(
            self._store.readers.submit(
                lambda view: [_chain_at(view, Dot(ask.origin, seq)) for seq in ask.seqs], READ_MS
            )
        )


def _chain_at(view: View, dot: Dot) -> bytes:
    op = view.op(dot)
    return op.chain if op is not None else b""


def _hashes_in(view: View, buckets: frozenset[int]) -> Iterator[tuple[str, bytes]]:
    """Every record of these buckets with its hash. Reads all records: asked once in a blue moon."""
    after = ""
    while page := view.records_after(after, RECORDS_PER_PAGE):
        after = page[-1].state.record_id
        for kept in page:
            if bucket_of(kept.state.record_id) in buckets:
                yield kept.state.record_id, kept.hash


def _digest(view: View, ask: DigestAsk) -> DigestAnswer:
    have = view.have()
    if ask.level == LEVEL_BUCKETS:
        sums = view.digest().sums
        return DigestAnswer(have, tuple((str(at), one) for at, one in enumerate(sums)))
    if ask.level == LEVEL_HASHES:
        return DigestAnswer(have, tuple(_hashes_in(view, frozenset(ask.buckets))))
    states = ((name, view.state(name)) for name in ask.record_ids)
    shown = [(n, encode_state(s)) for n, s in states if s is not None and record_hash(s)]
    return DigestAnswer(have, tuple(shown))
