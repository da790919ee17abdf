"""Claude's export, as an array or as lines."""

from pathlib import Path

from aimem_node.contract.times import read_time
from aimem_node.gateways.cli.mining import claude
from tests.aimem_node.gateways.cli.mining.reading import read, spoken
from tests.aimem_node.gateways.cli.mining.stage import claude_chat, lines, written


def test_an_array_and_lines_are_the_same(tmp_path: Path) -> None:
    chats = [claude_chat(1), claude_chat(2)]
    array, _ = read(claude.find, written(tmp_path / "conversations.json", chats))
    rows, _ = read(claude.find, written(tmp_path / "chats.jsonl", lines(*chats)))
    assert [one.messages for one in array] == [one.messages for one in rows]
    assert [one.key for one in array] == ["chat-1", "chat-2"]
    assert spoken(array[0])[:2] == ["user: word 1.0", "assistant: word 1.1"]
    assert array[0].messages[0].at_us == read_time("2025-03-01T08:00:00.5Z")


def test_only_what_was_said_is_taken_of_a_message() -> None:
    value = claude_chat(1, 1)
    value["chat_messages"][0] |= {
        "text": "unused when there are blocks",
        "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "first"},
            {"type": "tool_use", "name": "x", "input": {}},
            {"type": "tool_result", "content": [{"type": "text", "text": "no"}]},
            {"type": "text", "text": "second"},
        ],
        "attachments": [{"file_name": "paste.txt", "extracted_content": "long text"}],
        "files": [{"file_name": "cat.png"}],
    }
    found = claude.conversation("here", value)
    assert spoken(found) == ["user: first\nsecond\n[paste.txt]\nlong text\n[cat.png]"]


def test_an_older_export_has_text_and_no_blocks() -> None:
    value = claude_chat(1, 2)
    for message in value["chat_messages"]:
        message["text"] = "as text"
        del message["content"]
    assert spoken(claude.conversation("here", value)) == ["user: as text", "assistant: as text"]


def test_a_conversation_without_a_name_is_called_by_its_first_question() -> None:
    found = claude.conversation("here", claude_chat(1) | {"name": ""})
    assert found.title == "word 1.0"


def test_an_empty_conversation_is_left_out_and_no_damage() -> None:
    left = claude.conversation("here", claude_chat(1, 0))
    assert not left.broken
    assert claude.conversation("here", {"uuid": "x"}).broken
