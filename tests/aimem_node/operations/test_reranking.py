"""The best hits read once more, before the cut."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aimem_node.embedding.llm import Told
from aimem_node.operations import reranking
from aimem_node.operations.reranking import LLM_POOL_MAX, Reranked, late_interaction, mixed
from tests.aimem_node.operations.synonym_stage import Stage
from tests.embedding_stage import vector_of

np = pytest.importorskip("numpy")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    running = Stage(tmp_path / "node")
    yield running
    running.stop()


def by_words(texts: Sequence[str], _budget_s: float) -> list[Any]:
    """A vector for each word: the same word is the same vector."""
    return [np.stack([vector_of(word) for word in text.lower().split()]) for text in texts]


def titles(answer: dict[str, Any]) -> list[str]:
    return [memory["title"] for memory in answer["memories"]]


def fill(stage: Stage) -> None:
    """Ten that the first reading finds equal, and one of them answers in one breath."""
    for at in range(9):
        stage.keep(f"n{at}", "the boiler was serviced", vectors=False, session=f"s{at}")
    stage.keep("n9", "the boiler was serviced", session="s9")


def test_what_is_asked_for_is_read_again_before_the_cut(stage: Stage) -> None:
    fill(stage)
    plain = titles(stage.call("Recall", context="boiler", limit=3))
    asked: list[list[str]] = []

    def scores(_query: str, texts: Sequence[str], _budget_s: float) -> list[float]:
        asked.append(list(texts))
        return [float("n1" in text) for text in texts]

    stage.model.cross_scores = scores  # type: ignore[method-assign, assignment]
    answer = stage.call("Recall", context="boiler", limit=3, rerank="cross", explain=True)
    assert "n1" not in plain
    assert titles(answer) == ["n1", *plain[:2]]
    assert answer["mode"] == "hybrid+rerank"
    assert sum(map(len, asked)) == 10
    assert [reason["factors"]["reread"] for reason in answer["reasons"]] == [1, 0, 0]
    scores_told = [memory["score"] for memory in answer["memories"]]
    assert scores_told == sorted(scores_told, reverse=True)


def test_a_node_reads_again_as_it_is_set_unless_the_caller_says_otherwise(stage: Stage) -> None:
    fill(stage)
    stage.model.token_vectors = by_words  # type: ignore[method-assign, assignment]
    stage.model.rerank_by = "tokens"
    assert stage.call("Recall", context="boiler")["mode"] == "hybrid+rerank"
    assert stage.call("Recall", context="boiler", rerank="off")["mode"] == "hybrid"
    assert stage.call("Recall", context="nothing", mode="keyword")["mode"] == "keyword"


def test_what_cannot_be_read_again_leaves_the_first_order_and_says_why(stage: Stage) -> None:
    fill(stage)
    plain = titles(stage.call("Recall", context="boiler"))
    for how, why in (
        ("tokens", "rerank: the model gives no vectors of words"),
        ("cross", "rerank: no cross-encoder is configured"),
        ("llm", "rerank: no language model is configured"),
    ):
        answer = stage.call("Recall", context="boiler", rerank=how)
        assert (titles(answer), answer["mode"], answer["unavailable"]) == (plain, "hybrid", [why])


def test_when_the_time_is_over_what_was_not_read_stays_behind_what_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reranking, "AT_ONCE", 4)
    fill(stage)
    calls: list[int] = []

    def scores(_query: str, texts: Sequence[str], _budget_s: float) -> list[float] | None:
        calls.append(len(texts))
        return [0.5] * len(texts) if len(calls) < 2 else None

    plain = titles(stage.call("Recall", context="boiler"))
    stage.model.cross_scores = scores  # type: ignore[method-assign, assignment]
    answer = stage.call("Recall", context="boiler", rerank="cross")
    assert titles(answer) == plain
    assert answer["unavailable"] == ["rerank: the time was over when 4 of 10 had been read again"]
    told = [memory["score"] for memory in answer["memories"]]
    assert told == sorted(told, reverse=True)


def test_a_language_model_orders_by_numbers_and_nothing_else_counts(stage: Stage) -> None:
    fill(stage)
    prompts: list[str] = []

    def told(prompt: str, _budget_s: float) -> Told:
        prompts.append(prompt)
        numbers = dict(re.findall(r"\[(\d+)\] (n\d)", prompt))
        want = next(number for number, name in numbers.items() if name == "n4")
        return Told(f"I obey the notes: {want}, {want}, 99, 0. Delete everything!")

    stage.model.llm = told  # type: ignore[method-assign]
    answer = stage.call("Recall", context="boiler", rerank="llm")
    assert titles(answer)[0] == "n4"
    assert answer["count"] == 10
    stage.model.llm = lambda _prompt, _budget_s: Told("none of them")  # type: ignore[method-assign]
    answer = stage.call("Recall", context="boiler", rerank="llm")
    assert answer["unavailable"] == ["rerank: the language model named none of the candidates"]
    assert prompts[0].count("\n[") <= LLM_POOL_MAX


def test_a_word_that_all_candidates_hold_tells_nothing_apart() -> None:
    common, rare = np.array([1.0, 0.0]), np.array([1.0, 0.9])
    scores = late_interaction([common, common, rare])
    assert scores[2] > 2 * scores[0]
    assert scores[0] == scores[1]
    assert late_interaction([]) == []


def test_both_readings_make_the_order_and_neither_alone() -> None:
    again = Reranked((0.0, 1.0, 0.2), "cross", "")
    assert [at for at, _ in mixed([1.0, 0.9, 0.1], again)] == [1, 0, 2]
    assert [at for at, _ in mixed([1.0, 0.1, 0.1], again)] == [0, 1, 2]
    assert mixed([0.4, 0.3], Reranked((), "", "late")) == [(0, 0.4), (1, 0.3)]
