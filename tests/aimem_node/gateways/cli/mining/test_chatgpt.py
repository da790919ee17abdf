"""ChatGPT's export: the branch that was shown, and what people and the assistant said on it."""

from pathlib import Path
from typing import Any

from aimem_node.contract.times import read_time
from aimem_node.gateways.cli.mining import chatgpt
from tests.aimem_node.gateways.cli.mining.reading import read, spoken
from tests.aimem_node.gateways.cli.mining.stage import written


def node(
    name: str, parent: str | None, children: list[str], role: str = "user", *parts: Any, **more: Any
) -> dict[str, Any]:
    message = {
        "id": name,
        "author": {"role": role},
        "create_time": 1_740_816_000.25,
        "content": {"content_type": "text", "parts": list(parts)},
        "recipient": "all",
        "metadata": {},
    }
    return {
        name: {
            "id": name, "parent": parent, "children": children,
            "message": message | more if role else None,
        }
    }  # fmt: skip


def chat(**more: Any) -> dict[str, Any]:
    mapping = (
        node("root", None, ["s"], "")
        | node("s", "root", ["q"], "system", "be nice")
        | node("q", "s", ["a1", "a2"], "user", "question")
        | node("a1", "q", [], "assistant", "thrown away")
        | node("a2", "q", ["t"], "assistant", "kept")
        | node("t", "a2", ["q2"], "tool", "tool output")
        | node("q2", "t", [], "user", "thanks")
    )
    return {
        "conversation_id": "c-1", "title": "T", "create_time": 1_740_816_000.0,
        "mapping": mapping, "current_node": "q2",
    } | more  # fmt: skip


def one(value: dict[str, Any]):
    return chatgpt.conversation("here", value)


def test_the_branch_shown_last_is_the_conversation(tmp_path: Path) -> None:
    [found], unfit = read(chatgpt.find, written(tmp_path / "conversations.json", [chat()]))
    assert spoken(found) == ["user: question", "assistant: kept", "user: thanks"]
    assert (found.key, found.title, found.where) == ("c-1", "T", "conversations.json, index 0")
    assert found.messages[0].at_us == read_time("2025-03-01T08:00:00.25Z")
    assert unfit == []


def test_another_branch_can_be_the_one_shown() -> None:
    assert spoken(one(chat(current_node="a1")))[-1] == "assistant: thrown away"


def test_where_no_branch_is_named_it_is_that_of_the_newest_message() -> None:
    value = chat(current_node=None)
    value["mapping"]["a1"]["message"]["create_time"] = 1_740_900_000
    assert spoken(one(value))[-1] == "assistant: thrown away"


def test_pictures_and_speech_leave_their_mark_and_their_words() -> None:
    value = chat()
    value["mapping"]["q2"]["message"]["content"] = {
        "content_type": "multimodal_text",
        "parts": [
            {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"},
            "what is this?",
            {"content_type": "audio_transcription", "text": "spoken"},
            {"content_type": "something_new"},
        ],
    }
    assert spoken(one(value))[-1] == "user: [image]\nwhat is this?\nspoken"


def test_what_nobody_was_shown_is_left_out() -> None:
    value = chat()
    value["mapping"]["a2"]["message"]["recipient"] = "python"
    value["mapping"]["q"]["message"]["metadata"] = {chatgpt.HIDDEN: True}
    assert spoken(one(value)) == ["user: thanks"]


def test_a_circle_and_a_missing_mapping_are_named() -> None:
    value = chat()
    value["mapping"]["root"]["parent"] = "q2"
    assert "circle" in one(value).reason
    assert "mapping" in one({"title": "x"}).reason


def test_a_surprise_in_one_conversation_costs_only_that_one(tmp_path: Path) -> None:
    odd = chat(mapping={"a": {"message": {"author": {"role": ["user"]}}, "children": []}},
               current_node="a")  # fmt: skip
    found, unfit = read(chatgpt.find, written(tmp_path / "conversations.json", [odd, 7, chat()]))
    assert len(found) == 1
    assert [one.where for one in unfit] == [
        "conversations.json, index 0", "conversations.json, index 1",
    ]  # fmt: skip
