"""A step of curation is undone as a whole, or not at all."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from tests.harness import Harness


def refused(node: Harness, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call("Rollback", **fields)
    return caught.value


def ops(node: Harness) -> int:
    return int(node.call("Stats")["ops"])


def standing(node: Harness, *ids: str) -> list[Any]:
    """What is said of memories and between them, but for when it was last said."""
    found = []
    for record_id in ids:
        memory = node.memory(record_id)
        del memory["updated_at"]
        links = node.call("KgQuery", source_id=record_id, direction="both")["memories"]
        told = sorted((one["target_id"], one["source_id"], one["relation"]) for one in links)
        found.append((memory, told))
    return found


@pytest.fixture
def sources(node: Harness) -> list[str]:
    ids = [node.store(name, f"content of {name}", tags=[name], tier="mid") for name in "abc"]
    node.clock.move(seconds=1)
    return ids


def consolidated(node: Harness, ids: list[str], title: str = "abc") -> dict[str, Any]:
    made = node.call("Consolidate", ids=ids, title=title, summary="s")
    node.clock.move(seconds=1)
    return made


def test_a_consolidation_is_undone(node: Harness, sources: list[str]) -> None:
    before = standing(node, *sources)
    made = consolidated(node, sources, title="a")
    done = node.call("Rollback", id=made["step_id"])
    assert (done["reversed"], done["restored"], done["archived"]) == (True, sources, [made["id"]])
    assert standing(node, *sources) == before
    gone = node.memory(made["id"])
    assert (gone["life"], gone["archive_reason"]) == ("archived", "rolled back")
    (step,) = node.call("CurationLog")["steps"]
    assert step["reversed_at"]
    assert node.core.replica.store.verify(deep=True).problems == []


def test_to_undo_twice_changes_nothing(node: Harness, sources: list[str]) -> None:
    made = consolidated(node, sources)
    node.call("Rollback", id=made["step_id"])
    before = ops(node)
    again = node.call("Rollback", id=made["step_id"])
    assert (again["reversed"], again["restored"], again["archived"]) == (True, [], [])
    assert ops(node) == before


@pytest.mark.parametrize("keep", [False, True])
def test_a_resolution_is_undone_and_the_two_contradict_again(node: Harness, keep: bool) -> None:
    winner, loser = node.store("w", tier="long"), node.store("l", tier="long", priority=7)
    link = node.call("Link", source_id=loser, target_id=winner, relation="contradicts")["id"]
    node.clock.move(seconds=1)
    before = standing(node, winner, loser)
    done = node.call("Resolve", winner_id=winner, loser_id=loser, keep=keep)
    node.clock.move(seconds=1)
    assert standing(node, winner, loser) != before
    undone = node.call("Rollback", id=done["step_id"])
    assert (undone["restored"], undone["archived"]) == ([] if keep else [loser], [])
    assert standing(node, winner, loser) == before
    (stated,) = node.call("Contradictions")["links"]
    assert (stated["link_id"], stated["state"]) == (link, "open")


def test_a_supersession_is_undone(node: Harness) -> None:
    winner, loser = node.store("w", tier="long"), node.store("l", tier="long")
    before = standing(node, winner, loser)
    node.call("Supersede", winner_id=winner, loser_id=loser)
    node.clock.move(seconds=1)
    (step,) = node.call("CurationLog", action="supersede")["steps"]
    assert node.call("Rollback", id=step["id"])["restored"] == [loser]
    assert standing(node, winner, loser) == before


def test_a_merge_of_entities_is_undone_with_its_names_and_links(node: Harness) -> None:
    into, gone = (
        node.call("EntityRegister", canonical_name=name, aliases=aliases)["entity_id"]
        for name, aliases in (("Big Blue", ["BB"]), ("IBM", ["Int", "shared"]))
    )
    other = node.store("other", tier="long")
    node.call("Link", source_id=gone, target_id=other)
    node.call("Link", source_id=other, target_id=gone, relation="derived_from")
    node.clock.move(seconds=1)
    before = standing(node, into, gone, other)
    names = node.call("EntityList")["entities"]
    node.call("EntityMerge", into_id=into, from_id=gone)
    # A name that somebody gives as well is theirs, and stays.
    node.call("EntityRegister", canonical_name="Big Blue", aliases=["shared"])
    node.clock.move(seconds=1)
    (step,) = node.call("CurationLog", action="merge")["steps"]
    assert node.call("Rollback", id=step["id"])["restored"] == [gone]
    assert standing(node, into, gone, other) == before
    after = node.call("EntityList")["entities"]
    assert [one["aliases"] for one in after][1:] == [one["aliases"] for one in names][1:]
    assert set(after[0]["aliases"]) - set(names[0]["aliases"]) <= {"shared"}


def test_tags_are_taken_off_again_but_not_those_of_others(node: Harness) -> None:
    kept = node.store("Kubelet eviction", "kubelet evicts pods from nodes", tags=["ops"])
    done = node.call("AutoTag", id=kept)
    node.call("Update", id=kept, tags=["mine"])
    node.call("Rollback", id=done["step_id"])
    assert node.memory(kept)["tags"] == ["mine", "ops"]
    archived = node.store("Kubelet again", "kubelet evicts pods from nodes")
    done = node.call("AutoTag", id=archived)
    node.call("Archive", ids=[archived])
    node.call("Rollback", id=done["step_id"])
    memory = node.memory(archived)
    assert (memory["tags"], memory["life"]) == ([], "archived"), "and nothing comes back by it"


@pytest.mark.parametrize("how", ["deleted", "archived again", "erased", "title"])
def test_what_has_changed_since_is_named_and_nothing_is_done(
    node: Harness, sources: list[str], how: str
) -> None:
    made = consolidated(node, sources)
    a = sources[0]
    if how == "deleted":
        node.call("Delete", id=a)
    elif how == "archived again":
        node.call("ArchiveRestore", id=a)
        node.call("Archive", ids=[a])
    elif how == "erased":
        node.call("ArchivePurge")
    else:
        other = node.store("a", "another one")
    before = ops(node)
    failure = refused(node, id=made["step_id"])
    assert (failure.code, failure.path) == (Code.CONFLICT, "$.id")
    problems = {one["id"]: one["why"] for one in failure.details["problems"]}
    assert set(problems) == set(sources if how == "erased" else [a])
    assert {
        "deleted": "deleted since", "archived again": "archived it since (archive)",
        "erased": "erased", "title": other if how == "title" else "",
    }[how] in failure.message  # fmt: skip
    assert ops(node) == before


def test_what_somebody_has_brought_back_already_is_in_nobodys_way(
    node: Harness, sources: list[str]
) -> None:
    made = consolidated(node, sources)
    node.call("ArchiveRestore", id=sources[1])
    node.call("Update", id=sources[1], content="changed since")
    done = node.call("Rollback", id=made["step_id"])
    assert done["restored"] == [sources[0], sources[2]]
    assert node.memory(sources[1])["content"] == "changed since"


def test_a_priority_that_somebody_gave_since_stays(node: Harness) -> None:
    winner, loser = node.store("w"), node.store("l", priority=7)
    done = node.call("Resolve", winner_id=winner, loser_id=loser, keep=True)
    node.call("Update", id=loser, priority=3)
    node.call("Rollback", id=done["step_id"])
    memory = node.memory(loser)
    assert (memory["priority"], memory["confidence"]) == (3, 1.0)


def test_a_source_whose_time_is_over_comes_back_without_an_end(node: Harness) -> None:
    ids = [node.store(name, ttl_secs=60) for name in "ab"]
    made = consolidated(node, ids)
    node.clock.move(days=1)
    node.call("Rollback", id=made["step_id"])
    assert "expires_at" not in node.memory(ids[0])
    node.call("Gc")
    assert node.memory(ids[0])["life"] == "live"


def test_a_step_behind_another_is_undone_in_its_turn(node: Harness, sources: list[str]) -> None:
    before = standing(node, *sources)
    first = consolidated(node, sources[:2], title="ab")
    second = consolidated(node, [first["id"], sources[2]], title="abc")
    node.call("Rollback", id=second["step_id"])
    node.clock.move(seconds=1)
    node.call("Rollback", id=first["step_id"])
    assert standing(node, *sources) == before


def test_an_unknown_step_is_not_found(node: Harness) -> None:
    assert refused(node, id="0198f").code == Code.NOT_FOUND
