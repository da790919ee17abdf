"""What a stopped node holds, written down."""

from pathlib import Path

import pytest

from aimem_node.contract.errors import Failure
from chaos.checker import load
from chaos.dump import dump
from chaos.history import HISTORY, lines
from chaos.team import Team


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """Two nodes that stored, edited, linked, archived, erased and deleted, and are at rest."""
    team = Team(tmp_path / "team", 2)
    try:
        team.until_in_sync("a", 2)
        ids = [team.store("a", f"memory {at}", tags=["t"])["id"] for at in range(5)]
        team.call("b", "Update", id=ids[0], content="otherwise")
        team.call("a", "Link", source_id=ids[0], target_id=ids[1])
        team.call("a", "Archive", ids=[ids[4]])
        one_is_enough = [{"action": "purge", "level": "admin"}]
        team.call("a", "PolicySet", namespace="*", rules=one_is_enough)
        assert team.call("a", "ArchivePurge")["purged"] == 1
        team.call("a", "Archive", ids=[ids[2]])
        team.call("a", "Delete", id=ids[3])
        team.until_level()
    finally:
        team.close()
    (tmp_path / "evidence").mkdir()
    for name in "ab":
        dump(name, tmp_path / "team" / name, tmp_path / "evidence")
    return tmp_path / "evidence"


def test_two_nodes_that_are_level_are_told_alike(stopped: Path) -> None:
    (head_a, *records_a), (head_b, *records_b) = (
        list(lines(stopped / f"state.{name}.jsonl")) for name in "ab"
    )
    same = ("have", "heads", "digest", "epoch", "configs", "members", "rosters")
    assert [head_a[name] for name in same] == [head_b[name] for name in same]
    assert head_a["problems"] == []
    assert [(one["id"], one["hash"]) for one in records_a] == [
        (one["id"], one["hash"]) for one in records_b
    ]
    assert sum(head_a["have"].values()) == len(list(lines(stopped / "log.a.jsonl")))


def test_how_each_record_stands_is_told(stopped: Path) -> None:
    _, *records = lines(stopped / "state.a.jsonl")
    told = {one.get("title"): one for one in records if one["kind"] == "memory"}
    assert told["memory 0"]["content"] == "otherwise"
    assert told["memory 1"]["tags"] == ["t"]
    assert (told["memory 2"]["alive"], told["memory 2"]["archived"]) == (True, True)
    assert told["memory 3"]["alive"] is False
    assert "memory 4" not in told, "its text is erased"
    assert all(one["ops"] for one in records)


def test_a_checker_reads_what_was_written(stopped: Path) -> None:
    (stopped / HISTORY).touch()
    assert set(load(stopped).states) == {"a", "b"}


def test_a_store_that_is_open_is_not_dumped(tmp_path: Path) -> None:
    team = Team(tmp_path / "team", 1)
    try:
        with pytest.raises(Failure):
            dump("a", team.dir("a"), tmp_path)
    finally:
        team.close()
