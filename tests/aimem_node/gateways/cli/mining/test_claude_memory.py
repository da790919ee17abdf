"""Claude's own memory files, and nothing else of a project."""

from pathlib import Path

from aimem_node.gateways.cli.mining import claude_memory
from tests.aimem_node.gateways.cli.mining.reading import read
from tests.aimem_node.gateways.cli.mining.stage import written

TOPIC = "---\nname: Prefers tabs\ndescription: style\ntype: user\n---\n# A\nx\n# B\ny\n"


def test_a_project_gives_its_memory_files_and_no_other(tmp_path: Path) -> None:
    written(tmp_path / "CLAUDE.md", "# Commands\nmake\n# Style\ntabs\n")
    written(tmp_path / "README.md", "# Not this\n")
    written(tmp_path / ".claude" / "rules" / "tests.md", "Write tests.\n")
    written(tmp_path / "sub" / "memory" / "MEMORY.md", "- index\n")
    written(tmp_path / "sub" / "memory" / "style.md", TOPIC)
    found, unfit = read(claude_memory.find, tmp_path)
    assert [one.title for one in found] == [
        "tests", "Commands", "Style", "MEMORY", "Prefers tabs",
    ]  # fmt: skip
    assert found[-1].metadata["type"] == "user"
    assert unfit == []


def test_the_memory_directory_itself_is_taken_whole(tmp_path: Path) -> None:
    written(tmp_path / "MEMORY.md", "- [style](style.md)\n")
    written(tmp_path / "style.md", "text\n")
    found, _ = read(claude_memory.find, tmp_path)
    assert [one.title for one in found] == ["MEMORY", "style"]


def test_a_single_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    found, _ = read(claude_memory.find, written(tmp_path / "notes.md", "x\n"))
    assert len(found) == 1
