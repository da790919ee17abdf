"""A node with a model to which some words mean the same, for tests of what recall makes of it."""

from pathlib import Path
from typing import Any

from tests.aimem_node.followers.test_vectors import Node
from tests.embedding_stage import Asked, Space, StageModel, vector_of

MEANS = {"vehicle": "car", "automobile": "car", "colour": "red", "shade": "red"}
SMALL = {"the", "is", "of", "a", "and", "in", "was", "it", "what", "which"}


class Meaning(StageModel):
    """Texts are near when their words mean the same."""

    def __init__(self, name: str = "meaning", *older: Space) -> None:
        super().__init__(name, *older, dimension=64)
        self.gives = self.vector
        self.others: dict[str, StageModel] = {}
        "Earlier models that still embed questions, by fingerprint."

    def vector(self, text: str) -> Any:
        words = [MEANS.get(word, word) for word in text.lower().split() if word not in SMALL]
        return vector_of(" ".join(words), self.space.name, self.space.dimension)

    def query(self, text: str, budget_s: float) -> Asked:
        if self.down:
            return Asked({}, self.down)
        found = {self.space.fingerprint: self.vector(text)}
        return Asked(found | {one: other.gives(text) for one, other in self.others.items()})


class Stage(Node):
    """See the module."""

    model: Meaning

    def __init__(self, data_dir: Path, model: Meaning | None = None) -> None:
        super().__init__(data_dir, model or Meaning())
        self._kept = 0

    def keep(self, title: str, content: str, *, vectors: bool = True, **fields: Any) -> str:
        """Store what says this, and wait until all that is stored has its vector."""
        record_id = self.store(title, content, on_conflict="new", **fields)
        self._kept += 1
        if vectors:
            self.until(self._all_have_vectors)
        return record_id

    def _all_have_vectors(self) -> bool:
        facts = self.facts()
        return (facts["vectors"], facts["backlog"]) == (self._kept, 0)
