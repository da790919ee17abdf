"""What every model of texts is to the node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix: TypeAlias = NDArray[np.float32]
    Vector: TypeAlias = NDArray[np.float32]
else:
    Matrix: TypeAlias = Any
    Vector: TypeAlias = Any

Say: TypeAlias = Callable[[str], None]
"""Told of what takes longer than a moment, one line each."""


@dataclass(frozen=True, slots=True)
class Space:
    """The space that a model's vectors are in: comparable with each other and with no others."""

    fingerprint: str
    "32 hexadecimal digits over all that decides what vector a text gets."
    name: str
    "As in the setting: minilm, onnx:DIR, ollama:MODEL, openai:MODEL."
    dimension: int
    tokens_max: int
    "Of a longer text only the beginning is read."


class Unavailable(Exception):  # noqa: N818 - it is a state, and somebody's to mend
    """A model cannot be used, with why and what to do."""

    def __init__(self, why: str, next: str = "") -> None:  # noqa: A002 - as a Failure has it
        super().__init__(why)
        self.why = why
        self.next = next


class Embedder(Protocol):
    """A loaded model. Used by one thread at a time; all of it may raise Unavailable."""

    @property
    def space(self) -> Space: ...

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Vectors of length 1, one row for each text."""
        ...

    def question(self, text: str) -> Vector:
        """The vector of a text that is only asked with. It may be off by a hair where that is
        quicker; what is kept, or held against a threshold, comes from embed."""
        ...

    def token_vectors(self, texts: Sequence[str]) -> list[Matrix]:
        """For each text a vector of length 1 for each of its tokens."""
        ...


class Scorer(Protocol):
    """A loaded cross-encoder."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, 0 to 1."""
        ...
