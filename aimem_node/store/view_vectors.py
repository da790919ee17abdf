"""What a view tells of vectors, and of memories that have none yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.listing import Filter
from aimem_node.store.vectors import DueRow, Nearest, VectorSpace, decoded, numbers, problem_with
from aimem_node.store.view_base import ViewBase

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

_SPACES: Final = "SELECT sid, fingerprint, name, dimension, active FROM space"
_DUE: Final = (
    "SELECT m.rid, m.record_id, m.title, m.content, m.fingerprint, m.write_id"
    " FROM vector_due d CROSS JOIN memory m ON m.rid = d.rid"
)
_VECTOR_PROBLEMS: Final = {
    "vectors are of no live memory, or not of what it says": (
        "SELECT count(*) FROM vector v LEFT JOIN memory m ON m.rid = v.rid"
        " WHERE m.life IS NOT 'live' OR m.fingerprint IS NOT v.mark"
    ),
    "vectors are of no space, or not of its dimension": (
        "SELECT count(*) FROM vector v LEFT JOIN space s ON s.sid = v.sid"
        " WHERE length(v.body) IS NOT 2 * s.dimension"
    ),
    "live memories have no vector and are not due for one": (
        "SELECT count(*) FROM memory m WHERE m.life = 'live'"
        " AND m.rid NOT IN (SELECT rid FROM vector_due) AND NOT EXISTS"
        " (SELECT 1 FROM vector v JOIN space s ON s.sid = v.sid"
        "  WHERE v.rid = m.rid AND s.active = 1)"
    ),
    "memories are due for a vector and are not live": (
        "SELECT count(*) FROM vector_due d LEFT JOIN memory m ON m.rid = d.rid"
        " WHERE m.life IS NOT 'live'"
    ),
}
_NO_END: Final = (1 << 63) - 1


class VectorView(ViewBase):
    """See the module."""

    def spaces(self) -> list[VectorSpace]:
        """The spaces that are kept, the active one first."""
        rows = self._connection.execute(f"{_SPACES} ORDER BY active DESC, sid")
        return [_space(row) for row in rows]

    def space(self, fingerprint: str) -> VectorSpace | None:
        """The space of a model; None if none is kept."""
        select = f"{_SPACES} WHERE fingerprint = ?"
        row = self._connection.execute(select, (fingerprint,)).fetchone()
        return None if row is None else _space(row)

    def vector_count(self, fingerprint: str) -> int:
        """How many vectors a space holds. Counts them: about 50 ms in a million."""
        return int(
            self._value(
                "SELECT count(*) FROM vector WHERE sid = (SELECT sid FROM space"
                " WHERE fingerprint = ?)",
                fingerprint,
            )
        )

    def nearest(self, fingerprint: str, vector: Numbers, wanted: Filter, limit: int) -> Nearest:
        """The live memories wanted whose vectors are nearest to this one, best first.

        Nothing is left out for being few among many: the filter is a part of the search. Raises
        Failure INTERNAL for a vector that is none of that space. See vector_search.
        """
        space = self.space(fingerprint)
        if space is None:
            return Nearest(missing="no vectors of this model are kept here")
        problem = problem_with(vector, space.dimension)
        if problem:
            raise Failure(Code.INTERNAL, f"the question is no vector of {space.name}: {problem}")
        # Not above: a node without vectors does not need it.
        from aimem_node.store.vector_search import VectorSearch

        search = VectorSearch(self._connection, space, vector, wanted, limit)
        if self._vectors is None:
            return search.in_table()
        return search.in_index(self._vectors.serve(space))

    def similarities(
        self, fingerprint: str, vector: Numbers, rids: Sequence[int]
    ) -> dict[int, float]:
        """How near these memories are to a vector of that space, of those that have one.

        As the index has it where there is one: of a memory that was changed a moment ago that may
        be what it said before.
        """
        space = self.space(fingerprint)
        if space is None or not rids:
            return {}
        served = None if self._vectors is None else self._vectors.serve(space)
        found: dict[int, float] = {}
        if served is not None:
            from aimem_node.store.vector_search import similarities_in

            held, near = similarities_in(served, vector, numbers().array(rids))
            found = dict(zip(held.tolist(), near.tolist(), strict=True))
            if int(self._value("SELECT coalesce(max(vid), 0) FROM vector")) <= served.seen:
                return found
        others = self.vectors_of(fingerprint, [rid for rid in rids if rid not in found])
        return found | {rid: float(vector @ other) for rid, other in others.items()}

    def vectors_of(self, fingerprint: str, rids: Iterable[int]) -> dict[int, Numbers]:
        """The vectors of these memories as float32, of those that have one in this space."""
        space = self.space(fingerprint)
        if space is None:
            return {}
        rows: list[tuple[Any, ...]] = self._connection.execute(
            "SELECT v.rid, v.body FROM json_each(?) j CROSS JOIN vector v"
            " ON v.rid = j.value AND v.sid = ?",
            (json.dumps(list(rids)), space.sid),
        ).fetchall()
        if not rows:
            return {}
        matrix = decoded([body for _, body in rows], space.dimension)
        return {rid: matrix[at] for at, (rid, _) in enumerate(rows)}

    def vector_bodies(
        self, fingerprint: str, texts: Sequence[tuple[str, int]]
    ) -> list[tuple[str, int, bytes]]:
        """Of (record id, mark) those that have a vector of exactly that text: with its body, as
        another member takes it."""
        space = self.space(fingerprint)
        if space is None:
            return []
        rows = self._connection.execute(
            "SELECT m.record_id, v.mark, v.body FROM json_each(?) j"
            " CROSS JOIN memory m ON m.record_id = json_extract(j.value, '$[0]')"
            " CROSS JOIN vector v ON v.rid = m.rid AND v.sid = ?"
            " WHERE v.mark = json_extract(j.value, '$[1]') ORDER BY j.key",
            (json.dumps([list(text) for text in texts]), space.sid),
        )
        return [(record_id, mark, body) for record_id, mark, body in rows]

    def vectors_due(self, limit: int, before_rid: int | None = None) -> list[DueRow]:
        """Live memories without a vector of the active space, those that came last first.

        `before_rid`: go on behind that row.
        """
        rows = self._connection.execute(
            f"{_DUE} WHERE d.rid < ? ORDER BY d.rid DESC LIMIT ?",
            (_NO_END if before_rid is None else before_rid, limit),
        )
        return [DueRow(*row) for row in rows]

    def vector_problems(self) -> list[str]:
        """What is wrong with vectors and with what is due, as far as the memories tell. Reads all
        vectors."""
        found = []
        for what, query in _VECTOR_PROBLEMS.items():
            count = self._value(query)
            if count:
                found.append(f"{count} {what}")
        return found

    def vector_backlog(self) -> int:
        """How many memories have no vector of the active space; all live ones if none is."""
        return int(self._value("SELECT count(*) FROM vector_due"))

    def first_due_us(self) -> int | None:
        """When the memory was last changed that came first of those without a vector."""
        found = self._value(
            "SELECT m.updated_us FROM vector_due d CROSS JOIN memory m ON m.rid = d.rid"
            " ORDER BY d.rid LIMIT 1"
        )
        return None if found is None else int(found)


def _space(row: tuple[Any, ...]) -> VectorSpace:
    sid, fingerprint, name, dimension, active = row
    return VectorSpace(sid, fingerprint, name, dimension, bool(active))
