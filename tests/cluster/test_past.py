"""The past is the same on every node, also on one that heard of it later."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaos.team import Team

ALONE = {"options": {"allow_pending": True, "deadline_ms": 20}}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path, 2)
    team.until_in_sync("a", 2)
    yield team
    team.close()


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def recalled(team: Team, name: str, at: str) -> list[dict[str, Any]]:
    answer = team.call(name, "Recall", context="walrus", as_of=at)
    assert answer["unavailable"][1:] == []
    shown: list[dict[str, Any]] = answer["memories"]
    return shown


def test_recall_of_a_past_moment_is_the_same_on_every_node(two: Team) -> None:
    one, other = (two.store("a", f"walrus {n}", tier="long")["id"] for n in ("one", "other"))
    two.until_level()
    two.part("b")
    first = now()
    two.call("a", "Update", id=one, title="seal", **ALONE)
    two.call("b", "Update", id=one, tags=["seen"], **ALONE)
    second = now()
    two.call("b", "Delete", id=other, **ALONE)
    two.call("a", "Archive", ids=[one], **ALONE)
    two.store("b", "walrus late", tier="long", **ALONE)
    two.heal()
    two.until_level()
    for at, found in ((first, [one, other]), (second, [other])):
        here, there = (recalled(two, name, at) for name in ("a", "b"))
        # How a hit scores goes by how rare its words are here, and that is the same when level.
        assert here == there
        assert {memory["id"] for memory in here} == set(found)
    assert all(memory["tags"] == [] for memory in recalled(two, "b", first))
