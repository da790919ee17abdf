"""A model of texts that a test can stall, break and count, as a node sees it.

It stands where aimem_node/embedding/worker.Embedding does. Texts that share words are near.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimem_node.contract.errors import Code, Failure
from aimem_node.embedding.llm import Told

DIMENSION = 16


@dataclass(frozen=True)
class Space:
    """What the vectors of a model are called."""

    fingerprint: str
    name: str
    dimension: int = DIMENSION
    tokens_max: int = 256


@dataclass(frozen=True)
class Status:
    """How the model is."""

    state: str
    why: str = ""
    next: str = ""
    space: Space | None = None
    queries: int = 0
    embedded: int = 0
    failures: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Asked:
    """What a query came to."""

    vectors: dict[str, Any]
    unavailable: str = ""


def vector_of(text: str, salt: str = "", dimension: int = DIMENSION) -> Any:
    """float32, length 1: the sum of a direction for each word."""
    total = np.zeros(dimension, dtype=np.float64)
    for word in text.lower().split() or [""]:
        seed = int.from_bytes(hashlib.sha256(f"{salt}{word}".encode()).digest()[:8], "big")
        total += np.random.default_rng(seed).standard_normal(dimension)
    return (total / np.linalg.norm(total)).astype(np.float32)


class StageModel:
    """See the module."""

    def __init__(self, name: str = "stage", *older: Space, dimension: int = DIMENSION) -> None:
        fingerprint = hashlib.sha256(name.encode()).hexdigest()[:32]
        self.space = Space(fingerprint, name, dimension)
        self.older = older
        self.passed: list[str] = []
        "Every text that was embedded."
        self.is_loaded = False
        self.name = name
        self.has_llm = False
        self.rerank_by = "off"
        self.kept: dict[str, str] = {}
        "Earlier models, by fingerprint, for which it was told to embed questions too."
        self.down = ""
        "Why it gives nothing; empty: it does."
        self.refuses: Callable[[str], bool] = lambda _text: False
        self.gives: Callable[[str], Any] = lambda text: vector_of(text, name, dimension)
        self.flowing = threading.Event()
        "Cleared: it never answers."
        self.flowing.set()
        self._pool = ThreadPoolExecutor(1)

    def keep(self, names: Mapping[str, str]) -> None:
        self.kept = dict(names)

    def llm(self, prompt: str, budget_s: float) -> Told:
        return Told("", "no language model is configured")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def status(self) -> Status:
        state = "failed" if self.down else "ready" if self.is_loaded else "cold"
        return Status(state, why=self.down, space=self.space if self.is_loaded else None)

    def spaces(self) -> tuple[Space, ...]:
        return (self.space, *self.older) if self.is_loaded else ()

    def query(self, text: str, budget_s: float) -> Asked:
        if self.down:
            return Asked({}, self.down)
        return Asked({self.space.fingerprint: vector_of(text, self.space.name)})

    def query_later(self, text: str, *, quick: bool = False) -> Callable[[float], Asked]:
        return lambda budget_s: self.query(text, budget_s)

    def token_vectors(self, texts: Sequence[str], budget_s: float) -> None:
        return None

    def cross_scores(self, query: str, texts: Sequence[str], budget_s: float) -> None:
        return None

    def passages(self, texts: Sequence[str], fingerprint: str, budget_s: float) -> Future[Any]:
        return self._pool.submit(self._embed, tuple(texts), fingerprint, budget_s)

    def _embed(self, texts: Sequence[str], fingerprint: str, budget_s: float) -> Any:
        if not self.flowing.wait(budget_s):
            raise Failure(Code.UNAVAILABLE, f"the model took over {budget_s:g} s")
        if self.down:
            raise Failure(Code.UNAVAILABLE, self.down)
        self.is_loaded = True
        assert fingerprint in ("", self.space.fingerprint)
        if any(self.refuses(text) for text in texts):
            raise Failure(Code.UNAVAILABLE, "one of the texts cannot be read")
        self.passed += texts
        return np.stack([self.gives(text) for text in texts])
