"""What a vector is here: a row of numbers of length 1 that one model made of one text.

It means nothing beside the vectors of another model, so every one lies in a space, which is known
by the model's fingerprint. Vectors are derived: they can be made again from the text, and neither
log nor digest speaks of them. numpy is imported when the first vector is touched and not before: a
node without a model never needs it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy

    Numbers: TypeAlias = numpy.ndarray[Any, Any]
    """An array: a vector (dimension,) or vectors (count, dimension)."""

LENGTH_ERROR_MAX: Final = 0.01
"""How far the length of a vector may be from 1: halves alone take 0.0005."""
SIMILARITY_DIGITS: Final = 6
"""Similarities are rounded to these: the same numbers added up in another order differ behind."""
BYTES_PER_NUMBER: Final = 2


class Model(Protocol):
    """What the store needs to know of the model that makes vectors."""

    @property
    def fingerprint(self) -> str:
        """Names the model; equal for equal weights and equal treatment of texts."""
        ...

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """The vectors of one model."""

    sid: int
    "Its row here. Never leaves this node."
    fingerprint: str
    name: str
    dimension: int
    active: bool
    "Whether it is the one that due memories get vectors in. At most one is."


@dataclass(frozen=True, slots=True)
class DueRow:
    """A live memory that has no vector of the active space."""

    rid: int
    record_id: str
    title: str
    content: str
    mark: int
    "Of this text; give it back with the vector."
    write_id: str


@dataclass(frozen=True, slots=True)
class VectorHit:
    """A memory that is near."""

    rid: int
    record_id: str
    similarity: float
    "Cosine, from -1 to 1."


@dataclass(frozen=True, slots=True)
class Nearest:
    """What is near, as far as it could be told."""

    hits: tuple[VectorHit, ...] = ()
    "The nearest first; equally near ones by the order in which they came here."
    candidates: int = 0
    "Vectors that were compared with all conditions in mind."
    exact: bool = True
    "Whether all that is wanted was compared, and not only what an approximate index proposed."
    missing: str = ""
    "Why some of what is wanted could not be compared; empty if all could."


# A vector stands for a live memory as it reads now. Once its text changes, or it is live no more,
# the vector goes in the same transaction: nothing is ever found by what it no longer says. Numbers
# of vector and vector_gone are never used twice, since the index knows by them how far it came;
# nor are those of space, so that one that was dropped and made anew is another one.
# mark: the memory's fingerprint. body: float16, little endian.
# vector_due has what still has no vector of the active space, and everything if there is none.
VECTOR_TABLES: Final = """
CREATE TABLE space(
    sid INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    active INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE vector(
    vid INTEGER PRIMARY KEY AUTOINCREMENT,
    sid INTEGER NOT NULL,
    rid INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
-- Read alone where a table of bodies would have to be read otherwise.
CREATE UNIQUE INDEX vector_by_memory ON vector(rid, sid);
CREATE TABLE vector_gone(
    gid INTEGER PRIMARY KEY AUTOINCREMENT,
    sid INTEGER NOT NULL,
    rid INTEGER NOT NULL
) STRICT;
CREATE TABLE vector_due(rid INTEGER PRIMARY KEY) STRICT;
INSERT INTO vector_due(rid) SELECT rid FROM memory WHERE life = 'live' ORDER BY rid;
CREATE TRIGGER vector_is_due AFTER INSERT ON memory WHEN new.life = 'live' BEGIN
    INSERT OR IGNORE INTO vector_due(rid) VALUES(new.rid);
END;
CREATE TRIGGER vector_changes AFTER UPDATE ON memory
    WHEN old.life IS NOT new.life OR old.fingerprint IS NOT new.fingerprint BEGIN
    INSERT INTO vector_gone(sid, rid) SELECT sid, rid FROM vector WHERE rid = new.rid;
    DELETE FROM vector WHERE rid = new.rid;
    DELETE FROM vector_due WHERE rid = new.rid AND new.life <> 'live';
    INSERT OR IGNORE INTO vector_due(rid) SELECT new.rid WHERE new.life = 'live';
END;
CREATE TRIGGER vector_goes AFTER DELETE ON memory BEGIN
    INSERT INTO vector_gone(sid, rid) SELECT sid, rid FROM vector WHERE rid = old.rid;
    DELETE FROM vector WHERE rid = old.rid;
    DELETE FROM vector_due WHERE rid = old.rid;
END;
"""


def numbers() -> ModuleType:
    """numpy, kept to one thread: its threads spin, and slow down whoever else works here."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    import numpy

    return numpy


def problem_with(vector: Numbers, dimension: int) -> str:
    """Why this is no vector of such a space; "" if it is one."""
    np = numbers()
    if vector.ndim != 1 or vector.shape[0] != dimension:
        shape = "x".join(str(length) for length in vector.shape)
        return f"it has {shape} numbers and should have {dimension}"
    if not np.isfinite(vector).all():
        return "it holds numbers that are none"
    length = float(np.linalg.norm(vector.astype(np.float32)))
    if abs(length - 1.0) > LENGTH_ERROR_MAX:
        return f"its length is {length:.3f} and should be 1"
    return ""


def encoded(vector: Numbers) -> bytes:
    """A vector as it is kept and sent: halves, the lower byte first."""
    return bytes(vector.astype("<f2").tobytes())


def decoded(bodies: Sequence[bytes], dimension: int) -> Numbers:
    """Kept vectors as float32, (count, dimension). One that is not of this dimension is zero, near
    to nothing, and so is one with a number that is none."""
    np = numbers()
    size = dimension * BYTES_PER_NUMBER
    if any(len(body) != size for body in bodies):
        bodies = [body if len(body) == size else bytes(size) for body in bodies]
    matrix = np.frombuffer(b"".join(bodies), dtype="<f2").reshape(len(bodies), dimension)
    found: Numbers = matrix.astype(np.float32)
    broken = ~np.isfinite(found).all(axis=1)
    if broken.any():
        found[broken] = 0.0
    return found


def best(rids: Numbers, similarities: Numbers, limit: int) -> list[tuple[int, float]]:
    """The nearest (rid, similarity), at most so many. The same whatever order they come in."""
    np = numbers()
    rounded = np.round(similarities.astype(np.float64), SIMILARITY_DIGITS)
    if len(rids) > limit:
        least = np.partition(rounded, len(rids) - limit)[len(rids) - limit]
        rids, rounded = rids[rounded >= least], rounded[rounded >= least]
    order = np.lexsort((rids, -rounded))[:limit]
    return list(zip(rids[order].tolist(), rounded[order].tolist(), strict=True))
