"""Two entities become one: names and links go to the one that stays, and nothing is lost."""

from typing import Any

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.operations import merging
from aimem_node.operations.kept import all_kept
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


def test_an_erased_entity_takes_its_names_along(node: Harness) -> None:
    made = register(node, "Acme", "Secret Name")
    other = register(node, "Acme Two", "Third")
    node.call("EntityMerge", into_id=other["entity_id"], from_id=made["entity_id"])
    for entity in (made, other):
        node.call("Archive", ids=[entity["entity_id"]])
    assert node.call("ArchivePurge")["purged"] >= 2
    store = node.core.replica.store
    log = store.readers.submit(lambda view: view.ops_after(0, 1_000), 1_000).result(10)
    assert not any(b"Secret" in (placed.op.body or b"") for placed in log)
    left = store.readers.submit(lambda view: view.name_rows(f"entity:{made['entity_id']}"), 1_000)
    assert left.result(10) == ()
    assert store.verify(deep=True).problems == []


def test_a_merge_gives_names_and_links_to_the_one_that_stays(node: Harness) -> None:
    into, gone = register(node, "Big Blue", "BB"), register(node, "IBM", "International Business")
    into_id, gone_id = into["entity_id"], gone["entity_id"]
    a, b, c = (node.store(name, tier="long") for name in "abc")
    node.call("Link", source_id=a, target_id=gone_id, relation="derived_from")
    node.call("Link", source_id=gone_id, target_id=b)
    node.call("Link", source_id=gone_id, target_id=c)
    node.call("Link", source_id=into_id, target_id=c)
    node.call("Link", source_id=gone_id, target_id=into_id)
    ended = {"source_id": gone_id, "target_id": a, "relation": "contradicts"}
    node.call("Link", **ended)
    node.clock.move(seconds=9)
    node.call("KgInvalidate", **ended)
    node.clock.move(seconds=9)
    merged = node.call("EntityMerge", into_id=into_id, from_id=gone_id)
    assert (merged["merged"], merged["links"], merged["links_left"]) == (True, 2, 1)
    assert merged["entity"]["aliases"] == ["BB", "IBM", "International Business"]
    assert called(node, "ibm")["entity_id"] == into_id
    assert node.memory(gone_id)["archive_reason"] == "superseded"
    reached = node.call("KgQuery", source_id=into_id, direction="both")["memories"]
    assert {(one["target_id"], one["relation"]) for one in reached} == {
        (a, "derived_from"), (b, "related_to"), (c, "related_to"), (gone_id, "supersedes"),
    }  # fmt: skip
    still = node.call("KgQuery", source_id=gone_id, direction="both")["memories"]
    assert [one["relation"] for one in still] == ["supersedes"]
    again = node.call("EntityMerge", into_id=into_id, from_id=gone_id)
    assert (again["merged"], again["write"]["write_ids"]) == (False, [])


def test_a_merge_of_more_links_than_one_write_takes_goes_on_when_called_again(
    node: Harness, monkeypatch
) -> None:
    monkeypatch.setattr(merging, "LINKS_MOVED_MAX", 2)
    into, gone = (register(node, name)["entity_id"] for name in ("one", "two"))
    for at in range(5):
        node.call("Link", source_id=gone, target_id=node.store(f"m{at}", tier="long"))
    node.clock.move(seconds=1)
    counts = []
    while True:
        answer = node.call("EntityMerge", into_id=into, from_id=gone)
        if not answer["merged"]:
            break
        counts.append((answer["links"], answer["links_left"]))
        node.clock.move(seconds=1)
    # What was ended in an earlier call counts as left: it holds no longer.
    assert [links for links, _ in counts] == [2, 2, 1]
    assert node.call("KgQuery", source_id=into, relations=["related_to"])["count"] == 5


def test_only_two_different_entities_are_merged(node: Harness) -> None:
    one, memory = register(node, "one")["entity_id"], node.store("memory")
    for into, gone, path in ((one, memory, "$.from_id"), (memory, one, "$.into_id"),
                             (one, one, "$.from_id")):  # fmt: skip
        failure = refused(node, "EntityMerge", into_id=into, from_id=gone)
        assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, path)


def test_links_to_what_the_caller_does_not_see_stay_and_are_not_counted(node: Harness) -> None:
    into, gone = (register(node, name, namespace="org/a")["entity_id"] for name in ("one", "two"))
    hidden = node.store("hidden", namespace="org/b", tier="long")
    node.call("Link", source_id=gone, target_id=hidden)
    bearer = create_token(str(node.data_dir), "placed", Role.WRITER, place="org/a")
    node.clock.move(seconds=1)
    placed = Credentials(channel=Channel.LOOPBACK, bearer=bearer, surface="http")
    answer = node.call("EntityMerge", placed, into_id=into, from_id=gone)
    assert (answer["merged"], answer["links"], answer["links_left"]) == (True, 0, 0)
    reached = node.call("KgQuery", source_id=gone)["memories"]
    assert [one["target_id"] for one in reached] == [hidden]


def test_a_merge_that_would_turn_in_a_circle_is_refused(node: Harness) -> None:
    into, gone = (register(node, name)["entity_id"] for name in ("one", "two"))
    node.call("Supersede", winner_id=gone, loser_id=into, keep=True)
    failure = refused(node, "EntityMerge", into_id=into, from_id=gone)
    assert (failure.code, failure.path) == (Code.CONFLICT, "$.into_id")


def test_a_step_says_how_it_can_be_undone_without_repeating_any_name(node: Harness) -> None:
    into, gone = register(node, "one")["entity_id"], register(node, "two", "deux")["entity_id"]
    link = node.call("Link", source_id=gone, target_id=node.store("m", tier="long"))["id"]
    node.call("EntityMerge", into_id=into, from_id=gone)
    read = node.core.replica.store.readers.submit
    (step,) = read(lambda view: list(all_kept(view, "step")), 1_000).result(10)
    undo = step[1].values["undo"]
    assert undo["archived"] == [gone]
    assert undo["ended"] == {link: None}
    assert len(undo["links"]) == 2
    assert list(undo["tagged"]) == [f"entity:{into}"]
    assert "deux" not in str(step[1].values)
