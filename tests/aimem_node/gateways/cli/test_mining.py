"""`aimem mine` against a node: once, again, after growth, after a break, and what it says."""

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.gateways.cli import fast, importing
from aimem_node.gateways.cli.mining import command
from tests.aimem_node.gateways.cli.fake_node import Asked, FakeNode
from tests.aimem_node.gateways.cli.mining.stage import Stage, claude_chat, lines, written
from tests.harness import Harness


@pytest.fixture
def stage(fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    node = Harness(tmp_path / "node")
    yield Stage(fake, node, capsys)
    node.stop()


def chats(tmp_path: Path, *values: Any) -> str:
    return written(tmp_path / "conversations.json", list(values))


def test_a_conversation_becomes_a_memory_of_whoever_mines(stage: Stage, tmp_path: Path) -> None:
    code, said = stage.mine("claude", chats(tmp_path, claude_chat(1)))
    assert code == 0
    assert (said["found"], said["stored"], said["complete"]) == (1, 1, True)
    [memory] = stage.memories()
    assert memory["content"] == (
        "[user]: word 1.0\n[assistant]: word 1.1\n[user]: word 1.2\n[assistant]: word 1.3"
    )
    assert memory["title"] == "Chat 1"
    assert memory["namespace"] == "claude-export"
    assert (memory["source"], memory["tags"]) == ("import", ["mine-claude"])
    assert (memory["session"], memory["tier"]) == ("chat-1", "mid")
    assert memory["happened_at"] == "2025-03-01T08:00:00.500Z"
    assert memory["expires_at"]
    assert memory["metadata"]["mined_from"] == "conversations.json, index 0"
    assert (memory["metadata"]["part"], memory["metadata"]["parts"]) == (1, 1)
    stored = stage.node.call("Store", title="mine", content="x")
    assert memory["agent_id"] == stored["agent_id"]


def test_mining_twice_stores_nothing_twice_and_sends_nothing(stage: Stage, tmp_path: Path) -> None:
    source = chats(tmp_path, claude_chat(1), claude_chat(2))
    stage.mine("claude", source)
    ops = stage.node.call("Stats")["ops"]
    code, said = stage.mine("claude", source)
    assert (code, said["stored"], said["unchanged"]) == (0, 0, 2)
    assert stage.calls == ["export"]
    assert stage.node.call("Stats")["ops"] == ops


def test_a_conversation_that_grew_updates_its_memory(stage: Stage, tmp_path: Path) -> None:
    stage.mine("claude", chats(tmp_path, claude_chat(1), claude_chat(2)))
    [one, _] = stage.memories()
    code, said = stage.mine("claude", chats(tmp_path, claude_chat(1, 6), claude_chat(2)))
    assert (code, said["updated"], said["unchanged"], said["stored"]) == (0, 1, 1, 0)
    [grown, _] = stage.memories()
    assert grown["id"] == one["id"]
    assert grown["content"].endswith("word 1.5")


def test_what_people_made_of_a_memory_stays_when_it_is_mined_again(
    stage: Stage, tmp_path: Path
) -> None:
    stage.mine("claude", chats(tmp_path, claude_chat(1), claude_chat(2)))
    one, two = stage.memories()
    stage.node.call("Update", id=one["id"], title="Better", tags=["mine"], priority=9, tier="long",
                    metadata=one["metadata"] | {"note": "n"})  # fmt: skip
    stage.node.call("Archive", ids=[two["id"]])
    code, said = stage.mine("claude", chats(tmp_path, claude_chat(1, 6), claude_chat(2, 6)))
    assert (code, said["updated"], said["archived"]) == (0, 1, 1)
    [kept] = stage.memories()
    assert (kept["title"], kept["priority"], kept["tier"]) == ("Better", 9, "long")
    assert set(kept["tags"]) == {"mine", "mine-claude"}
    assert kept["metadata"]["note"] == "n"
    assert kept["content"].endswith("word 1.5")


def test_text_that_people_mended_is_not_overwritten_by_the_same_source(
    stage: Stage, tmp_path: Path
) -> None:
    source = chats(tmp_path, claude_chat(1))
    stage.mine("claude", source)
    stage.node.call("Update", id=stage.memories()[0]["id"], content="mended")
    assert stage.mine("claude", source)[1]["unchanged"] == 1
    assert stage.memories()[0]["content"] == "mended"


def test_a_deleted_memory_comes_back_and_an_erased_one_does_not(
    stage: Stage, tmp_path: Path
) -> None:
    source = chats(tmp_path, claude_chat(1), claude_chat(2))
    stage.mine("claude", source)
    one, two = stage.memories()
    stage.node.call("Delete", id=one["id"])
    stage.node.call("Delete", id=two["id"])
    code, said = stage.mine("claude", source)
    assert (code, len(stage.memories())) == (0, 2)
    stage.node.call("Forget", pattern="word", erase=True)
    code, said = stage.mine("claude", source)
    assert (code, said["stored"]) == (0, 0)
    assert said["skipped"] == {"erased from the node for good": 2}
    assert stage.memories() == []


def test_long_conversations_are_split_and_whole(stage: Stage, tmp_path: Path) -> None:
    value = claude_chat(1, 60, "x" * 4_000)
    code, said = stage.mine("claude", chats(tmp_path, value))
    assert (code, said["found"], said["stored"]) == (0, 1, said["memories"])
    memories = stage.memories()
    assert [one["title"] for one in memories[:2]] == ["Chat 1", "Chat 1 (part 2)"]
    assert sum(one["content"].count("[user]") for one in memories) == 30
    assert all(len(one["content"].encode()) <= 60_000 for one in memories)
    value = claude_chat(1, 61, "x" * 4_000)
    _, said = stage.mine("claude", chats(tmp_path, value))
    assert (said["updated"], said["stored"]) == (1, 0)


def test_one_broken_conversation_is_named_and_the_rest_goes_in(
    stage: Stage, tmp_path: Path
) -> None:
    text = "[" + json.dumps(claude_chat(1)) + ', {"uuid": tru}, ' + json.dumps(claude_chat(3))
    path = written(tmp_path / "conversations.json", text + "]")
    code, said = stage.mine("claude", path)
    assert (code, said["stored"], said["broken"], said["complete"]) == (7, 2, 1, False)
    assert said["broken_at"][0]["at"] == "conversations.json, index 1"
    assert "conversations.json, index 1" in stage.said_aside
    stage.node.call("Forget", namespace="claude-export", erase=True)
    code, said = stage.mine("claude", path, "--strict", "-n", "strict")
    assert code == 7
    assert len(stage.memories("strict")) == 1


def test_a_short_conversation_is_left_out_and_that_is_no_damage(
    stage: Stage, tmp_path: Path
) -> None:
    source = chats(tmp_path, claude_chat(1, 2), claude_chat(2, 3))
    code, said = stage.mine("claude", source)
    assert (code, said["stored"]) == (0, 1)
    assert said["skipped"] == {"fewer than 3 messages": 1}
    assert stage.mine("claude", source, "--min-messages", "1")[1]["stored"] == 1


def test_a_dry_run_says_what_would_be_and_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.mine("claude", chats(tmp_path, claude_chat(1), claude_chat(2)))
    ops = stage.node.call("Stats")["ops"]
    source = chats(tmp_path, claude_chat(1, 5), claude_chat(2), claude_chat(3))
    _, said = stage.mine("claude", source, "--dry-run")
    assert (said["stored"], said["updated"], said["unchanged"]) == (1, 1, 1)
    assert (stage.calls, stage.node.call("Stats")["ops"]) == (["export"], ops)


def test_two_conversations_that_say_the_same_are_kept_once(stage: Stage, tmp_path: Path) -> None:
    twin = claude_chat(1) | {"uuid": "other", "name": "Other"}
    code, said = stage.mine("claude", chats(tmp_path, claude_chat(1), twin, claude_chat(1)))
    assert (code, said["stored"], said["duplicates"]) == (0, 1, 2)
    assert stage.mine("claude", chats(tmp_path, twin))[1]["duplicates"] == 1


def test_two_conversations_of_one_title_stay_two(stage: Stage, tmp_path: Path) -> None:
    both = [claude_chat(n) | {"name": "New chat"} for n in (1, 2)]
    assert stage.mine("claude", chats(tmp_path, *both))[1]["stored"] == 2


def test_a_run_that_breaks_off_goes_on_where_it_was(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "RECORDS_PER_PAGE", 2)
    source = chats(tmp_path, *(claude_chat(n) for n in range(6)))
    full = {"error": "the disk is full", "code": "STORAGE", "definite": True, "next": "Make room."}

    def after_one_page(_asked: Asked) -> tuple[int, Any] | None:
        return (507, full) if stage.calls.count("import") >= 1 else None

    stage.refuse = after_one_page
    code, said = stage.mine("claude", source)
    assert (code, said["stored"], said["complete"]) == (5, 2, False)
    assert "goes on from here" in stage.said_aside
    stage.refuse = lambda _asked: None
    code, said = stage.mine("claude", source)
    assert (code, said["stored"], said["unchanged"]) == (0, 4, 2)
    assert len(stage.memories()) == 6


def test_a_page_whose_answer_was_lost_is_stored_once(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PAUSE_S", 0.0)
    lost: list[Asked] = []

    def lose_one(asked: Asked) -> tuple[int, Any] | None:
        if asked.path != "/api/v1/import" or lost:
            return None
        lost.append(asked)
        stage.node.call("Import", **asked.body)
        return 200, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"

    stage.refuse = lose_one
    code, said = stage.mine("claude", chats(tmp_path, claude_chat(1)))
    assert (code, said["stored"], len(stage.memories()), len(lost)) == (0, 1, 1, 1)


def test_ctrl_c_ends_with_a_summary(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_tree: Any) -> Any:
        yield from ()
        raise KeyboardInterrupt

    monkeypatch.setitem(command.FORMATS, "claude", interrupted)  # type: ignore[arg-type]
    code, said = stage.mine("claude", chats(tmp_path))
    assert (code, said["complete"]) == (fast.INTERRUPTED, False)


def test_an_export_of_the_namespace_that_is_cut_stops_it_before_anything_is_sent(
    stage: Stage, tmp_path: Path
) -> None:
    stage.refuse = lambda asked: (200, [{"header": {}}]) if "export" in asked.path else None
    code, said = stage.mine("claude", chats(tmp_path, claude_chat(1)))
    assert (code, said["stored"]) == (7, 0)
    assert stage.memories() == []


def test_a_memory_that_the_node_refuses_is_named_and_the_rest_goes_in(
    stage: Stage, tmp_path: Path
) -> None:
    rows = [{"content": "a"}, {"content": "b", "priority": 99}, {"content": "c"}]
    code, said = stage.mine("jsonl", written(tmp_path / "m.jsonl", lines(*rows)))
    assert (code, said["stored"], len(said["refused"])) == (2, 2, 1)
    assert said["refused"][0]["at"] == "m.jsonl, line 2"
    assert "priority" in stage.said_aside


def test_lines_may_name_their_namespace_unless_one_is_asked_for(
    stage: Stage, tmp_path: Path
) -> None:
    rows = [{"content": "a", "namespace": "x/y"}, {"content": "b"}]
    source = written(tmp_path / "m.jsonl", lines(*rows))
    stage.mine("jsonl", source)
    assert [one["namespace"] for one in stage.memories()] == ["x/y", "jsonl-export"]
    stage.mine("jsonl", source, "-n", "own", "-t", "long")
    assert {one["content"] for one in stage.memories("own")} == {"a", "b"}
    assert all("expires_at" not in one for one in stage.memories("own"))


def test_an_author_there_is_only_a_claim_here(stage: Stage, tmp_path: Path) -> None:
    row = {"content": "a", "agent_id": "ai:boss", "author": "user:nobody-here"}
    stage.mine("jsonl", written(tmp_path / "m.jsonl", lines(row)), "--agent-id", "me")
    [memory] = stage.memories()
    assert memory["agent_id"] == "me"
    assert memory["author"].startswith("user:")
    assert memory["author"] != "user:nobody-here"
    assert memory["metadata"]["imported_from_agent_id"] == "ai:boss"


def test_every_format_is_mined_from_an_archive_as_it_was_downloaded(
    stage: Stage, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/conversations.json", json.dumps([claude_chat(1)]))
        archive.writestr("data/users.json", "[]")
    code, said = stage.mine("claude", str(tmp_path / "e.zip"))
    assert (code, said["stored"]) == (0, 1)


def test_a_bomb_is_refused_and_named(stage: Stage, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b" " * (40 << 20))
    code, said = stage.mine("claude", str(tmp_path / "e.zip"))
    assert (code, said["broken"]) == (7, 1)
    assert "unpack" in said["broken_at"][0]["reason"]


def test_a_database_of_mcp_memory_service_is_mined(stage: Stage, tmp_path: Path) -> None:
    made = sqlite3.connect(tmp_path / "m.db")
    made.execute("CREATE TABLE memories(content_hash TEXT, content TEXT, tags TEXT)")
    made.execute("INSERT INTO memories VALUES('h', 'tabs', 'style')")
    made.commit()
    made.close()
    code, said = stage.mine("mcp-memory-service", str(tmp_path / "m.db"))
    assert (code, said["stored"]) == (0, 1)
    assert stage.memories()[0]["namespace"] == "mcp-memory-service-export"


def test_the_format_may_also_be_given_as_ai_memory_has_it(stage: Stage, tmp_path: Path) -> None:
    assert stage.mine(chats(tmp_path, claude_chat(1)), "-f", "claude")[1]["stored"] == 1
    assert stage.mine(chats(tmp_path, claude_chat(1)), "claude")[1]["unchanged"] == 1


def test_people_get_a_sentence_and_are_told_that_memories_expire(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["mine", "claude", chats(tmp_path, claude_chat(1), claude_chat(2, 1))]) == 0
    told = capsys.readouterr()
    assert "2 read: 1 memory stored, 0 updated, 0 unchanged" in told.out
    assert "1 left out: fewer than 3 messages" in told.out
    assert "-t long keeps them" in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chatgtp", "x"], "chatgpt"),
        (["claude", "x", "-t", "eternal"], "eternal"),
        (["claude", "x", "--min-messages", "0"], "min-messages"),
        (["claude", "x", "-n", "team/*"], "namespace"),
        (["claude"], "PATH"),
        (["claude", "absent.json"], "absent.json"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(
    words: list[str], said: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["mine", *words]) in (2, 3)
    assert said in capsys.readouterr().err
    assert stage.calls == []


def test_a_place_without_anything_of_the_format_is_a_mistake_and_no_success(
    stage: Stage, tmp_path: Path
) -> None:
    written(tmp_path / "d" / "other.txt", "x")
    written(tmp_path / "d" / "another.txt", "x")
    assert stage.mine("chatgpt", str(tmp_path / "d"))[0] == 2


def test_what_waits_for_approval_is_not_reported_as_stored(stage: Stage, tmp_path: Path) -> None:
    awaiting = {"imported": 0, "write": {"outcome": "awaiting_approval"}}
    stage.refuse = lambda asked: (202, awaiting) if asked.path.endswith("import") else None
    code, said = stage.mine("claude", chats(tmp_path, claude_chat(1)))
    assert (code, said["stored"], said["waiting"], said["complete"]) == (9, 0, 1, False)


def test_an_export_of_another_program_is_told_from_ours(stage: Stage, tmp_path: Path) -> None:
    code, said = stage.mine("chatgpt", chats(tmp_path, claude_chat(1)))
    assert code == 7
    assert "mine it as claude" in said["broken_at"][0]["reason"]


def test_a_progress_bar_is_only_for_a_terminal(stage: Stage, tmp_path: Path) -> None:
    stage.mine("claude", chats(tmp_path, claude_chat(1)))
    assert "\r" not in stage.said_aside
