"""A node that kills itself at the one moment that no signal from outside ever hits: when a write of
its own is on the disk and nobody has been told, or just before it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from aimem_node.replica.replica import META_NODE_ID
from aimem_node.store.session import WriteSession
from aimem_node.store.vector_index import VectorIndexes

OPS_MAX: Final = 10_000
"""Looked at of one commit. It is armed for a few commits only, so this costs nothing in between."""


class Killing:
    """Counts this node's own commits down to the last."""

    def __init__(self) -> None:
        self._before = 0
        self._after = 0
        self._last = 0

    def install(self) -> None:
        """Stand where the writer thread passes right before and right after each commit."""
        finish, committed = WriteSession.finish, VectorIndexes.committed
        killing = self

        def finished(session: WriteSession) -> Any:
            answer = finish(session)
            killing._before = killing._count(killing._before, session)
            return answer

        def told(indexes: VectorIndexes, session: WriteSession) -> Any:
            killing._after = killing._count(killing._after, session)
            killing._last = session.last_pos()
            return committed(indexes, session)

        patched: Any = (WriteSession, VectorIndexes)
        patched[0].finish, patched[1].committed = finished, told

    def _count(self, left: int, session: WriteSession) -> int:
        if left and session.last_pos() > self._last and self._is_own(session):
            if left == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return left - 1
        return left

    def _is_own(self, session: WriteSession) -> bool:
        """Whether this node wrote any of the new ops: somebody waits for its answer."""
        me = (session.meta(META_NODE_ID) or b"").decode()
        return any(one.op.origin.node_id == me for one in session.ops_after(self._last, OPS_MAX))

    def order(self, which: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        """The order that arms one of the two: `count` commits from now."""

        def obey(order: Mapping[str, Any]) -> Mapping[str, Any]:
            count = int(order.get("count", 1))
            if count < 1:
                raise ValueError("count is at least 1")
            setattr(self, which, count)
            return {}

        return obey
