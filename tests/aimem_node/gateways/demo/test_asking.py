"""Which questions are asked, and how honestly the answers are judged."""

import io

from aimem_node.gateways.demo import asking, conversation
from aimem_node.gateways.demo.conversation import Question
from aimem_node.gateways.demo.screen import Screen

SAMPLE = conversation.load(conversation.SAMPLE)[0]


def test_the_questions_shown_are_spread_evenly_not_picked() -> None:
    questions = [Question(str(number), "", frozenset({"D1:1"})) for number in range(8)]
    assert [each.text for each in asking.spread(questions, 4)] == ["0", "2", "4", "6"]
    assert asking.spread(questions, 20) == questions


def test_evidence_that_did_not_come_back_is_place_zero() -> None:
    assert asking.place_of(frozenset({"b", "c"}), ["a", "c", "b"]) == 2
    assert asking.place_of(frozenset({"x"}), ["a"]) == 0


def test_a_miss_is_printed_as_a_miss() -> None:
    recalled = asking.Recalled(SAMPLE.questions[0], ({"id": "1"},), 0, 1.0)
    out = io.StringIO()
    Screen(out, {}).line(*asking.verdict(recalled))
    assert "✗ not among the first 1" in out.getvalue()
