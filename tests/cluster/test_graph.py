"""Facts and names that two parted nodes state at the same time: none is lost, and both see why."""

from collections.abc import Iterator
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


def on_both(team: Team, operation: str, **fields: Any) -> list[dict[str, Any]]:
    return [team.call(name, operation, **fields) for name in ("a", "b")]


def problems(team: Team, name: str) -> list[str]:
    found: list[str] = team.core(name).replica.store.verify(deep=True).problems
    return found


def test_facts_and_names_given_on_two_parted_nodes_all_stand(two: Team) -> None:
    one, other = (two.store("a", title, tier="long")["id"] for title in ("one", "other"))
    known = two.call("a", "EntityRegister", canonical_name="Acme", aliases=["A"])["entity_id"]
    two.until_level()
    two.part("b")
    links = [two.call(name, "Link", source_id=one, target_id=other, **ALONE)["id"] for name in "ab"]
    new = [
        two.call(name, "EntityRegister", canonical_name=title, aliases=["shared"], **ALONE)
        for name, title in (("a", "Mercury"), ("b", "MERCURY"))
    ]
    for name in "ab":
        two.call(name, "EntityRegister", canonical_name="acme", aliases=[f"of {name}"], **ALONE)
    two.heal()
    two.until_level()
    assert two.digest("a") == two.digest("b")
    for shown in on_both(two, "GetLinks", id=one):
        assert {link["id"] for link in shown["links"]} == set(links)
    walks = on_both(two, "KgQuery", source_id=one)
    assert walks[0]["memories"] == walks[1]["memories"]
    assert [node["target_id"] for node in walks[0]["memories"]] == [other], "one row for each"
    for found in on_both(two, "EntityGetByAlias", alias="acme"):
        assert (found["entity_id"], found["aliases"]) == (known, ["A", "of a", "of b"])
    ids = {entity["entity_id"] for entity in new}
    for alias in ("mercury", "shared"):
        for found in on_both(two, "EntityGetByAlias", alias=alias):
            assert found["ambiguous"] is True
            assert {entity["entity_id"] for entity in found["candidates"]} == ids
    into, gone = (entity["entity_id"] for entity in new)
    two.call("b", "EntityMerge", into_id=into, from_id=gone)
    two.until_level()
    for found in on_both(two, "EntityGetByAlias", alias="Shared"):
        assert (found["found"], found["entity_id"]) == (True, into)
    assert problems(two, "a") == problems(two, "b") == []


def test_an_end_and_a_past_are_the_same_on_every_node(two: Team) -> None:
    one, other = (two.store("a", title, tier="long")["id"] for title in ("one", "other"))
    about = {"source_id": one, "target_id": other, "relation": "related_to"}
    two.call("a", "Link", **about)
    two.until_level()
    before = two.call("a", "KgQuery", source_id=one)["memories"][0]["observed_at"]
    two.call("b", "KgInvalidate", **about)
    two.until_level()
    for query in ({}, {"include_invalid": True}, {"as_of": before}):
        walks = on_both(two, "KgQuery", source_id=one, **query)
        assert walks[0] == walks[1]
        assert walks[0]["count"] == (1 if query else 0)
    pasts = on_both(two, "Get", id=one, as_of=before)
    assert pasts[0]["links"] == pasts[1]["links"] != []
