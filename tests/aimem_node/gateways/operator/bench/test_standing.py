"""Bringing a node to where it can be measured."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aimem_node.contract.values import Embedding, RecallResponse, StatsResponse
from aimem_node.gateways.operator.bench import standing
from aimem_node.gateways.operator.bench.standing import NoMeaning


class Going:
    """A node whose answers are given one after another; the last stays."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def call(self, _operation: str, _request: Any) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def stats(state: str = "ready", **more: Any) -> StatsResponse:
    return StatsResponse(embedding=Embedding(state=state, **more))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "POLL_S", 0.0)


def waited(node: Any) -> Embedding:
    return asyncio.run(standing.until_vectors(node, lambda _: None))


def test_vectors_are_there_when_none_is_due_and_the_index_holds_them() -> None:
    found = waited(
        Going(
            stats("cold"),
            stats(vectors=3, backlog=2, index="ready"),
            stats(vectors=5, index="rebuilding"),
            stats(vectors=5, index="ready"),
        )
    )
    assert found.vectors == 5


def test_a_node_that_makes_no_vectors_says_why_and_what_to_do() -> None:
    with pytest.raises(NoMeaning, match=r"not installed.*pip install"):
        waited(Going(stats("off", why="it is not installed", next="pip install it")))
    with pytest.raises(NoMeaning, match="nothing of a model"):
        waited(Going(StatsResponse()))


def test_vectors_that_stop_coming_end_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "STALLED_SECONDS_MAX", 0.0)
    with pytest.raises(NoMeaning, match="no vector came"):
        waited(Going(stats(vectors=3, backlog=2, why="too warm")))


def test_nothing_is_timed_before_a_question_was_answered_by_meaning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warming = Going(
        RecallResponse(mode="keyword", unavailable=("semantic: loading",)),
        RecallResponse(mode="hybrid", unavailable=("rerank: loading",)),
        RecallResponse(mode="hybrid+rerank"),
    )
    asyncio.run(standing.until_meaning(warming, "tokens"))  # type: ignore[arg-type]
    assert len(warming.answers) == 1
    monkeypatch.setattr(standing, "MODEL_SECONDS_MAX", 0.0)
    cold: Any = Going(RecallResponse(mode="keyword", unavailable=("semantic: off",)))
    with pytest.raises(NoMeaning, match="semantic: off"):
        asyncio.run(standing.until_meaning(cold))


def test_a_store_is_put_back_as_it_was_and_what_is_only_read_is_shared(tmp_path: Path) -> None:
    node: Any = SimpleNamespace(running=False, data_dir=tmp_path / "data")
    (node.data_dir / "models").mkdir(parents=True)
    (node.data_dir / "aimem.db").write_text("first")
    (node.data_dir / "models/model.onnx").write_text("graph")
    kept = tmp_path / "kept"
    standing.keep(node, kept)
    assert not node.data_dir.exists()
    standing.put_back(node, kept)
    (node.data_dir / "aimem.db").write_text("changed")
    (node.data_dir / "extra").write_text("extra")
    standing.put_back(node, kept)
    assert (node.data_dir / "aimem.db").read_text() == "first"
    assert not (node.data_dir / "extra").exists()
    graph = "models/model.onnx"
    assert (node.data_dir / graph).stat().st_ino == (kept / graph).stat().st_ino
