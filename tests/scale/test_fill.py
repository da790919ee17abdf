"""Filling a store beyond what the model would embed, with a model that counts letters."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.scale import filling
from aimem_node.gateways.operator.bench.standing import NoMeaning
from aimem_node.gateways.operator.bench.words import Words
from aimem_node.store.listing import Filter
from aimem_node.store.store import Store
from tests.scale import fill

SAMPLE = conversation.load(conversation.SAMPLE)
SPACE = SimpleNamespace(fingerprint="ab" * 16, name="letters", dimension=26)
SIZE = 300


class Letters:
    """As much of a model's worker as the filler uses."""

    def __init__(self, unavailable: str = "") -> None:
        self.unavailable = unavailable
        self.closed = False

    def start(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def query(self, _text: str, _budget_s: float) -> Any:
        return SimpleNamespace(unavailable=self.unavailable)

    def spaces(self) -> tuple[Any, ...]:
        return () if self.unavailable else (SPACE,)

    def status(self) -> Any:
        return SimpleNamespace(why=self.unavailable, next="Install it.")

    def passages(self, texts: Sequence[str], _fingerprint: str, _budget_s: float) -> Any:
        counts = [[1.0 + one.lower().count(chr(97 + at)) for at in range(26)] for one in texts]
        matrix = np.array(counts, dtype=np.float32)
        done: Future[Any] = Future()
        done.set_result(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))
        return done


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    """A kept store that has its texts, from a real node, and no vector."""
    asyncio.run(filling.fill(tmp_path, SIZE, SAMPLE, "off", lambda _: None))
    return tmp_path


def test_every_memory_gets_a_vector_that_finds_it_and_a_second_run_has_nothing_to_do(
    keep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Letters()
    monkeypatch.setattr(fill, "model", lambda *_: model)
    monkeypatch.setattr(fill, "ROWS", 64)
    for _ in range(2):
        fill.compose(keep, SIZE, Words(SAMPLE), "letters")
    assert model.closed
    store = Store.open(filling.home(keep, SIZE) / filling.STORE, print, readers=1)
    try:
        assert store.readers.submit(lambda view: view.vector_backlog()).result() == 0
        count = store.readers.submit(lambda view: view.vector_count(SPACE.fingerprint)).result()
        assert count == SIZE
        vectors = store.readers.submit(
            lambda view: view.vectors_of(SPACE.fingerprint, range(1, SIZE + 1))
        ).result()
        rid, vector = next(iter(vectors.items()))
        found = store.readers.submit(
            lambda view: view.nearest(SPACE.fingerprint, vector, Filter(), 1)
        ).result()
        assert found.hits[0].rid == rid
    finally:
        store.close()


def test_without_a_model_it_says_what_to_do_and_leaves_the_store_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Letters("it is not installed")
    monkeypatch.setattr(fill, "model", lambda *_: model)
    with pytest.raises(NoMeaning, match=r"not installed\. Install it"):
        fill.compose(tmp_path, SIZE, Words(SAMPLE), "auto")
    assert model.closed
    assert not filling.home(tmp_path, SIZE).exists()
