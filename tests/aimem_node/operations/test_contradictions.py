"""Contradictions that were stated, those that are suggested, and whether they are settled."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations import contradictions
from tests.harness import Harness

OPEN, CLOSED = "The service listens on port 8080.", "The service listens on port 9090."


def listed(node: Harness, **fields: Any) -> list[tuple[str, bool, str]]:
    answer = node.call("Contradictions", **fields)
    assert answer["count"] == len(answer["links"])
    shown = {memory["id"] for memory in answer["memories"]}
    assert {one[end] for one in answer["links"] for end in ("source_id", "target_id")} == shown
    return [(one["link_id"], one["synthesized"], one["state"]) for one in answer["links"]]


@pytest.fixture
def stated(node: Harness) -> dict[str, Any]:
    """Two memories of different topics, and a link by which one contradicts the other."""
    one, other = node.store("api", OPEN, tier="long"), node.store("gateway", CLOSED, tier="long")
    link = node.call("Link", source_id=one, target_id=other, relation="contradicts")
    return {"a": one, "b": other, "link": link["id"]}


def test_two_memories_are_compared_and_what_was_stated_is_told_beside(
    node: Harness, stated: dict[str, Any]
) -> None:
    third = node.store("third", "The gateway is written in Go.")
    found = node.call("DetectContradiction", id_a=stated["a"], id_b=stated["b"])
    assert (found["contradicts"], found["signs"], found["stated"]) == (True, ["number"], True)
    assert found["memory_a"] == {"id": stated["a"], "title": "api"}
    found = node.call("DetectContradiction", id_a=stated["b"], id_b=third)
    assert (found["contradicts"], found["confidence"], found["stated"]) == (False, 0.0, False)
    with pytest.raises(Failure) as caught:
        node.call("DetectContradiction", id_a=third, id_b=third)
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.id_b")


def test_a_stated_one_is_open_until_its_link_ends(node: Harness, stated: dict[str, Any]) -> None:
    assert listed(node) == [(stated["link"], False, "open")]
    node.clock.move(seconds=1)
    node.call("KgInvalidate", source_id=stated["a"], target_id=stated["b"], relation="contradicts")
    node.clock.move(seconds=1)
    assert listed(node) == [(stated["link"], False, "resolved")]


@pytest.mark.parametrize("how", ["archive", "supersede", "end"])
def test_a_stated_one_is_settled_when_an_end_is_no_longer_live(
    node: Harness, stated: dict[str, Any], how: str
) -> None:
    if how == "archive":
        node.call("Archive", ids=[stated["b"]])
    elif how == "supersede":
        node.call("Supersede", winner_id=stated["a"], loser_id=stated["b"])
    else:
        node.call("Update", id=stated["b"], expires_at="2026-06-01T00:00:00Z")
        node.clock.move(days=30)
    assert listed(node) == [(stated["link"], False, "resolved")]


def test_a_link_that_was_taken_back_or_leads_to_nothing_is_not_listed(
    node: Harness, stated: dict[str, Any]
) -> None:
    third = node.store("third", "x")
    node.call("Link", source_id=stated["a"], target_id=third, relation="contradicts")
    node.call("Delete", id=third)
    node.call("Unlink", source_id=stated["a"], target_id=stated["b"], relation="contradicts")
    assert listed(node) == []


def test_memories_of_one_topic_that_disagree_are_suggested(node: Harness) -> None:
    one = node.store("a", OPEN, namespace="p", metadata={"topic": "The Port"})
    other = node.store("the port", CLOSED, namespace="p/q")
    node.store("b", "The service is written in Go.", namespace="p", metadata={"topic": "the port"})
    answer = node.call("Contradictions", topic="the PORT")
    (link,) = answer["links"]
    assert (link["source_id"], link["target_id"]) == (other, one), "the newer one objects"
    assert (link["synthesized"], link["state"], link["signs"]) == (True, "open", ["number"])
    assert listed(node) == listed(node, namespace="p/*") == [("", True, "open")]
    assert listed(node, namespace="p") == listed(node, topic="other") == []


def test_a_suggestion_is_found_however_many_other_memories_there_are(node: Harness) -> None:
    node.store("port", OPEN, namespace="p", priority=1)
    node.store("port", CLOSED, namespace="p", priority=1, on_conflict="new")
    node.call("BulkStore", memories=[
        {"title": f"note {at}", "content": OPEN, "namespace": "p", "priority": 9}
        for at in range(200)
    ])  # fmt: skip
    assert listed(node, topic="port", limit=1) == [("", True, "open")]
    assert listed(node, limit=1) == [("", True, "open")]


def test_two_projects_may_call_different_things_the_same_unless_one_asks_for_both(
    node: Harness,
) -> None:
    node.store("port", OPEN, namespace="p/a")
    node.store("port", CLOSED, namespace="p/b")
    assert listed(node) == []
    assert listed(node, topic="port") == [("", True, "open")]


def test_what_was_settled_is_not_suggested_again(node: Harness) -> None:
    one = node.store("port", OPEN, namespace="p")
    other = node.store("port", CLOSED, namespace="p", on_conflict="new")
    assert listed(node) == [("", True, "open")]
    link = node.call("Link", source_id=one, target_id=other, relation="contradicts")["id"]
    assert listed(node) == [(link, False, "open")]
    node.clock.move(seconds=1)
    node.call("Resolve", winner_id=other, loser_id=one, keep=True)
    assert listed(node) == [(link, False, "resolved")]
    third = node.store("port", OPEN.replace("8080", "7070"), namespace="p", on_conflict="new")
    node.call("Resolve", winner_id=third, loser_id=other, keep=True)
    assert [state for _, _, state in listed(node)] == ["open", "resolved"], "third against one"


def test_open_ones_come_first_and_a_full_answer_says_so(
    node: Harness, stated: dict[str, Any]
) -> None:
    node.clock.move(seconds=1)
    old = node.store("old", OPEN)
    settled = node.call("Link", source_id=old, target_id=stated["b"], relation="contradicts")["id"]
    node.call("Archive", ids=[old])
    assert [state for _, _, state in listed(node)] == ["open", "resolved"]
    answer = node.call("Contradictions", limit=1)
    assert ([one["link_id"] for one in answer["links"]], answer["truncated"]) == (
        [stated["link"]], True,
    )  # fmt: skip
    assert listed(node, topic="old") == [(settled, False, "resolved")]
    assert listed(node, namespace="elsewhere") == []
    assert node.call("Contradictions")["truncated"] is False


def test_what_there_was_no_time_for_is_told(node: Harness, monkeypatch) -> None:
    for at in range(4):
        node.store("port", OPEN.replace("8080", str(at + 1)), namespace="p", on_conflict="new")
    everything = node.call("Contradictions")
    assert (everything["count"], everything["truncated"]) == (6, False)
    for bound, most in (("PAIRS_MAX", 3), ("OF_TOPIC_MAX", 3), ("TOPICS_MAX", 0)):
        with monkeypatch.context() as patched:
            patched.setattr(contradictions, bound, most)
            answer = node.call("Contradictions")
            assert (answer["count"] < 6, answer["truncated"]) == (True, True)
