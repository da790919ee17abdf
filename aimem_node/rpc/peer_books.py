"""Answers to other members' questions about the store: sums of its state, hashes of its logs.

They are asked when two members that have the same ops do not have the same state, or do not have
the same ops under the same numbers: to find where, in a handful of questions.
"""

import asyncio
from collections.abc import Sequence
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
from aimem_sync.digest import record_hash
from aimem_sync.state import encode_state

READ_MS: Final = 10_000


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
                lambda view: [view.chain_at(ask.origin, seq) or b"" for seq in ask.seqs], READ_MS
            )
        )


def _digest(view: View, ask: DigestAsk) -> DigestAnswer:
    have = view.have()
    if ask.level == LEVEL_BUCKETS:
        sums = view.digest().sums
        return DigestAnswer(have, tuple((str(at), one) for at, one in enumerate(sums)))
    if ask.level == LEVEL_HASHES:
        found = [pair for bucket in ask.buckets for pair in view.hashes_in(bucket)]
        return DigestAnswer(have, tuple(found))
    states = ((name, view.state(name)) for name in ask.record_ids)
    shown = [(n, encode_state(s)) for n, s in states if s is not None and record_hash(s)]
    return DigestAnswer(have, tuple(shown))
