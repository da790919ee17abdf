"""A part of the index: a graph (HNSW) over the vectors of one range of numbers.

One usearch index lets no two calls in at once that use the same of its threads, and Python names
always the first; so here a lock does, and whoever searches goes before whoever adds. What is
removed leaves its numbers behind, in memory and in what is saved, until something is written over
them; see `overwrite_removed`. An index that was saved and loaded shows again what was removed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from aimem_node.store.vectors import numbers

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

CONNECTIVITY: Final = 16
EXPANSION_ADD: Final = 128
EXPANSION_SEARCH: Final = 128
"""What is looked at per search: with 50,000 vectors in a part 0.99 of the nearest are found."""
ADDED_AT_ONCE: Final = 16
"""Vectors added before a search is let in, about 5 ms."""
NOBODY: Final = 1 << 62
"""Keys from here on stand for no memory: they hold what is written over removed vectors."""
ROWS_AT_ONCE: Final = 512
"""Vectors that are made float32 at once: they stay in the processor's cache."""
GIVING_WAY_S: Final = 0.0005


class Part:
    """See the module. Changed by one thread only."""

    def __init__(self, dimension: int, first: int, upto: int, content: bytes = b"") -> None:
        """Vectors with numbers from `first` to `upto`; `content` as `content` gave it. Raises
        RuntimeError or ValueError for one that cannot be read."""
        from usearch.index import Index

        self._dimension = dimension
        self.first = first
        self.upto = upto
        self._index: Any = Index(
            ndim=dimension,
            metric="ip",
            dtype="bf16",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            expansion_search=EXPANSION_SEARCH,
        )
        self._lock = threading.Lock()
        self._asking = 0
        self._count_lock = threading.Lock()
        self.unsaved = 0
        "Vectors added or removed that the saved part does not know of."
        self.removed = 0
        "Of these the removed ones that nothing was written over yet."
        self._least, self._most = NOBODY, -1
        "Between these all memories are that have a vector here."
        if content:
            self._least, self._most = 0, NOBODY
            self._index.load(content)
            if self._index.ndim != dimension:
                raise ValueError("it is of another dimension")

    def __len__(self) -> int:
        """Vectors here; what is written over removed ones counts until the next load."""
        return len(self._index)

    def rids(self) -> Numbers:
        """The memories that have a vector here, and what stands for none of them."""
        np = numbers()
        with self._lock:
            keys = np.asarray(self._index.keys).astype(np.int64)
            held = np.asarray(self._index.contains(keys.astype(np.uint64)), dtype=bool)
        found: Numbers = keys[held]
        own = found[found < NOBODY]
        if len(own):
            self._least, self._most = int(own.min()), int(own.max())
        return found

    def add(self, rids: Numbers, matrix: Numbers) -> None:
        """Add vectors of memories that have none here."""
        np = numbers()
        keys = rids.astype(np.uint64)
        own = rids[rids < NOBODY]
        if len(own):  # before they are there, so that nobody overlooks them
            self._least = min(self._least, int(own.min()))
            self._most = max(self._most, int(own.max()))
        for at in range(0, len(keys), ADDED_AT_ONCE):
            some = slice(at, at + ADDED_AT_ONCE)
            with self._lock:
                self._index.add(keys[some], matrix[some], threads=1)
            if self._asking:
                time.sleep(GIVING_WAY_S)
        # A new vector takes the place of a removed one if there is any.
        self.removed = max(0, self.removed - len(keys))
        self.unsaved += len(keys)

    def remove(self, rids: Numbers) -> int:
        """Remove the vectors of these memories, of those that are here; how many were."""
        np = numbers()
        keys = np.unique(rids).astype(np.uint64)
        with self._lock:
            held = keys[np.asarray(self._index.contains(keys), dtype=bool)]
            if len(held):
                self._index.remove(held)
        self.removed += len(held)
        self.unsaved += len(held)
        return len(held)

    def propose(self, vector: Numbers, count: int) -> tuple[Numbers, Numbers]:
        """Those that are near, most of them: (rids, similarities)."""
        np = numbers()
        with self._searching():
            if not len(self._index):
                return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
            found = self._index.search(vector, min(count, len(self._index)), threads=1)
        rids, distances = found.keys.astype(np.int64), found.distances
        held = rids < NOBODY
        return rids[held], 1.0 - distances[held]

    def similarities(self, vector: Numbers, wanted: Numbers) -> tuple[Numbers, Numbers]:
        """Which of the memories wanted are here, as a mask, and how near those are."""
        np = numbers()
        held = (wanted >= self._least) & (wanted <= self._most)
        keys = wanted[held].astype(np.uint64)
        with self._searching():
            there = np.asarray(self._index.contains(keys), dtype=bool)
            rows = self._rows(keys[there])
        held[held] = there
        found = [np.empty(0, dtype=np.float32)]
        for at in range(0, len(rows), ROWS_AT_ONCE):
            bits = np.frombuffer(b"".join(rows[at : at + ROWS_AT_ONCE]), dtype=np.uint16)
            # bf16 is the upper half of a float32.
            matrix = (bits.astype(np.uint32) << 16).view(np.float32)
            found.append(matrix.reshape(-1, self._dimension) @ vector)
        return held, np.concatenate(found)

    def _rows(self, keys: Numbers) -> Sequence[Any]:
        """The vectors as they are kept. The public way makes float32 of them one by one, which
        takes three times as long."""
        from usearch.compiled import ScalarKind

        found: Sequence[Any] = self._index._compiled.get_many(keys, ScalarKind.BF16)  # noqa: SLF001
        return found

    def overwrite_removed(self) -> None:
        """Write something over all removed vectors, so that they are in no saved part."""
        if not self.removed:
            return
        np = numbers()
        chance = np.random.default_rng()
        noise = chance.standard_normal((self.removed, self._dimension)).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        keys = NOBODY + chance.integers(0, NOBODY - 1, self.removed)
        self.add(keys, noise)

    def content(self) -> bytes:
        """All of it as it is saved. Nothing else runs meanwhile: 1 ms per 1,000 vectors."""
        with self._searching():
            return bytes(self._index.save())

    @contextmanager
    def _searching(self) -> Iterator[None]:
        with self._count_lock:
            self._asking += 1
        try:
            with self._lock:
                yield
        finally:
            with self._count_lock:
                self._asking -= 1
