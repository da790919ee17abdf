"""A node whose model gives the vectors that a test wants, and counts what it is asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.operations import Role
from aimem_node.rpc.access_edit import create_token
from tests.aimem_node.followers.test_vectors import Node
from tests.embedding_stage import Asked, StageModel, vector_of

DIMENSION = 64
RETRO = "we hold the retro on friday afternoon"
LOOKING_BACK = "the team looks back at each sprint before the weekend"
"""The same in other words."""


def toward(axis: int, cosine: float = 1.0) -> Any:
    """float32, length 1: near to one axis; two of one axis and different cosines are apart."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[axis], vector[axis + DIMENSION // 2] = cosine, (1 - cosine**2) ** 0.5
    return vector


class MeaningModel(StageModel):
    """Gives the vector planned for a text, for its first planned part, or one by its words."""

    def __init__(self, name: str = "meaning") -> None:
        super().__init__(name, dimension=DIMENSION)
        self.planned: dict[str, Any] = {}
        "Vectors by parts of texts."
        self.asked: list[str] = []
        "Questions, in order."
        self.slow = ""
        "Why questions are not answered in time; empty: they are."
        self.gives = self._given

    def _given(self, text: str) -> Any:
        by_words = vector_of(text, self.space.name, DIMENSION)
        return next((vec for part, vec in self.planned.items() if part in text), by_words)

    def query(self, text: str, budget_s: float) -> Asked:
        self.asked.append(text)
        unavailable = self.down or self.slow
        if unavailable:
            return Asked({}, unavailable)
        return Asked({self.space.fingerprint: self.gives(text)})

    def query_later(self, text: str, *, quick: bool = False) -> Callable[[float], Asked]:
        return lambda budget_s: self.query(text, budget_s)


class MeaningNode(Node):
    """Stores texts whose vectors are planned."""

    model: MeaningModel

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, MeaningModel())

    def keep(self, content: str, axis: int, cosine: float = 1.0, **fields: Any) -> str:
        """Store a text and have its vector point that way. Wait with until_done."""
        self.model.planned[content] = toward(axis, cosine)
        title = fields.pop("title", content[:40])
        return self.store(title, content, **fields)


def standing(node: Node, name: str, place: str) -> Credentials:
    """A caller who sees what is seen from a place."""
    bearer = create_token(str(node.data_dir), name, Role.WRITER, "*", place=place)
    node.clock.move(seconds=1)
    return Credentials(channel=Channel.LOOPBACK, bearer=bearer)


@contextmanager
def meaning_node(data_dir: Path) -> Iterator[MeaningNode]:
    node = MeaningNode(data_dir)
    try:
        yield node
    finally:
        node.stop()
