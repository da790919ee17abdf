"""Entities, whichever way in was taken."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure


def test_a_named_thing_is_found_by_any_of_its_names(way: Any, place: str) -> None:
    made = way.call(
        "EntityRegister", canonical_name="Ada Lovelace", aliases=["Ada", "Countess"],
        namespace=place, metadata={"born": 1815}, scope="team",
    )  # fmt: skip
    assert (made["created"], made["aliases"]) == (True, ["Ada", "Countess"])
    for alias in ("ADA", "countess", "ada lovelace"):
        found = way.call("EntityGetByAlias", alias=alias, namespace=place)
        assert (found["found"], found["entity_id"]) == (True, made["entity_id"])
    again = way.call("EntityRegister", canonical_name="ada LOVELACE", namespace=place)
    assert (again["created"], again["write"]["write_ids"]) == (False, [])
    memory = way.call("Get", id=made["entity_id"])["memory"]
    assert (memory["tags"], memory["metadata"]) == (["entity"], {"born": 1815, "kind": "entity"})
    assert memory["scope"] == "team"


def test_two_of_one_name_are_listed_and_can_be_made_one(way: Any, place: str) -> None:
    one = way.call("EntityRegister", canonical_name="Big Blue", aliases=["X"], namespace=place)
    two = way.call("EntityRegister", canonical_name="IBM", aliases=["x"], namespace=place)
    assert two["ambiguous_aliases"] == ["x"]
    found = way.call("EntityGetByAlias", alias="X", namespace=place)
    assert (found["found"], found["ambiguous"], len(found["candidates"])) == (False, True, 2)
    listed = way.call("EntityList", namespace=place, limit=1)
    assert [entity["canonical_name"] for entity in listed["entities"]] == ["Big Blue"]
    rest = way.call("EntityList", namespace=place, cursor=listed["next_cursor"])
    assert [entity["canonical_name"] for entity in rest["entities"]] == ["IBM"]
    merged = way.call("EntityMerge", into_id=one["entity_id"], from_id=two["entity_id"])
    assert (merged["merged"], merged["entity"]["aliases"]) == (True, ["IBM", "X"])
    found = way.call("EntityGetByAlias", alias="ibm", namespace=place)
    assert (found["entity_id"], found["ambiguous"]) == (one["entity_id"], False)


def test_a_memory_that_is_no_entity_is_not_made_one(way: Any, place: str) -> None:
    way.call("Store", title="Acme", content="c", namespace=place)
    with pytest.raises(Failure) as caught:
        way.call("EntityRegister", canonical_name="Acme", namespace=place)
    assert (caught.value.code, caught.value.path) == (Code.CONFLICT, "$.canonical_name")
