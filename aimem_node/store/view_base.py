"""What every part of a view shares: one connection, and the origins met on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw

from aimem_sync.op import Origin

if TYPE_CHECKING:
    from aimem_node.store.vector_index import VectorIndexes


class ViewBase:
    """See the module."""

    def __init__(self, connection: apsw.Connection, vectors: VectorIndexes | None = None) -> None:
        """`vectors`: what proposes near ones; without it all vectors are compared."""
        self._connection = connection
        self._vectors = vectors
        self._origins: dict[int, Origin] = {}

    def _origin(self, oid: int) -> Origin:
        origin = self._origins.get(oid)
        if origin is None:
            row = self._connection.execute(
                "SELECT node_id, incarnation FROM origin WHERE oid = ?", (oid,)
            ).fetchone()
            assert row is not None
            origin = self._origins[oid] = Origin(*row)
        return origin

    def _value(self, sql: str, *values: Any) -> Any:
        return self._connection.execute(sql, values).get
