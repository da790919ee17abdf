"""A node with a model to which some words mean the same, for tests of what recall makes of it."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.embedding_stage import Asked, Space, StageModel, vector_of
from tests.harness import Harness

HANG_S = 20
"""Far above what anything here takes: reaching it means that something hangs."""
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


class Stage(Harness):
    """See the module."""

    def __init__(self, data_dir: Path, model: Meaning | None = None) -> None:
        self.model = model or Meaning()
        super().__init__(data_dir, embedding=self.model)
        self._kept = 0

    def facts(self) -> dict[str, Any]:
        return dict(self.call("Stats")["embedding"])

    def until(self, true: Callable[[], Any]) -> None:
        """Wait until something is so. Looked at again and again: no event tells of it."""
        pause, ended = threading.Event(), threading.Timer(HANG_S, lambda: pause.set())
        ended.start()
        try:
            while not true():
                assert not pause.wait(0.01), f"it never came to this: {self.facts()}"
        finally:
            ended.cancel()

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
