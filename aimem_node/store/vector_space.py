"""The index of one space: graphs over ranges of vectors that are long there, and a tail.

Every vector has a number that only goes up, and a changed vector gets a new one. So the index is
the table in the order of numbers, cut into parts: a part is filled once and later only loses
vectors. What came last is the tail, which is compared exactly and is never saved: at a start
it is read from the table. Nothing ever has to be saved in a hurry, and a part that is damaged is
made again alone, while the others serve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw

from aimem_node.store.vector_file import (
    FORMAT,
    About,
    SavedPart,
    files_of,
    read_about,
    read_content,
    remove_part,
    write_part,
)
from aimem_node.store.vector_part import NOBODY, Part
from aimem_node.store.vector_tail import Shown, Tail
from aimem_node.store.vectors import (
    LENGTH_ERROR_MAX,
    VectorSpace,
    decoded,
    numbers,
)

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

SAMPLED: Final = 16
"""Vectors of a loaded part that are compared with the table."""
SAMPLE_SIMILARITY_MIN: Final = 0.98
LOADED_AT_ONCE: Final = 2_000
ADDED_PER_STEP: Final = 256
"""Vectors put into a graph before it is looked at again what is new, about 80 ms."""
SAVED_EVERY: Final = 10_000
"""Vectors put into a graph before it is saved again while there are more to come: 2 s of work."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the pieces are; tests have smaller ones."""

    alone: int = 20_000
    "A space up to this is all tail: 2.5 ms to compare it, and 30 MB of 384 numbers each."
    tail: int = 8_000
    "A tail behind parts is moved into them, half of it, when it is longer."
    part: int = 50_000
    "Saving one lets nothing else run for 50 ms; searching one takes 0.3 ms."


@dataclass(frozen=True, slots=True)
class Served:
    """What a search gets to look at, as far as the index is."""

    parts: tuple[Part, ...]
    tail: Shown
    seen: int
    "The last number that it knows of: what has a higher one is in the table alone."
    missing: str = ""
    "Why vectors with lower numbers are not in it, if some are not."

    @property
    def count(self) -> int:
        """Vectors in it, nearly."""
        return sum(len(part) for part in self.parts) + self.tail.count


class _Hole:
    """A range of numbers whose part is being made from the table."""

    def __init__(self, part: Part, upto: int, replaces: tuple[Part, ...] = ()) -> None:
        self.part = part
        self.upto = upto
        self.replaces = replaces


