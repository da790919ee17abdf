"""Candidates by words, by meaning and by what stands beside them, ranked as one."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.operations import finding
from aimem_node.operations.finding import with_neighbours
from aimem_node.store.view_company import Around
from tests.aimem_node.operations.synonym_stage import Meaning, Stage
from tests.embedding_stage import Asked


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    running = Stage(tmp_path / "node")
    yield running
    running.stop()


def titles(answer: dict[str, Any]) -> list[str]:
    return [memory["title"] for memory in answer["memories"]]


def pools(answer: dict[str, Any]) -> dict[str, int]:
    return {pool["name"]: pool["candidates"] for pool in answer["pools"]}


def test_what_shares_no_word_with_the_question_is_found_by_what_it_means(stage: Stage) -> None:
    stage.keep("garage", "the car is red", session="one")
    stage.keep("kitchen", "soup with leeks", session="two")
    answer = stage.call("Recall", context="vehicle colour")
    assert titles(answer)[0] == "garage"
    assert (answer["mode"], answer.get("unavailable", [])) == ("semantic", [])
    assert pools(answer)["semantic"] == 2
    assert titles(stage.call("Recall", context="vehicle colour", mode="keyword")) == []


def test_words_and_meaning_together_beat_either_alone(stage: Stage) -> None:
    stage.keep("words only", "a colour chart for the kitchen", session="a")
    stage.keep("meaning only", "the car was painted in it", session="b")
    stage.keep("both", "the car has the colour red", session="c")
    answer = stage.call("Recall", context="colour of the vehicle", explain=True)
    assert titles(answer)[0] == "both"
    assert answer["mode"] == "hybrid"
    factors = answer["reasons"][0]["factors"]
    assert {"+words", "+meaning"} <= set(factors)


def test_the_factors_of_a_hit_make_its_score(stage: Stage) -> None:
    for at in range(12):
        stage.keep(f"note {at}", f"the car number {at} is {'red' if at % 2 else 'blue'}")
    answer = stage.call("Recall", context="which vehicle is red", explain=True)
    for memory, reason in zip(answer["memories"], answer["reasons"], strict=True):
        factors = reason["factors"]
        added = sum(value for name, value in factors.items() if name.startswith("+"))
        times = math.prod(value for name, value in factors.items() if not name.startswith("+"))
        assert memory["score"] == pytest.approx(added * times, abs=0.002)


def test_more_hits_are_the_same_hits_and_then_more(stage: Stage) -> None:
    for at in range(150):
        stage.keep(f"note {at}", f"the car number {at % 17} passed {'twice' if at % 3 else 'once'}")
    five, ten, fifty = (
        titles(stage.call("Recall", context="vehicle number 7 twice", limit=limit))
        for limit in (5, 10, 50)
    )
    assert (five, ten) == (fifty[:5], fifty[:10])
    assert len(fifty) == 50


def test_a_model_that_is_late_leaves_the_words_and_the_answer_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.keep("garage", "the car is red")
    waited: list[float] = []

    def late(_text: str, *, quick: bool) -> Callable[[float], Asked]:
        return lambda budget_s: waited.append(budget_s) or Asked({}, "it is late")

    monkeypatch.setattr(stage.model, "query_later", late)
    answer = stage.call("Recall", context="car", context_tokens=["garage"])
    assert (titles(answer), answer["mode"]) == (["garage"], "keyword")
    assert answer["unavailable"] == ["semantic: it is late", "context: it is late"]
    assert "semantic" not in pools(answer)
    assert max(waited) <= finding.MODEL_BUDGET_S
    assert len(waited) == 2


def test_by_keyword_the_model_is_not_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.keep("garage", "the car is red")
    monkeypatch.setattr(stage.model, "query_later", lambda _text, **_: pytest.fail("asked"))
    answer = stage.call("Recall", context="car", mode="keyword")
    assert (titles(answer), answer.get("unavailable", [])) == (["garage"], [])


def test_the_only_memory_of_a_place_is_found_among_many_elsewhere(stage: Stage) -> None:
    for at in range(300):
        stage.keep(f"b {at}", "the car is red and fast", namespace="b", vectors=at == 299)
    stage.keep("a", "soup", namespace="a")
    answer = stage.call("Recall", context="the vehicle is red", namespace="a")
    assert titles(answer) == ["a"]


def test_what_stands_beside_a_hit_is_found_and_lives_no_longer_by_it(stage: Stage) -> None:
    for at in range(80):
        stage.keep(f"noise {at}", f"soup {at}", session="other", vectors=False)
    asked = stage.keep("asked", "where is the blender", session="talk", vectors=False)
    said = stage.keep("said", "on the top shelf", session="talk")
    answer = stage.call("Recall", context="blender", mode="keyword")
    assert titles(answer)[:2] == ["asked", "said"]
    assert pools(answer)["neighbours"] == 1
    assert stage.memory(asked)["access_count"] == 1
    assert stage.memory(said)["access_count"] == 0


def test_what_is_being_talked_about_moves_what_a_question_means(stage: Stage) -> None:
    stage.keep("bank of a river", "water willow")
    stage.keep("bank in town", "money loan")
    answers = {
        about: titles(stage.call("Recall", context="shore account", context_tokens=[about]))[0]
        for about in ("water willow", "money loan")
    }
    assert answers == {"water willow": "bank of a river", "money loan": "bank in town"}


def test_two_models_are_both_asked_while_one_replaces_the_other(tmp_path: Path) -> None:
    older = Meaning("older")
    stage = Stage(tmp_path / "node", older)
    stage.keep("garage", "the car is red")
    stage.stop()
    newer = Meaning("newer", older.space)
    newer.refuses = lambda text: "car" in text  # it gets no vector of the new model
    newer.is_loaded = True
    newer.others = {older.space.fingerprint: older}
    again = Stage(tmp_path / "node", newer)
    again.until(lambda: again.facts().get("failures"))
    answer = again.call("Recall", context="vehicle colour")
    assert titles(answer) == ["garage"]
    again.stop()


def test_the_company_of_what_stands_beside_is_known_without_asking_again() -> None:
    known = with_neighbours({5: Around((4, 3), (6, 7))})
    assert known == {
        3: Around((), (4, 5)), 4: Around((3,), (5, 6)), 5: Around((4, 3), (6, 7)),
        6: Around((5, 4), (7,)), 7: Around((6, 5), ()),
    }  # fmt: skip
