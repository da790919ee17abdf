"""Several memories become one, and one of two holds: nothing is lost, and all of it is told."""

from typing import Any

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.rpc.access_edit import create_token
from tests.harness import Harness


def refused(node: Harness, operation: str, as_: Any = None, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, as_, **fields)
    return caught.value


def links_of(node: Harness, record_id: str) -> set[tuple[str, str, str]]:
    links = node.call("GetLinks", id=record_id)["links"]
    return {(one["source_id"], one["relation"], one["target_id"]) for one in links}


def state(node: Harness) -> tuple[Any, ...]:
    """How far the log reaches, and the live memories: what a refused call must not move."""
    return node.call("Stats")["ops"], node.call("List", limit=100)["memories"]


def test_sources_are_archived_behind_the_new_memory_with_links_to_each(node: Harness) -> None:
    one = node.store("one", "first", namespace="p/a", tags=["x", "y"], agent_id="ai:a")
    two = node.store(
        "two", "second", namespace="p/b/c", tags=["y"], priority=8, confidence=0.7, scope="org",
        agent_id="ai:b",
    )  # fmt: skip
    aside = node.store("aside")
    node.call("Link", source_id=aside, target_id=one)
    node.call("Recall", context="second")
    node.flush()
    made = node.call("Consolidate", ids=[one[:8], two, one], title="Both", summary="1 and 2")
    assert made["consolidated"] == 2
    memory = node.memory(made["id"])
    expected = {
        "title": "Both", "content": "1 and 2", "namespace": "p", "tier": "long",
        "source": "consolidation", "tags": ["x", "y"], "priority": 8, "confidence": 0.7,
        "scope": "private", "access_count": 1, "life": "live",
    }  # fmt: skip
    assert {name: memory[name] for name in expected} == expected
    assert "expires_at" not in memory
    assert memory["metadata"] == {
        "derived_from": [one, two], "consolidated_from_agents": ["ai:a", "ai:b"],
    }  # fmt: skip
    for source in (one, two):
        was = node.memory(source)
        assert (was["life"], was["archive_reason"]) == ("archived", "consolidated")
    assert links_of(node, made["id"]) == {
        (made["id"], relation, source)
        for source in (one, two) for relation in ("derived_from", "supersedes")
    }  # fmt: skip
    assert (aside, "related_to", one) in links_of(node, one), "what others say of it stays"


def test_nothing_of_the_sources_metadata_or_rules_goes_over(node: Harness) -> None:
    ids = [
        node.store(title, scope=scope, metadata={"governance": {"write": "any"}, "topic": "t"})
        for title, scope in (("a", "collective"), ("b", "team"), ("c", "org"))
    ]
    memory = node.memory(node.call("Consolidate", ids=ids, title="abc", summary="s")["id"])
    assert memory["scope"] == "team"
    assert set(memory["metadata"]) == {"derived_from", "consolidated_from_agents"}
    assert memory["priority"] == 5


def test_of_many_tags_the_most_frequent_are_kept(node: Harness) -> None:
    ids = [
        node.store(f"m{at}", tags=["shared", *(f"t{at}-{n:02}" for n in range(40))])
        for at in range(2)
    ]
    tags = node.memory(node.call("Consolidate", ids=ids, title="t", summary="s")["id"])["tags"]
    assert len(tags) == 50
    assert "shared" in tags


def test_without_a_common_namespace_one_must_be_named(node: Harness) -> None:
    ids = [node.store("a", namespace="p/x"), node.store("b", namespace="q/x")]
    before = state(node)
    failure = refused(node, "Consolidate", ids=ids, title="t", summary="s")
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.namespace")
    assert state(node) == before
    made = node.call("Consolidate", ids=ids, title="t", summary="s", namespace="r", tier="mid")
    memory = node.memory(made["id"])
    assert (memory["namespace"], memory["tier"]) == ("r", "mid")
    assert "expires_at" in memory


def test_what_is_missing_archived_or_only_one_is_refused_and_nothing_is_done(
    node: Harness,
) -> None:
    a, gone = node.store("a"), node.store("gone")
    node.call("Archive", ids=[gone])
    before = state(node)
    for ids, code, path in (
        ([a, gone], Code.NOT_FOUND, "$.ids[1]"),
        ([a, "nowhere"], Code.NOT_FOUND, "$.ids[1]"),
        ([a, a[:9]], Code.INVALID_ARGUMENT, "$.ids"),
        ([a], Code.INVALID_ARGUMENT, "$.ids"),
    ):
        failure = refused(node, "Consolidate", ids=ids, title="t", summary="s")
        assert (failure.code, failure.path) == (code, path)
    assert state(node) == before


def test_a_title_that_another_memory_has_is_refused_and_one_that_a_source_leaves_is_not(
    node: Harness,
) -> None:
    a, b = node.store("a"), node.store("b")
    other = node.store("taken")
    failure = refused(node, "Consolidate", ids=[a, b], title="taken", summary="s")
    assert (failure.code, failure.path, failure.details) == (
        Code.CONFLICT, "$.title", {"id": other},
    )  # fmt: skip
    made = node.call("Consolidate", ids=[a, b], title="a", summary="s")
    assert node.memory(made["id"])["title"] == "a"


