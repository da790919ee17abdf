"""Nothing that a source may hold makes a reader raise: it is found, or named and left out."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimem_node.contract import codec, validate
from aimem_node.contract.errors import Failure
from aimem_node.contract.values import Memory
from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.cli.mining.command import FORMATS
from aimem_node.gateways.cli.mining.composing import Maker
from aimem_node.gateways.cli.mining.found import Found, Unfit
from aimem_node.gateways.cli.mining.sources import open_tree
from tests.aimem_node.gateways.cli.mining.stage import claude_chat

NAMES = {
    "claude": ("conversations.json", "s.jsonl"),
    "chatgpt": ("conversations.json",),
    "slack": ("users.json", "channels.json", "general/2025-01-01.json"),
    "markdown": ("a.md",),
    "jsonl": ("a.jsonl",),
    "mempalace": ("w/r.jsonl", "w/r.md"),
    "mcp-memory-service": ("a.json",),
    "claude-memory": ("CLAUDE.md", "memory/x.md"),
}
KEYS = st.sampled_from([
    "uuid", "id", "name", "title", "chat_messages", "messages", "mapping", "current_node",
    "sender", "role", "text", "content", "type", "created_at", "create_time", "attachments",
    "files", "file_name", "extracted_content", "message", "author", "parts", "content_type",
    "parent", "children", "metadata", "recipient", "parentUuid", "sessionId", "timestamp", "cwd",
    "summary", "isSidechain", "user", "ts", "thread_ts", "subtype", "profile", "display_name",
    "real_name", "user_profile", "memories", "document", "wing", "room", "filed_at", "tags",
    "content_hash", "memory_type", "namespace", "tier", "priority", "happened_at", "session",
    "agent_id", "n1", "n2",
])  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["user", "assistant", "human", "text", "message", "n1", "n2", "all", "1.5",
                       "2025-01-01T00:00:00Z", "mid"])
)  # fmt: skip
OBJECTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)  # fmt: skip
MAKER = Maker(format="f", namespace="n", tier="mid", who="ann", now_us=1_780_000_000_000_000)
SLOW = settings(
    deadline=None, max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def taken(format_name: str, path: Path) -> None:
    for item in FORMATS[format_name](open_tree(str(path))):
        assert isinstance(item, Found | Unfit)
        if not isinstance(item, Found):
            continue
        for draft in MAKER.drafts(item):
            try:
                validate.check(codec.from_json(Memory, draft.memory))
            except Failure as failure:
                # Only what a source states in our own words may be refused.
                assert failure.path.split(".")[1] in item.fields  # noqa: PT017


@pytest.mark.parametrize("format_name", sorted(FORMATS))
@SLOW
@given(objects=st.lists(OBJECTS, max_size=4), as_lines=st.booleans())
def test_any_json_is_found_or_left_out(format_name, objects, as_lines, tmp_path: Path) -> None:
    text = "\n".join(map(json.dumps, objects)) if as_lines else json.dumps(objects)
    for name in NAMES[format_name]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    taken(format_name, tmp_path)


@pytest.mark.parametrize("format_name", ["markdown", "mempalace", "claude-memory"])
@SLOW
@given(text=st.text("#-> \n|:[]a\x00Source Filed", max_size=80))
def test_any_text_is_found_or_left_out(format_name, text, tmp_path: Path) -> None:
    for name in NAMES[format_name]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    taken(format_name, tmp_path)


def _archive() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps([claude_chat(1)]))
    return whole.getvalue()


@SLOW
@given(data=st.data())
def test_a_damaged_archive_is_refused_or_named(data: st.DataObject, tmp_path: Path) -> None:
    raw = bytearray(_archive())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "e.zip"
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)))])
    try:
        taken("claude", path)
    except CallFailure as failure:
        assert "e.zip" in failure.message  # noqa: PT017
