"""Links: facts with a validity of their own."""

import pytest

from aimem_node.contract.errors import Code, Failure
from tests.harness import Harness


@pytest.fixture
def pair(node: Harness) -> tuple[str, str]:
    return node.store("a"), node.store("b")


def test_a_link_is_seen_from_both_ends_with_its_observer_and_time(node: Harness, pair) -> None:
    a, b = pair
    answer = node.call("Link", source_id=a, target_id=b, relation="contradicts", agent_id="ann")
    assert answer["linked"] is True
    for end in pair:
        [link] = node.call("GetLinks", id=end)["links"]
        assert (link["source_id"], link["target_id"]) == (a, b)
        assert (link["relation"], link["observed_by"]) == ("contradicts", "ann")
        assert link["valid_from"]


def test_the_same_link_twice_is_one_link(node: Harness, pair) -> None:
    a, b = pair
    first = node.call("Link", source_id=a, target_id=b)
    again = node.call("Link", source_id=a, target_id=b)
    assert (again["linked"], again["id"]) == (False, first["id"])


def test_unlinking_one_relation_leaves_the_others(node: Harness, pair) -> None:
    a, b = pair
    for relation in ("related_to", "supersedes"):
        node.call("Link", source_id=a, target_id=b, relation=relation)
    assert node.call("Unlink", source_id=a, target_id=b, relation="supersedes")["count"] == 1
    [link] = node.call("GetLinks", id=a)["links"]
    assert link["relation"] == "related_to"
    assert node.call("Unlink", source_id=a, target_id=b)["deleted"] is True
    assert node.call("GetLinks", id=a)["links"] == []


def test_a_link_can_be_made_again_after_it_was_removed(node: Harness, pair) -> None:
    a, b = pair
    first = node.call("Link", source_id=a, target_id=b)["id"]
    node.call("Unlink", source_id=a, target_id=b)
    again = node.call("Link", source_id=a, target_id=b)
    assert again["linked"] is True
    assert again["id"] != first


def test_a_link_with_itself_or_nothing_is_refused_with_the_path(node: Harness, pair) -> None:
    a, _ = pair
    for target, code in ((a, Code.INVALID_ARGUMENT), ("nobody", Code.NOT_FOUND)):
        with pytest.raises(Failure) as caught:
            node.call("Link", source_id=a, target_id=target)
        assert (caught.value.code, caught.value.path) == (code, "$.target_id")


def test_links_to_a_deleted_memory_are_not_shown(node: Harness, pair) -> None:
    a, b = pair
    node.call("Link", source_id=a, target_id=b)
    node.call("Delete", id=b)
    assert node.call("GetLinks", id=a)["links"] == []
