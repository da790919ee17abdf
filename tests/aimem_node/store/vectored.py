"""A store whose memories have vectors, and what a search of them must find, counted out by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aimem_node.store.listing import Filter
from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_node.store.vector_file import files_of
from aimem_node.store.vector_space import Sizes
from aimem_node.store.vectors import Nearest
from tests.aimem_node.store.conftest import Pen

SMALL: Sizes = Sizes(alone=100, tail=60, part=200)
"""Small pieces, so that a few hundred vectors go through all that a million does."""
PRINT = "f" * 32


@dataclass(frozen=True)
class Toy:
    fingerprint: str = PRINT
    name: str = "toy"
    dimension: int = 16


TOY = Toy()


def units(count: int, seed: int = 1, dimension: int = 16) -> np.ndarray:
    """Vectors of length 1, in bunches, as those of texts are."""
    chance = np.random.default_rng(seed)
    middles = chance.normal(size=(20, dimension))
    found = middles[chance.integers(0, 20, count)] + 0.7 * chance.normal(size=(count, dimension))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


class Vectored:
    """An open store with short words for vectors."""

    def __init__(self, data_dir: Path, sizes: Sizes = SMALL) -> None:
        self.data_dir = data_dir
        self.sizes = sizes
        self.pen = Pen()
        self.failures: list[str] = []
        self.vectors: dict[str, np.ndarray] = {}
        "What the table should hold."
        self.store = self._opened()
        self.do(lambda session: session.set_space(TOY))

    def _opened(self) -> Store:
        return Store.open(self.data_dir, self.failures.append, readers=2, sizes=self.sizes)

    def do(self, job: Any) -> Any:
        return self.store.writer.submit(job).result(30)

    def see(self, read: Any) -> Any:
        return self.store.readers.submit(read, 20_000).result(30)

    def write(self, *changes: Any) -> None:
        def job(session: WriteSession) -> None:
            for change in changes:
                self.pen.write(session, change)

        self.do(job)

    def add(self, vectors: dict[str, np.ndarray], **more: Any) -> None:
        """Memories with these vectors."""
        self.write(*(self.pen.memory(name, name, **more) for name in vectors))
        self.give(vectors)

    def give(self, vectors: dict[str, np.ndarray]) -> None:
        """Vectors for memories that are there."""

        def job(session: WriteSession) -> None:
            due = {row.record_id: row for row in session.vectors_due(1 << 30)}
            rows = [(due[name].rid, due[name].mark, one) for name, one in vectors.items()]
            session.put_vectors(PRINT, rows)

        self.do(job)
        self.vectors.update(vectors)

    def change(self, name: str, content: str) -> None:
        """Another text: its vector is gone."""
        self.write(self.pen.edit(name, body={"title": name, "content": content, "metadata": {}}))
        self.vectors.pop(name, None)

    def end(self, *names: str, by: str = "archive") -> None:
        self.write(*(getattr(self.pen, by)(name) for name in names))
        for name in names:
            self.vectors.pop(name, None)

    def settle(self) -> None:
        """Wait until the index has taken in all; it must then agree with the table."""
        assert self.store.vectors.check().result(60) == []

    def again(self) -> None:
        """Close and open, as after a restart."""
        self.store.close()
        self.store = self._opened()
        self.store.vectors.start()

    def near(self, vector: np.ndarray, limit: int = 10, wanted: Filter | None = None) -> Nearest:
        chosen = wanted or Filter()
        found: Nearest = self.see(lambda view: view.nearest(PRINT, vector, chosen, limit))
        return found

    def brute(self, vector: np.ndarray, limit: int = 10) -> list[str]:
        """What must be found, by comparing everything."""
        if not self.vectors:
            return []
        names = list(self.vectors)
        rids = self.see(lambda view: {row.record_id: row.rid for row in view.memories(names)})
        matrix = np.array([self.vectors[name] for name in names]).astype(np.float16)
        near = np.round((matrix.astype(np.float32) @ vector).astype(np.float64), 6)
        order = sorted(range(len(names)), key=lambda at: (-near[at], rids[names[at]]))
        return [names[at] for at in order[:limit]]

    def files(self) -> list[Path]:
        return files_of(self.data_dir)


def filled(vectored: Vectored, count: int = 700, seed: int = 1) -> np.ndarray:
    """Put so many memories m0000, m0001 ... there; their vectors."""
    matrix = units(count, seed)
    vectored.add({f"m{at:04}": matrix[at] for at in range(count)})
    return matrix


def names(found: Nearest) -> list[str]:
    return [hit.record_id for hit in found.hits]
