"""Claude Code's session logs: what was said, without the work in between."""

from pathlib import Path
from typing import Any

from aimem_node.gateways.cli.mining import claude
from tests.aimem_node.gateways.cli.mining.reading import read, spoken
from tests.aimem_node.gateways.cli.mining.stage import lines, written


def line(kind: str, content: Any, message_id: str = "", **more: Any) -> dict[str, Any]:
    return {
        "parentUuid": None, "isSidechain": False, "sessionId": "s-1", "type": kind,
        "cwd": "/srv/projects/shop", "timestamp": "2025-07-02T08:44:42.908Z",
        "message": {"role": kind, "content": content, "id": message_id},
    } | more  # fmt: skip


def said(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


SESSION = (
    {"type": "summary", "summary": "Mend the shop", "leafUuid": "x"},
    line("user", "the shop is broken"),
    line("assistant", [{"type": "thinking", "thinking": "hm"}], "m1"),
    line("assistant", said("I look."), "m1"),
    line("assistant", [{"type": "tool_use", "name": "Read"}], "m1"),
    line("user", [{"type": "tool_result", "content": "file"}]),
    line("assistant", said("Found it."), "m1"),
    line("assistant", said("Done."), "m2"),
    line("user", "<command-name>/clear</command-name>"),
    line("user", "meta", isMeta=True),
    line("user", "of another agent", isSidechain=True),
    {"type": "file-history-snapshot", "messageId": "x"},
    line("user", said("thanks")),
)


def test_a_session_is_one_conversation(tmp_path: Path) -> None:
    written(tmp_path / "-srv-projects-shop" / "s-1.jsonl", lines(*SESSION))
    [found], unfit = read(claude.find, tmp_path)
    assert spoken(found) == [
        "user: the shop is broken", "assistant: I look.\nFound it.", "assistant: Done.",
        "user: thanks",
    ]  # fmt: skip
    assert (found.key, found.title) == ("s-1", "Mend the shop")
    assert found.metadata == {"project": "shop"}
    assert unfit == []


def test_a_line_that_is_cut_is_named_and_the_rest_is_taken(tmp_path: Path) -> None:
    text = lines(*SESSION[:4]) + '{"type": "user", "mess\n' + lines(*SESSION[4:])
    [found], unfit = read(claude.find, written(tmp_path / "s.jsonl", text))
    assert len(found.messages) == 4
    assert [one.where for one in unfit] == ["s.jsonl, line 5"]


def test_a_log_of_nothing_but_tools_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "agent-1.jsonl", lines(line("user", "x", isSidechain=True)))
    found, [left] = read(claude.find, path)
    assert found == []
    assert not left.broken