def test_a_hundred_are_made_one_in_one_write(node: Harness) -> None:
    ids = [node.store(f"m{at}") for at in range(100)]
    made = node.call("Consolidate", ids=ids, title="all", summary="s")
    assert made["consolidated"] == 100
    assert len(node.call("List")["memories"]) == 1
    assert node.core.replica.store.verify(deep=True).problems == []


def test_what_is_out_of_sight_cannot_be_consolidated_or_resolved(node: Harness) -> None:
    bearer = create_token(str(node.data_dir), "web", Role.WRITER, "*", place="acme/web")
    node.clock.move(seconds=1)
    web = Credentials(channel=Channel.LOOPBACK, bearer=bearer)
    mine = node.call("Store", web, title="mine", content="c", namespace="acme/web")["id"]
    hidden = node.store("hidden", namespace="zeta")
    before = state(node)
    for operation, fields in (
        ("Consolidate", {"ids": [mine, hidden], "title": "t", "summary": "s"}),
        ("Resolve", {"winner_id": mine, "loser_id": hidden}),
        ("AutoTag", {"id": hidden}),
    ):
        failure = refused(node, operation, web, **fields)
        assert failure.code == Code.NOT_FOUND
        assert "hidden" not in str(failure)
    assert state(node) == before


def test_the_winner_takes_the_place_of_the_loser_and_they_contradict_no_longer(
    node: Harness,
) -> None:
    winner, loser = node.store("w", tier="long"), node.store("l", tier="long")
    both = ({"source_id": winner, "target_id": loser}, {"source_id": loser, "target_id": winner})
    for ends in both:
        node.call("Link", **ends, relation="contradicts")
    node.clock.move(seconds=1)
    done = node.call("Resolve", winner_id=winner, loser_id=loser[:10])
    assert (done["resolved"], done["archived"], done["loser_id"]) == (True, True, loser)
    assert node.memory(loser)["archive_reason"] == "superseded"
    ended = [
        one for one in node.call("GetLinks", id=winner)["links"]
        if one["relation"] == "contradicts" and one.get("valid_until")
    ]  # fmt: skip
    assert len(ended) == 2
    assert (winner, "supersedes", loser) in links_of(node, winner)
    again = node.call("Resolve", winner_id=winner, loser_id=loser)
    assert (again["archived"], again["step_id"], again["write"]["write_ids"]) == (True, "", [])
    assert refused(node, "Resolve", winner_id=loser, loser_id=winner).code == Code.NOT_FOUND
    assert refused(node, "Resolve", winner_id=winner, loser_id=winner).path == "$.loser_id"


def test_a_loser_that_is_kept_comes_last(node: Harness) -> None:
    winner, loser = node.store("w"), node.store("l", priority=9)
    done = node.call("Resolve", winner_id=winner, loser_id=loser, keep=True)
    memory = node.memory(loser)
    assert (done["archived"], memory["life"]) == (False, "live")
    assert (memory["priority"], memory["confidence"]) == (1, 0.1)
    again = node.call("Resolve", winner_id=winner, loser_id=loser, keep=True)
    assert again["write"]["write_ids"] == []
    failure = refused(node, "Resolve", winner_id=loser, loser_id=winner)
    assert (failure.code, failure.path) == (Code.CONFLICT, "$.winner_id")


def test_what_the_node_keeps_for_itself_is_not_curated(node: Harness) -> None:
    letter = node.call("Notify", target_agent_id="bob", title="t", payload="p")["id"]
    mine = node.store("mine")
    for operation, fields in (
        ("Consolidate", {"ids": [mine, letter], "title": "t", "summary": "s"}),
        ("Consolidate", {"ids": [mine, node.store("b")], "title": "t", "summary": "s",
                         "namespace": "_messages/bob"}),
        ("Resolve", {"winner_id": mine, "loser_id": letter}),
        ("AutoTag", {"id": letter}),
    ):  # fmt: skip
        assert refused(node, operation, **fields).code == Code.PERMISSION_DENIED


def test_a_rule_that_refuses_one_part_refuses_the_whole_step(node: Harness) -> None:
    bearer = create_token(str(node.data_dir), "someone", Role.WRITER)
    node.clock.move(seconds=1)
    someone = Credentials(channel=Channel.LOOPBACK, bearer=bearer)
    ids = [node.store("a", namespace="p/free"), node.store("b", namespace="p/held")]
    rules = [{"action": "delete", "level": "deny"}]
    node.call("PolicySet", namespace="p/held", rules=rules)
    before = state(node)
    failure = refused(node, "Consolidate", someone, ids=ids, title="t", summary="s")
    assert failure.code == Code.PERMISSION_DENIED
    assert state(node) == before
