"""mcp-memory-service: its export and its database say the same, and the database stays as it is."""

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.cli.mining import mcp_memory_service
from aimem_node.gateways.cli.mining.found import Found
from tests.aimem_node.gateways.cli.mining.reading import read
from tests.aimem_node.gateways.cli.mining.stage import written

EXPORT = {
    "export_metadata": {"source_machine": "m", "total_memories": 2},
    "memories": [
        {"content": "tabs", "content_hash": "h1", "tags": ["style", "a"],
         "created_at": 1740816000.5, "memory_type": "note", "metadata": {"k": "v"}},
        {"content": "", "content_hash": "h2"},
    ],
}  # fmt: skip


def database(path: Path, tags: str = "style,a") -> str:
    with contextlib.closing(sqlite3.connect(path)) as made, made:
        made.execute(
            "CREATE TABLE memories(id INTEGER PRIMARY KEY, content_hash TEXT, content TEXT,"
            " tags TEXT, memory_type TEXT, metadata TEXT, created_at REAL, deleted_at REAL)"
        )
        rows = [("h1", "tabs", tags, "note", '{"k": "v"}', 1740816000.5, None),
                ("h3", "gone", "", "note", "{}", 1.0, 2.0)]  # fmt: skip
        made.executemany(
            "INSERT INTO memories(content_hash, content, tags, memory_type, metadata, created_at,"
            " deleted_at) VALUES(?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    return str(path)


def test_the_export_and_the_database_say_the_same(tmp_path: Path) -> None:
    [exported], [empty] = read(mcp_memory_service.find, written(tmp_path / "e.json", EXPORT))
    assert empty.where == "e.json, index 1"
    path = database(tmp_path / "m.db")
    assert mcp_memory_service.is_database(path)
    row, gone = mcp_memory_service.find_in_database(path)
    assert isinstance(row, Found)
    for found in (exported, row):
        assert (found.key, found.text, found.tags) == ("h1", "tabs", ("style", "a"))
        assert found.at_us == 1_740_816_000_500_000
        assert found.metadata == {"k": "v", "memory_type": "note", "original_id": "h1"}
    assert not isinstance(gone, Found)
    assert not gone.broken


def test_tags_may_be_a_list_in_json(tmp_path: Path) -> None:
    row, _ = mcp_memory_service.find_in_database(database(tmp_path / "m.db", '["x, y", "z"]'))
    assert isinstance(row, Found)
    assert row.tags == ("x, y", "z")


def test_the_database_is_only_read(tmp_path: Path) -> None:
    path = Path(database(tmp_path / "m.db"))
    before = hashlib.sha256(path.read_bytes()).digest()
    list(mcp_memory_service.find_in_database(str(path)))
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [one.name for one in tmp_path.iterdir()] == ["m.db"]


def test_another_database_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as made, made:
        made.execute("CREATE TABLE memories(content TEXT)")
    with pytest.raises(CallFailure, match="no table"):
        list(mcp_memory_service.find_in_database(str(tmp_path / "x.db")))
    (tmp_path / "no").write_text("text")
    assert not mcp_memory_service.is_database(str(tmp_path / "no"))
