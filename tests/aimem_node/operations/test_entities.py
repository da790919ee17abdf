"""Entities: memories that have names, found by any of them, however these are written."""

from typing import Any

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.rpc.access_edit import create_token
from tests.harness import Harness


def register(node: Harness, name: str, *aliases: str, **fields: Any) -> dict[str, Any]:
    return node.call("EntityRegister", canonical_name=name, aliases=list(aliases), **fields)


def called(node: Harness, alias: str, **fields: Any) -> dict[str, Any]:
    return node.call("EntityGetByAlias", alias=alias, **fields)


def refused(node: Harness, operation: str, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, **fields)
    return caught.value


def test_an_entity_is_a_memory_for_ever_under_its_own_name(node: Harness) -> None:
    made = register(node, "Ada Lovelace", "Ada", namespace="people", metadata={"born": 1815})
    assert (made["created"], made["aliases"], made["ambiguous_aliases"]) == (True, ["Ada"], [])
    memory = node.memory(made["entity_id"])
    assert (memory["title"], memory["content"]) == ("Ada Lovelace", "Ada Lovelace")
    assert (memory["tier"], memory["priority"], memory["source"]) == ("long", 7, "api")
    assert memory["tags"] == ["entity"]
    assert memory["metadata"] == {"born": 1815, "kind": "entity"}
    assert "expires_at" not in memory or memory["expires_at"] is None


SPELLINGS = [
    "ada lovelace", "ADA  LOVELACE", "Ada\u00a0Lovelace", "\uff21da Lovelace", "COUNTESS", "straße",
    "STRASSE",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_entity_is_found_by_any_name_in_any_spelling(node: Harness, spelling: str) -> None:
    made = register(node, "Ada Lovelace", "Countess", "Straße")
    found = called(node, spelling)
    assert (found["found"], found["entity_id"]) == (True, made["entity_id"])
    assert found["canonical_name"] == "Ada Lovelace"
    assert found["aliases"] == ["Countess", "Straße"]
    assert called(node, "Ada")["found"] is False


def test_registering_again_adds_what_is_new_and_nothing_else(node: Harness) -> None:
    made = register(node, "Acme", "ACME Corp", metadata={"a": 1})
    again = register(node, "ACME", "acme corp", "Acme Inc", metadata={"b": 2})
    assert (again["created"], again["entity_id"]) == (False, made["entity_id"])
    assert (again["canonical_name"], again["aliases"]) == ("Acme", ["ACME Corp", "Acme Inc"])
    assert node.memory(made["entity_id"])["metadata"] == {"a": 1, "b": 2, "kind": "entity"}
    same = register(node, "Acme", "ACME corp", metadata={"b": 2})
    assert same["write"]["write_ids"] == []


def test_one_name_in_two_namespaces_is_two_entities(node: Harness) -> None:
    one, two = (register(node, "Mercury", namespace=place) for place in ("planets", "metals"))
    assert one["entity_id"] != two["entity_id"]
    assert called(node, "mercury", namespace="metals")["entity_id"] == two["entity_id"]
    both = called(node, "mercury")
    assert (both["found"], both["ambiguous"]) == (False, True)
    assert {one["namespace"] for one in both["candidates"]} == {"planets", "metals"}


def test_a_name_that_two_have_is_ambiguous_and_none_is_chosen(node: Harness) -> None:
    first = register(node, "John Smith", "JS")
    second = register(node, "Jane Smith", "js")
    assert second["ambiguous_aliases"] == ["js"]
    found = called(node, "Js", namespace="global")
    assert (found["found"], found["ambiguous"], found["entity_id"]) == (False, True, "")
    assert [one["entity_id"] for one in found["candidates"]] == [
        first["entity_id"], second["entity_id"],
    ]  # fmt: skip
    third = register(node, "JS")
    assert (third["created"], third["ambiguous_aliases"]) == (True, ["JS"])


def test_a_memory_that_is_no_entity_keeps_its_title(node: Harness) -> None:
    memory = node.store("Acme")
    failure = refused(node, "EntityRegister", canonical_name="Acme")
    assert (failure.code, failure.path) == (Code.CONFLICT, "$.canonical_name")
    assert failure.details == {"id": memory}
    assert called(node, "Acme")["found"] is False


def test_an_entity_that_is_gone_is_called_nothing_and_comes_back_with_its_names(
    node: Harness,
) -> None:
    made = register(node, "Acme", "A")
    node.call("Archive", ids=[made["entity_id"]])
    assert called(node, "A")["found"] is False
    assert node.call("EntityList")["entities"] == []
    node.call("ArchiveRestore", id=made["entity_id"])
    assert called(node, "A")["entity_id"] == made["entity_id"]
    node.call("Delete", id=made["entity_id"])
    assert called(node, "A")["found"] is False
    assert register(node, "Acme")["created"] is True


def test_a_renamed_entity_is_found_by_its_new_name(node: Harness) -> None:
    made = register(node, "Acme", "A")
    node.call("Update", id=made["entity_id"], title="Apex")
    assert called(node, "apex")["aliases"] == ["A"]
    assert called(node, "acme")["found"] is False
    node.call("Update", id=made["entity_id"], metadata={})
    assert called(node, "A")["found"] is False, "it is an entity no more"


def test_entities_are_listed_by_name_page_by_page(node: Harness) -> None:
    names = ["beta", "Alpha", "gamma", "Delta", "alpha two"]
    for name in names:
        register(node, name, namespace="n/x")
    register(node, "elsewhere", namespace="m")
    seen, cursor = [], None
    while True:
        page = node.call("EntityList", namespace="n/*", limit=2, cursor=cursor)
        seen += [one["canonical_name"] for one in page["entities"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == ["Alpha", "alpha two", "beta", "Delta", "gamma"]
    failure = refused(node, "EntityList", cursor="nonsense")
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.cursor")


def test_who_may_not_see_an_entity_does_not_learn_its_names(node: Harness) -> None:
    register(node, "Hidden", "H", namespace="org/a", scope="private")
    open_ = register(node, "Open", "H", namespace="org/a", scope="org")
    bearer = create_token(str(node.data_dir), "placed", Role.WRITER, place="org/b")
    node.clock.move(seconds=1)
    placed = Credentials(channel=Channel.LOOPBACK, bearer=bearer, surface="http")
    assert called(node, "h")["ambiguous"] is True
    assert node.call("EntityGetByAlias", placed, alias="h")["entity_id"] == open_["entity_id"]
    listed = node.call("EntityList", placed)["entities"]
    assert [one["canonical_name"] for one in listed] == ["Open"]


def test_an_entity_has_a_bounded_number_of_names(node: Harness, monkeypatch) -> None:
    from aimem_node.operations import entities

    monkeypatch.setattr(entities, "ALIASES_MAX", 3)
    register(node, "one", "a", "b")
    failure = refused(node, "EntityRegister", canonical_name="one", aliases=["c", "d"])
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.aliases")
    assert register(node, "one", "c", "A")["aliases"] == ["a", "b", "c"]
