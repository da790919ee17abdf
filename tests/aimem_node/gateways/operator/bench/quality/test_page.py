"""The tables that the scores go to."""

from typing import Any

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench import report
from aimem_node.gateways.operator.bench.figures import Figure
from aimem_node.gateways.operator.bench.quality import page
from aimem_node.gateways.operator.bench.quality.measures import MEASURES
from aimem_node.gateways.operator.bench.runner import DOC

SCORE = dict.fromkeys(MEASURES, 0.825)
SERIES: dict[str, Any] = {
    "stores": "a store each", "way": "hybrid", "questions": 1_200, "turn": SCORE, "session": SCORE,
    "turn, asked for ten": SCORE,
    "categories": {"3": {"questions": 7, "turn": SCORE}},
    "latency_ms": {"p50": 4.0, "p95": 9.0, "p99": 11.5, "max": 20.0},
    "answer_bytes": {"mean": 21_000, "max": 22_000, "sum": 1},
    "without_an_answer": 0, "not_the_same_again": 0, "other_first_ten_when_asked_for_ten": 2,
    "weights": {
        "terms": ["+words"], "gained": -0.031, "gained_error": 0.01, "within_noise": False,
        "folds": [{"conversation": 1, "questions": 9, "shipped": 0.8, "chosen": 0.77,
                   "scales": {"+words": 1.5, "+meaning": 1.0}}],
        "curve": {"+words": {"0": 0.5, "1": 0.8}}, "unexplained": 3,
    },
}  # fmt: skip
RESULT: dict[str, Any] = {"facts": {"data set": "a.json, sha256 12"}, "series": [SERIES]}
GOALS = [Figure("hybrid: turn R@10", 82.5, "%", 83.5, "at least")]


def test_the_page_says_what_was_asked_what_was_found_and_what_was_missed() -> None:
    for shown in (
        page.text(RESULT, {1: "the first"}, GOALS),
        page.markdown(RESULT, {1: "the first"}, GOALS),
    ):
        assert "82.5" in shown
        assert "1,200" in shown
        assert "MISSED" in shown
        assert "the first" in shown
        assert "+words x1.5" in shown
        assert "+meaning" not in shown
        assert "too good here to be unfitted" in shown
        assert "For 3 of the questions" in shown
    assert "sha256 12" in page.markdown(RESULT, {}, GOALS)


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    for made in (page.scores, page.kinds, page.costs):
        rows = made([SERIES])
        assert {len(row) for row in rows} == {len(rows[0])}


def test_the_project_s_page_has_a_place_for_it() -> None:
    text = (conversation.project_root() / DOC).read_text("utf-8")
    assert "scores" in report.replaced(text, "scores", page.MARKS)
