"""MemPalace's export, as lines and as pages."""

from pathlib import Path

from aimem_node.gateways.cli.mining import mempalace
from tests.aimem_node.gateways.cli.mining.reading import read
from tests.aimem_node.gateways.cli.mining.stage import lines, written

DRAWER = {
    "id": "d1", "document": "first\n\n## second",
    "metadata": {"wing": "shop", "room": "till", "filed_at": "2026-01-02T03:04:05",
                 "added_by": "mempalace", "source_file": "a.md", "chunk_index": 3},
}  # fmt: skip
PAGE = """# shop / till

## d1

> first
>_
> ## second

| Field | Value |
|-------|-------|
| Source | a.md |
| Filed | 2026-01-02T03:04:05 |
| Added by | mempalace |

---

## d2

> other

| Field | Value |
|-------|-------|
| Source | unknown |

---

""".replace(">_", "> ")


def test_lines_and_pages_give_the_same_drawer(tmp_path: Path) -> None:
    written(tmp_path / "l" / "shop" / "till.jsonl", lines(DRAWER))
    written(tmp_path / "l" / "export-manifest.json", {})
    written(tmp_path / "p" / "shop" / "till.md", PAGE)
    written(tmp_path / "p" / "index.md", "# Palace Export\n## x\n")
    [line], _ = read(mempalace.find, tmp_path / "l")
    (page, other), unfit = read(mempalace.find, tmp_path / "p")
    assert unfit == []
    for found in (line, page):
        assert (found.key, found.text) == ("d1", "first\n\n## second")
        assert found.tags == ("shop", "till")
        assert found.metadata["imported_from_agent_id"] == "mempalace"
        assert found.session == "a.md"
        assert found.at_us
    assert line.at_us == page.at_us
    assert line.metadata["chunk_index"] == 3
    assert (other.key, other.text) == ("d2", "other")


def test_a_drawer_without_text_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", lines({"id": "x"}, {"id": "y", "content": "z"}))
    [found], [left] = read(mempalace.find, path)
    assert found.key == "y"
    assert not left.broken
