"""The vectors that came last, compared one by one: exact, and the whole of a small space.

One thread changes it, and others read it without a lock. What they are shown is a stretch of rows
that stays as it is: rows are added behind it, those that were moved into a graph are left out of
what is shown next, and a row whose vector is gone only loses its memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aimem_node.store.vectors import numbers

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

_ROWS_FIRST: Final = 256
_GONE: Final = -1


@dataclass(frozen=True, slots=True)
class Shown:
    """Some rows of a tail, for any thread."""

    _rids: Numbers
    _matrix: Numbers
    count: int
    "Vectors among them, when they were shown."

    def propose(self, vector: Numbers, count: int) -> tuple[Numbers, Numbers]:
        """The nearest, exactly: (rids, similarities) in no order."""
        rids, similarities = self._compared(vector)
        if len(rids) > count:
            np = numbers()
            # Of those that are equally near as the last one, none may be left out by chance.
            least = np.partition(similarities, len(rids) - count)[len(rids) - count]
            near = similarities >= least - 1e-6
            rids, similarities = rids[near], similarities[near]
        return rids, similarities

    def similarities(self, vector: Numbers, wanted: Numbers) -> tuple[Numbers, Numbers]:
        """Which of the memories wanted are here, as a mask, and how near those are."""
        np = numbers()
        held = np.zeros(len(wanted), dtype=bool)
        if not len(wanted):
            return held, np.zeros(0, dtype=np.float32)
        order = np.argsort(wanted)
        known = wanted[order]
        at = np.minimum(np.searchsorted(known, self._rids), len(known) - 1)
        rows = (known[at] == self._rids).nonzero()[0]
        # Few rows are taken out of the matrix; of many that would cost more than to compare all.
        few = 2 * len(rows) < len(self._rids)
        near = self._matrix[rows] @ vector if few else (self._matrix @ vector)[rows]
        places = order[at[rows]]
        held[places] = True
        found = np.zeros(len(wanted), dtype=np.float32)
        found[places] = near
        return held, found[held]

    def _compared(self, vector: Numbers) -> tuple[Numbers, Numbers]:
        similarities = self._matrix @ vector
        held = self._rids != _GONE
        return self._rids[held], similarities[held]


class Tail:
    """Vectors in the order of their numbers. Changed by one thread only."""

    def __init__(self, dimension: int) -> None:
        np = numbers()
        self._dimension = dimension
        self._rids = np.full(_ROWS_FIRST, _GONE, dtype=np.int64)
        self._vids = np.zeros(_ROWS_FIRST, dtype=np.int64)
        self._matrix = np.zeros((_ROWS_FIRST, dimension), dtype=np.float32)
        self._begin = self._end = 0
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, vids: Numbers, rids: Numbers, matrix: Numbers) -> None:
        """Add vectors with numbers above all that are here. Those of the same memories go."""
        count = len(rids)
        self.remove(rids)
        if self._end + count > len(self._rids):
            self._make_room(count)
        rows = slice(self._end, self._end + count)
        self._matrix[rows] = matrix
        self._vids[rows] = vids
        self._rids[rows] = rids
        self._rows.update(zip(rids.tolist(), range(rows.start, rows.stop), strict=True))
        self._end += count

    def remove(self, rids: Numbers) -> None:
        """Forget the vectors of these memories, of those that are here."""
        for rid in rids.tolist():
            row = self._rows.pop(rid, None)
            if row is not None:
                self._rids[row] = _GONE
                self._matrix[row] = 0.0

    def first(self, count: int) -> tuple[Numbers, Numbers, Numbers]:
        """The lowest of them: (vids, rids, matrix)."""
        rows = (self._rids[self._begin : self._end] != _GONE).nonzero()[0][:count] + self._begin
        return self._vids[rows], self._rids[rows], self._matrix[rows]

    def drop_first(self, rids: Numbers) -> None:
        """Leave these out of what is shown from now on; they are the lowest, as `first` gave them.
        Who was shown them before goes on seeing them."""
        for rid in rids.tolist():
            self._begin = self._rows.pop(rid) + 1

    def rids(self) -> Numbers:
        """All memories that have a vector here."""
        return self.first(self._end)[1]

    def shown(self) -> Shown:
        """All that is here now."""
        rows = slice(self._begin, self._end)
        return Shown(self._rids[rows], self._matrix[rows], len(self._rows))

    def _make_room(self, count: int) -> None:
        """Into new arrays, without the rows that are gone: readers go on with the old ones."""
        np = numbers()
        vids, rids, matrix = self.first(self._end)
        kept = len(rids)
        room = max(_ROWS_FIRST, 2 * (kept + count))
        self._rids = np.full(room, _GONE, dtype=np.int64)
        self._vids = np.zeros(room, dtype=np.int64)
        self._matrix = np.zeros((room, self._dimension), dtype=np.float32)
        self._rids[:kept], self._vids[:kept], self._matrix[:kept] = rids, vids, matrix
        self._rows = {rid: row for row, rid in enumerate(rids.tolist())}
        self._begin, self._end = 0, kept
