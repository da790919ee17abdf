"""What can be written of vectors, inside a transaction of the writer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.meta import META_VECTOR_NUMBERS, META_VECTORS_UNSCRUBBED
from aimem_node.store.vectors import Model, VectorSpace, encoded, problem_with
from aimem_node.store.view_log import LogView
from aimem_node.store.view_vectors import VectorView

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

DROPPED_AT_ONCE: Final = 2_000
"""Rows of a space that one transaction removes, about 20 ms."""

DUE_AGAIN: Final = (
    "INSERT INTO vector_due(rid) SELECT m.rid FROM memory m WHERE m.life = 'live'"
    " AND NOT EXISTS (SELECT 1 FROM vector v JOIN space s USING(sid)"
    " WHERE v.rid = m.rid AND s.active = 1) ORDER BY m.rid"
)
"""What vector_due should hold."""


class VectorWrites(LogView, VectorView):
    """See the module."""

    vectors_wanted = False
    "Whether somebody works with vectors here, so that the index is worth its memory."
    vectors_purged = False
    "Whether saved parts of the index may hold what must not be there any more."

    def put_vectors(
        self, fingerprint: str, vectors: Sequence[tuple[int, int, Numbers]]
    ) -> list[int]:
        """Keep vectors of memories: (rid, mark, vector). Returns the rids that have one now.

        Left out is whose text is another by now or who is not live any more. Raises Failure
        INVALID_ARGUMENT, and keeps none, if one is no vector of this space, and NOT_FOUND if the
        space is not kept.
        """
        space = self._kept(fingerprint)
        for rid, _, vector in vectors:
            problem = problem_with(vector, space.dimension)
            if problem:
                raise Failure(
                    Code.INVALID_ARGUMENT,
                    f"the vector of row {rid} is none of {space.name}: {problem}",
                )
        execute = self._connection.execute
        put: list[int] = []
        for rid, mark, vector in vectors:
            says_so = "SELECT 1 FROM memory WHERE rid = ? AND fingerprint = ? AND life = 'live'"
            if not execute(says_so, (rid, mark)).get:
                continue  # and a vector of what it says now stays, if another was quicker
            # Put anew under a new number, never renewed: the index looks only at what is new.
            execute("DELETE FROM vector WHERE rid = ? AND sid = ?", (rid, space.sid))
            execute(
                "INSERT INTO vector(sid, rid, mark, body) VALUES(?, ?, ?, ?)",
                (space.sid, rid, mark, encoded(vector)),
            )
            put.append(rid)
            if space.active:
                execute("DELETE FROM vector_due WHERE rid = ?", (rid,))
        self.vectors_wanted = True
        return put

    def set_space(self, model: Model) -> None:
        """From now on memories get vectors of this model. Those of others stay until they are
        dropped. Changes nothing if it is so already; otherwise all memories are looked at, about
        a second per million. Raises Failure CONFLICT for another dimension under its fingerprint.
        """
        space = self.space(model.fingerprint)
        if space is not None and space.dimension != model.dimension:
            raise Failure(
                Code.CONFLICT,
                f"the vectors of {space.name} have {space.dimension} numbers here,"
                f" and the model makes {model.dimension}",
            )
        self.vectors_wanted = True
        if space is not None and space.active:
            return
        execute = self._connection.execute
        execute("UPDATE space SET active = 0")
        execute(
            "INSERT INTO space(fingerprint, name, dimension, active) VALUES(?, ?, ?, 1)"
            " ON CONFLICT(fingerprint) DO UPDATE SET name = excluded.name, active = 1",
            (model.fingerprint, model.name, model.dimension),
        )
        execute("DELETE FROM vector_due")
        execute(DUE_AGAIN)

    def drop_space(self, fingerprint: str) -> bool:
        """Remove a space, a bounded part of it: call again as long as it returns True.

        Raises Failure CONFLICT for the active one.
        """
        space = self.space(fingerprint)
        if space is None:
            return False
        if space.active:
            raise Failure(Code.CONFLICT, f"{space.name} is in use")
        some = "FROM vector WHERE sid = ? ORDER BY vid LIMIT ?"
        values = (space.sid, DROPPED_AT_ONCE)
        # Noted, so that the index is as the table is all the while.
        self._connection.execute(
            f"INSERT INTO vector_gone(sid, rid) SELECT sid, rid {some}", values
        )
        self._connection.execute(
            f"DELETE FROM vector WHERE vid IN (SELECT vid {some})",  # noqa: S608
            values,
        )
        more = self._connection.changes() == DROPPED_AT_ONCE
        if not more:
            self._connection.execute("DELETE FROM vector_gone WHERE sid = ?", (space.sid,))
            self._connection.execute("DELETE FROM space WHERE sid = ?", (space.sid,))
        return more

    def forget_gone(self, sid: int, upto: int) -> None:
        """Forget which vectors are gone, up to there: no file of the index holds them any more."""
        self._connection.execute("DELETE FROM vector_gone WHERE sid = ? AND gid <= ?", (sid, upto))

    def _vectors_purged(self) -> None:
        """A record was purged: a saved index may still hold the vector of what it said."""
        self.vectors_purged = True  # files may be left of a space that is kept no more
        if self.spaces():
            self.put_meta(META_VECTORS_UNSCRUBBED, os.urandom(8))

    def vectors_scrubbed(self, since: bytes) -> None:
        """Saved parts hold nothing any more of what was purged by then; `since`: as it was named
        when that was found out."""
        self._connection.execute(
            "DELETE FROM meta WHERE k = ? AND v = ?", (META_VECTORS_UNSCRUBBED, since)
        )

    def vector_numbers(self) -> bytes:
        """The name of the numbering of vectors in this file; given now if it has none."""
        found = self.meta(META_VECTOR_NUMBERS)
        if not found:
            found = os.urandom(8)
            self.put_meta(META_VECTOR_NUMBERS, found)
        return found

    def reject_vectors(self, sid: int, vids: Sequence[int]) -> None:
        """Remove what turned out to be no vectors, and have them made again.

        By their numbers: a memory may have got a sound one meanwhile.
        """
        for vid in vids:
            row = (vid, sid)
            self._connection.execute(
                "INSERT OR IGNORE INTO vector_due(rid) SELECT m.rid FROM vector v"
                " JOIN memory m USING(rid) JOIN space s USING(sid)"
                " WHERE v.vid = ? AND v.sid = ? AND m.life = 'live' AND s.active = 1",
                row,
            )
            self._connection.execute("DELETE FROM vector WHERE vid = ? AND sid = ?", row)

    def put_meta(self, k: str, v: bytes) -> None:
        """Set a named value of this node."""
        self._connection.execute(
            "INSERT INTO meta(k, v) VALUES(?, ?) ON CONFLICT(k) DO UPDATE SET v = excluded.v",
            (k, v),
        )

    def _kept(self, fingerprint: str) -> VectorSpace:
        space = self.space(fingerprint)
        if space is None:
            raise Failure(Code.NOT_FOUND, f"no vectors of the model {fingerprint} are kept here")
        return space