class SpaceIndex:
    """See the module. Everything but `served` is for the thread of the index."""

    def __init__(
        self,
        connection: apsw.Connection,
        directory: Path,
        space: VectorSpace,
        sizes: Sizes | None = None,
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._sizes = sizes or Sizes()
        self.space = space
        self._numbering = ""
        self._parts: list[Part] = []
        self._holes: list[_Hole] = []
        self._tail = Tail(space.dimension)
        self._seen = 0
        self.gone_upto = 0
        "Up to where vector_gone has been heard."
        self.forgotten_upto = 0
        "Up to where the table has forgotten it, as far as that was asked for."
        self.broken: list[int] = []
        "Numbers of vectors that are none; whoever drives this has them made again."
        self.remade = 0
        "Saved parts that did not fit the table and are made again."
        self._moving = False
        self._total = 0
        self.served: Served | None = None

    # -- loading ---------------------------------------------------------------------------

    def load(self, numbering: str, is_over: Callable[[], bool]) -> None:
        """Take up what was saved, as far as it fits the table; the rest is made later.

        `numbering`: of the vectors in the table. `is_over`: whether to give up.
        """
        self._numbering = numbering
        with moment(self._connection):
            table = self._table()
            self.gone_upto = self._value(
                "SELECT coalesce(max(gid), 0) FROM vector_gone WHERE sid = ?", self.space.sid
            )
            self._total = self._value("SELECT max(vid) FROM vector") or 0
            at = 0
            for saved in self._saved():
                if is_over():
                    return
                if saved.about.first <= at or saved.about.upto > self._total:
                    saved.path.unlink(missing_ok=True)
                    continue
                part = self._loaded(saved, table)
                if part is None:
                    self.remade += 1
                    saved.path.unlink(missing_ok=True)
                    continue
                if saved.about.first > at + 1:
                    self._dig(at + 1, saved.about.first - 1)
                self._parts.append(part)
                at = saved.about.upto
            self._seen = at
        self._show()

    def _saved(self) -> Iterator[SavedPart]:
        """The files that belong to this space, by their range. Others under its name go."""
        fit: list[SavedPart] = []
        for path in files_of(self._directory, self.space.fingerprint):
            about = read_about(path)
            if (
                about is None
                or (about.format, about.fingerprint, about.dimension, about.numbering)
                != (FORMAT, self.space.fingerprint, self.space.dimension, self._numbering)
                or about.usearch.partition(".")[0] != _usearch_version().partition(".")[0]
            ):
                path.unlink(missing_ok=True)
            else:
                fit.append(SavedPart(path, about))
        return iter(sorted(fit, key=lambda saved: (saved.about.first, -saved.about.upto)))

    def _loaded(self, saved: SavedPart, table: tuple[Numbers, Numbers]) -> Part | None:
        """The part, without what is gone from the table since; None if it is none of that."""
        about = saved.about
        content = read_content(saved)
        if content is None:
            return None
        try:
            part = Part(self.space.dimension, about.first, about.upto, content)
        except (RuntimeError, ValueError):
            return None
        np = numbers()
        there = _within(table, about.first, about.upto)
        held = part.rids()
        if not np.isin(there, held).all() or not self._agrees(part, there):
            return None
        part.remove(held[~np.isin(held, there)])
        return part

    def _agrees(self, part: Part, there: Numbers) -> bool:
        """Whether some vectors are those of the table."""
        if not len(there):
            return True
        chosen = there[:: max(1, len(there) // SAMPLED)][:SAMPLED]
        marks = ", ".join("?" * len(chosen))
        rows: list[tuple[Any, ...]] = self._connection.execute(
            f"SELECT rid, body FROM vector WHERE sid = ? AND rid IN ({marks})",  # noqa: S608
            (self.space.sid, *chosen.tolist()),
        ).fetchall()
        matrix = decoded([body for _, body in rows], self.space.dimension)
        np = numbers()
        return all(
            (part.similarities(vector, np.array([rid]))[1] > SAMPLE_SIMILARITY_MIN).all()
            for (rid, _), vector in zip(rows, matrix, strict=True)
        )

    # -- keeping up ------------------------------------------------------------------------

    def step(self) -> bool:
        """Take in what is new and do a bounded part of what there is to do; whether more is."""
        more = self._catch_up()
        more = self._fill() or more
        more = self._move() or more
        if not more:
            more = self._join()
        self._show()
        return more

    def _catch_up(self) -> bool:
        np = numbers()
        sid = self.space.sid
        with moment(self._connection):
            gone: list[tuple[Any, ...]] = self._connection.execute(
                "SELECT g.gid, g.rid, EXISTS (SELECT 1 FROM vector v WHERE v.rid = g.rid AND"
                " v.sid = g.sid) FROM vector_gone g WHERE g.sid = ? AND g.gid > ?"
                " ORDER BY g.gid LIMIT ?",
                (sid, self.gone_upto, LOADED_AT_ONCE),
            ).fetchall()
            room = 2 * self._tail_max() - len(self._tail)
            rows = self._rows_after(self._seen, _FAR, max(0, min(LOADED_AT_ONCE, room)))
            self._total = self._value("SELECT max(vid) FROM vector") or 0
        if gone:
            # Of those that have a vector again by now, that one is heard of by its number.
            self._remove(np.array([rid for _, rid, again in gone if not again], dtype=np.int64))
            self.gone_upto = gone[-1][0]
        if rows:
            vids, rids, matrix = self._sound(rows)
            self._remove(rids)
            self._tail.put(vids, rids, matrix)
            self._seen = rows[-1][0]
        elif room > 0:
            self._seen = max(self._seen, self._total)  # the rest is of other spaces
        return bool(rows) or len(gone) == LOADED_AT_ONCE

    def _remove(self, rids: Numbers) -> None:
        if not len(rids):
            return
        self._tail.remove(rids)
        for part in self._all_parts():
            part.remove(rids)

    def _move(self) -> bool:
        """Put the older half of a long tail into the last part."""
        if len(self._tail) > self._tail_max():
            self._moving = True
        if not self._moving:
            return False
        if len(self._tail) <= self._sizes.tail // 2:
            self._moving = False
            self._save(self._parts[-1])
            return False
        vids, rids, matrix = self._tail.first(ADDED_PER_STEP)
        last = self._parts[-1] if self._parts else None
        if last is None or len(last) + len(rids) > self._sizes.part:
            if last is not None:
                self._save(last)
            begin = 1 if last is None else last.upto + 1
            last = Part(self.space.dimension, begin, begin - 1)
            self._parts.append(last)
        last.add(rids, matrix)
        last.upto = int(vids[-1])
        self._tail.drop_first(rids)
        if last.unsaved >= SAVED_EVERY:
            self._save(last)
        return True

    def _tail_max(self) -> int:
        return self._sizes.tail if self._parts or self._holes else self._sizes.alone

    def _fill(self) -> bool:
        """Go on with the first part that is being made from the table."""
        if not self._holes:
            return False
        hole = self._holes[0]
        with moment(self._connection):
            rows = self._rows_after(hole.part.upto, hole.upto, ADDED_PER_STEP)
        if rows:
            vids, rids, matrix = self._sound(rows)
            del vids
            hole.part.add(rids, matrix)
            hole.part.upto = rows[-1][0]
            return True
        hole.part.upto = hole.upto
        self._holes.pop(0)
        self._parts = [part for part in self._parts if part not in hole.replaces]
        self._parts.append(hole.part)
        self._parts.sort(key=lambda part: part.first)
        self._save(hole.part)
        for part in hole.replaces:
            if part.first != hole.part.first:
                remove_part(self._directory, self.space.fingerprint, part.first)
        return True

    def _join(self) -> bool:
        """Make one part of two neighbours that have lost so many vectors that they fit one."""
        for one, other in zip(self._parts, self._parts[1:], strict=False):
            if other is self._parts[-1]:
                return False  # it is still being filled
            if len(one) + len(other) <= self._sizes.part * 3 // 4:
                self._dig(one.first, other.upto, (one, other))
                return True
        return False

    def _dig(self, first: int, upto: int, replaces: tuple[Part, ...] = ()) -> None:
        """Have the vectors of a range made into parts, no larger than parts are."""
        at = first
        while at <= upto:
            end = upto if replaces else self._end_of_part(at, upto)
            self._holes.append(_Hole(Part(self.space.dimension, at, at - 1), end, replaces))
            at = end + 1

    def _end_of_part(self, first: int, upto: int) -> int:
        found = self._value(
            "SELECT vid FROM vector WHERE vid BETWEEN ? AND ? AND sid = ? ORDER BY vid"
            " LIMIT 1 OFFSET ?",
            first, upto, self.space.sid, self._sizes.part - 1,
        )  # fmt: skip
        return upto if found is None else int(found)

    # -- saving and checking ---------------------------------------------------------------

    def keep(self) -> None:
        """Save what was put into a graph since it was saved, if that is worth it."""
        for part in self._parts:
            if part.unsaved >= ADDED_PER_STEP:
                self._save(part)

    def scrub(self) -> None:
        """Write over what was removed and save again whatever may hold it."""
        for part in self._parts:
            if part.unsaved:
                self._save(part)

    def _save(self, part: Part) -> None:
        part.overwrite_removed()
        about = About(
            FORMAT,
            self.space.fingerprint,
            self.space.dimension,
            self._numbering,
            _usearch_version(),
            part.first,
            part.upto,
        )
        write_part(self._directory, about, part.content())
        part.unsaved = 0

    def problems(self) -> list[str]:
        """What the index and the table do not agree about, beside what it has not heard of yet."""
        np = numbers()
        found: list[str] = []
        name = self.space.name
        sid = self.space.sid
        with moment(self._connection):
            table = self._table()
            unheard = np.array(
                self._connection.execute(
                    "SELECT rid FROM vector_gone WHERE sid = ? AND gid > ?"
                    " UNION SELECT rid FROM vector WHERE sid = ? AND vid > ?",
                    (sid, self.gone_upto, sid, self._seen),
                ).fetchall(),
                dtype=np.int64,
            )
            table = tuple(column[~np.isin(table[1], unheard)] for column in table)
            for part in self._parts:
                there = _within(table, part.first, part.upto)
                held = part.rids()
                held = held[(held < NOBODY) & ~np.isin(held, unheard)]
                lost = int((~np.isin(there, held)).sum())
                strange = int((~np.isin(held, there)).sum())
                if lost or strange:
                    found.append(
                        f"the index of {name} lacks {lost} vectors and has {strange} too many"
                        f" from number {part.first} to {part.upto}"
                    )
            begin = self._parts[-1].upto + 1 if self._parts else 1
            newest = _within(table, begin, self._seen)
            tail = self._tail.rids()
            if not np.array_equal(np.sort(newest), np.sort(tail[~np.isin(tail, unheard)])):
                found.append(f"the newest vectors of {name} are not those of the table")
        return found

    # -- the rest --------------------------------------------------------------------------

    def _all_parts(self) -> list[Part]:
        return [*self._parts, *(hole.part for hole in self._holes)]

    def _show(self) -> None:
        making = sum(hole.upto - hole.part.upto for hole in self._holes if not hole.replaces)
        missing = ""
        if making:
            missing = f"{making:,} of {self._total:,} vectors are not in the index yet"
        shown = [*self._parts, *(hole.part for hole in self._holes if not hole.replaces)]
        self.served = Served(tuple(shown), self._tail.shown(), self._seen, missing)

    def progress(self) -> tuple[int, int]:
        """Numbers that the index has come to terms with, and numbers there are. What makes the tail
        too long is found, and is work to be done nevertheless."""
        making = sum(hole.upto - hole.part.upto for hole in self._holes if not hole.replaces)
        making += max(0, len(self._tail) - self._tail_max())
        return self._seen - making, max(self._seen, self._total)

    def _rows_after(self, vid: int, upto: int, limit: int) -> list[tuple[Any, ...]]:
        rows = self._connection.execute(
            "SELECT vid, rid, body FROM vector WHERE vid > ? AND vid <= ? AND sid = ?"
            " ORDER BY vid LIMIT ?",
            (vid, upto, self.space.sid, limit),
        )
        return rows.fetchall()

    def _sound(self, rows: list[tuple[Any, ...]]) -> tuple[Numbers, Numbers, Numbers]:
        """(vids, rids, matrix) of those that are vectors; the others are noted as broken."""
        np = numbers()
        matrix = decoded([body for *_, body in rows], self.space.dimension)
        vids = np.array([vid for vid, *_ in rows], dtype=np.int64)
        rids = np.array([rid for _, rid, _ in rows], dtype=np.int64)
        sound = np.abs(np.linalg.norm(matrix, axis=1) - 1.0) <= LENGTH_ERROR_MAX
        self.broken += vids[~sound].tolist()
        return vids[sound], rids[sound], matrix[sound]

    def _table(self) -> tuple[Numbers, Numbers]:
        """All numbers of the space with their memories: (vids, rids)."""
        np = numbers()
        rows = self._connection.execute(
            "SELECT vid, rid FROM vector INDEXED BY vector_by_memory WHERE sid = ?",
            (self.space.sid,),
        )
        pairs = [np.empty((0, 2), dtype=np.int64)]
        while some := list(islice(rows, LOADED_AT_ONCE)):
            pairs.append(np.array(some, dtype=np.int64))
        table = np.concatenate(pairs)
        return table[:, 0], table[:, 1]

    def _value(self, sql: str, *values: Any) -> Any:
        return self._connection.execute(sql, values).get


_FAR: Final = (1 << 63) - 1


def _usearch_version() -> str:
    import usearch

    return str(usearch.__version__)


def _within(table: tuple[Numbers, Numbers], first: int, upto: int) -> Numbers:
    vids, rids = table
    found: Numbers = rids[(vids >= first) & (vids <= upto)]
    return found


@contextmanager
def moment(connection: apsw.Connection) -> Iterator[None]:
    """Read what stood in the file at one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
