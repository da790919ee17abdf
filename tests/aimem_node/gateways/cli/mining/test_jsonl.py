"""One object a line, with any field of a memory but who said it."""

from pathlib import Path

from aimem_node.contract.times import read_time
from aimem_node.gateways.cli.mining import jsonl
from tests.aimem_node.gateways.cli.mining.reading import read
from tests.aimem_node.gateways.cli.mining.stage import lines, written

FULL = {
    "id": "x1", "title": "T", "content": "C", "tier": "long", "namespace": "a/b", "priority": 9,
    "confidence": 0.5, "scope": "team", "tags": ["t"], "metadata": {"k": 1}, "session": "s",
    "happened_at": "2025-03-01T08:00:00Z", "agent_id": "ai:other", "order": 7, "life": "archived",
}  # fmt: skip


def test_the_fields_of_a_memory_go_through(tmp_path: Path) -> None:
    [found], _ = read(jsonl.find, written(tmp_path / "m.jsonl", lines(FULL)))
    assert found.fields == {
        "tier": "long", "namespace": "a/b", "priority": 9, "confidence": 0.5, "scope": "team",
    }  # fmt: skip
    assert (found.title, found.text, found.session, found.tags) == ("T", "C", "s", ("t",))
    assert found.at_us == read_time("2025-03-01T08:00:00Z")


def test_who_said_it_is_a_claim_in_the_metadata(tmp_path: Path) -> None:
    [found], _ = read(jsonl.find, written(tmp_path / "m.jsonl", lines(FULL)))
    assert found.metadata == {"k": 1, "imported_from_agent_id": "ai:other", "original_id": "x1"}


def test_an_export_of_ours_can_be_mined_too(tmp_path: Path) -> None:
    text = lines({"header": {}}, {"memory": FULL}, {"link": {}}, {"trailer": {}})
    [found], unfit = read(jsonl.find, written(tmp_path / "m.jsonl", text))
    assert found.key == "x1"
    assert not any(one.broken for one in unfit)


def test_a_line_without_content_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", lines({"title": "T"}, [1], {"content": "C"}) + "{no\n")
    [found], unfit = read(jsonl.find, path)
    assert found.text == "C"
    assert [one.where for one in unfit] == ["m.jsonl, line 1", "m.jsonl, line 2", "m.jsonl, line 4"]
