"""Words of a language model beside a question: data, checked, and only where it is wanted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimem_node.embedding.llm import Told
from aimem_node.operations.expansion import QUERY_CHARS, WORDS_MAX
from tests.aimem_node.operations.synonym_stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    running = Stage(tmp_path / "node")
    running.keep("fridge", "leeks and milk", vectors=False)
    running.keep("garage", "a ladder", vectors=False)
    yield running
    running.stop()


def says(stage: Stage, text: str, unavailable: str = "") -> list[str]:
    prompts: list[str] = []
    stage.model.llm = lambda prompt, _budget_s: prompts.append(prompt) or Told(text, unavailable)  # type: ignore[method-assign, func-returns-value]
    return prompts


def ask(stage: Stage, **fields: object) -> dict:
    return stage.call("Recall", context="vegetables", mode="keyword", **fields)


def test_its_words_find_what_the_question_does_not_name(stage: Stage) -> None:
    prompts = says(stage, "leeks, carrots")
    assert ask(stage)["memories"] == []
    answer = ask(stage, expand=True)
    assert answer["memories"][0]["title"] == "fridge"
    assert answer["expanded"] == ["leeks", "carrots"]
    assert len(prompts) == 1


def test_the_questions_own_words_count_more_than_added_ones(stage: Stage) -> None:
    stage.keep("list", "vegetables", vectors=False)
    says(stage, "leeks")
    answer = ask(stage, expand=True)
    assert [one["title"] for one in answer["memories"]][:2] == ["list", "fridge"]


def test_it_is_not_asked_unless_that_is_wanted(stage: Stage) -> None:
    prompts = says(stage, "leeks")
    assert ask(stage).get("expanded", []) == []
    assert prompts == []


def test_without_an_answer_the_question_stays_as_it_is_and_says_why(stage: Stage) -> None:
    for told, why in (
        (("", "it did not answer within 1.5 s"), "expand: it did not answer within 1.5 s"),
        (("the vegetables", ""), "expand: the language model named no other words"),
    ):
        says(stage, *told)
        answer = ask(stage, expand=True)
        assert why in answer["unavailable"]
        assert (answer.get("expanded", []), answer["mode"]) == ([], "keyword")


def test_its_thoughts_its_flood_and_its_syntax_are_not_looked_for(stage: Stage) -> None:
    flood = " ".join(f"w{n}" for n in range(99))
    says(stage, f'<think>a ladder?</think> "leeks" OR title:* {flood}')
    answer = ask(stage, expand=True)
    assert answer["memories"][0]["title"] == "fridge"
    assert len(answer["expanded"]) == WORDS_MAX
    assert "ladder" not in answer["expanded"]


def test_a_pasted_document_is_shown_to_it_by_its_beginning(stage: Stage) -> None:
    prompts = says(stage, "leeks")
    stage.call("Recall", context="x" * 50_000, expand=True, mode="keyword")
    assert len(prompts[0]) < 2 * QUERY_CHARS
