"""The shipped sample, and files in the shape of the data set with all their slips."""

import json
from pathlib import Path
from typing import Any

import pytest

from aimem_node.gateways.demo import conversation, intake
from aimem_node.gateways.demo.conversation import ConversationError

SAMPLE = conversation.load(conversation.SAMPLE)[0]


def test_the_sample_is_about_sixty_turns_of_two_people_over_six_sessions() -> None:
    assert 50 <= len(SAMPLE.turns) <= 70
    assert len(SAMPLE.speakers) == 2
    assert len(SAMPLE.sessions) == 6


def test_turn_ids_of_the_sample_are_unique_and_its_sessions_follow_one_another() -> None:
    ids = [turn.turn_id for turn in SAMPLE.turns]
    assert len(set(ids)) == len(ids)
    times = [turn.happened_at for turn in SAMPLE.turns]
    assert times == sorted(times)
    assert len(set(times)) == 6


def test_every_question_of_the_sample_has_evidence_that_exists() -> None:
    assert len(SAMPLE.questions) == 8
    assert SAMPLE.questions_dropped == 0
    known = {turn.turn_id for turn in SAMPLE.turns}
    assert all(question.evidence <= known for question in SAMPLE.questions)


def data_file(path: Path, **talk: Any) -> Path:
    """A file in the shape of the data set, with one session."""
    turns = [
        {"dia_id": "D1:1", "speaker": "Ada L.", "text": "It is blue."},
        {"dia_id": "D1:2", "speaker": "Bo", "text": "Look!", "blip_caption": "a red kite"},
    ]
    whole = {
        "sample_id": "Conv 1/2",
        "conversation": {"session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": turns},
        **talk,
    }
    path.write_text(json.dumps([whole]), encoding="utf-8")
    return path


def test_a_caption_is_part_of_what_was_said(tmp_path: Path) -> None:
    (found,) = conversation.load(data_file(tmp_path / "d.json"))
    assert found.turns[1].text == "Look! [shares a picture: a red kite]"
    assert f"{found.turns[0].happened_at:%Y-%m-%dT%H:%MZ}" == "2023-05-08T13:56Z"


def test_glued_evidence_is_read_and_a_question_without_any_is_counted_not_asked(
    tmp_path: Path,
) -> None:
    qa = [
        {"question": "glued", "answer": 1, "evidence": ["D1:1; D 1:02"]},
        {"question": "half", "answer": 2, "evidence": ["D1:2", "D9:9"]},
        {"question": "nowhere", "answer": 3, "evidence": ["D9:9"]},
        {"question": "none", "answer": 4, "evidence": []},
    ]
    (found,) = conversation.load(data_file(tmp_path / "d.json", qa=qa))
    assert [question.evidence for question in found.questions] == [
        {"D1:1", "D1:2"},
        {"D1:2"},
    ]
    assert found.questions_dropped == 2


def test_names_become_an_agent_id_and_a_namespace_that_are_allowed(tmp_path: Path) -> None:
    (found,) = conversation.load(data_file(tmp_path / "d.json"))
    assert found.turns[0].agent_id == "ada-l"
    assert intake.namespace_of(found) == "demo/conv-1-2"


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", "[1]", '[{"conversation": {"session_1": []}}]']
)
def test_a_file_that_is_something_else_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConversationError, match=r"d\.json"):
        conversation.load(path)


def test_a_named_file_wins_and_must_exist_and_the_sample_is_the_last_resort(tmp_path: Path) -> None:
    assert conversation.find({}, tmp_path) == (conversation.SAMPLE, True)
    mine = data_file(tmp_path / "mine.json")
    assert conversation.find({conversation.DATA_ENV: str(mine)}, tmp_path) == (mine, False)
    with pytest.raises(ConversationError, match="not a file"):
        conversation.find({conversation.DATA_ENV: str(tmp_path / "gone.json")}, tmp_path)
