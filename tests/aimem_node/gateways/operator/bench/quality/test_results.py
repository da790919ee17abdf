"""Scores put together, and how they stand to the goals."""

import json

from aimem_node.gateways.demo.conversation import Question
from aimem_node.gateways.operator.bench.quality import results, weights
from aimem_node.gateways.operator.bench.quality.asking import Asked, Place
from aimem_node.gateways.operator.bench.quality.results import (
    APART,
    SITTING,
    TEN_ONLY,
    TURN,
    Series,
)

TURNS = [Place(1, f"D{session}:{at}", f"session-{session}") for session in (1, 2) for at in (1, 2)]


def asked(
    gold: set[int], ranking: list[int], category: str = "1", mode: str = "hybrid", talk: int = 1
) -> Asked:
    return Asked(
        talk=talk,
        question=Question("?", "!", frozenset(TURNS[at].turn_id for at in gold), category),
        gold=frozenset(TURNS[at] for at in gold),
        ranking=tuple(TURNS[at] for at in ranking),
        took_ms=5.0,
        answer_bytes=100,
        mode=mode,
        unavailable=(),
        factors=tuple({"+words": 1.0} for _ in ranking),
        same_again=True,
        ten=tuple(TURNS[at] for at in ranking[:1]),
    )


def test_a_session_is_found_by_any_of_its_turns() -> None:
    series = Series(APART, "keyword", (asked({2, 3}, [0, 1, 2]),))
    (turns,), (sittings,) = series.scores(TURN), series.scores(SITTING)
    assert turns["R@5"] == 0.5
    assert turns["MRR"] == 1 / 3
    assert sittings["R@5"] == 1
    assert sittings["MRR"] == 1 / 2


def test_what_comes_for_ten_is_scored_by_itself() -> None:
    series = Series(APART, "keyword", (asked({1}, [0, 1]),))
    assert series.scores(TURN)[0]["R@10"] == 1
    assert series.scores(TEN_ONLY)[0]["R@10"] == 0
    assert results.as_json(series)["other_first_ten_when_asked_for_ten"] == 1


def test_each_goal_is_held_against_its_own_series_and_what_was_not_asked_is_not_missed() -> None:
    series = Series(APART, "keyword", (asked({0}, [0]), asked({1}, [])))
    goal, unanswered = results.figures([series])
    assert (goal.value, goal.goal, goal.met) == (50.0, 77.5, False)
    assert (unanswered.value, unanswered.met) == (1, False)


def test_answers_by_words_alone_are_no_answers_by_meaning() -> None:
    series = Series(
        APART, "hybrid", (asked({0}, [0]), asked({0}, [0], mode="keyword")), by_meaning=True
    )
    words = results.figures([series])[-1]
    assert (words.value, words.met) == (1, False)
    assert Series(APART, "keyword", (asked({0}, [0], mode="keyword"),)).by_words_alone == 0


def test_a_series_in_plain_values_tells_its_categories_apart() -> None:
    both = (asked({0}, [0], "1"), asked({1}, [0], "2"), asked({0}, [0], "1", talk=2))
    trial = weights.tried(both)
    found = results.as_json(Series(APART, "keyword", both, trial=trial))
    assert json.loads(json.dumps(found)) == found
    assert found["categories"]["1"]["turn"]["R@1"] == 1
    assert found["categories"]["2"]["turn"]["R@1"] == 0
    assert found["answer_bytes"] == {"mean": 100, "max": 100, "sum": 300}
    assert found["weights"]["within_noise"] is True
