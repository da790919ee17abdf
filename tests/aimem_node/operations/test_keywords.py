"""Words that tell a memory from others, and words near those of a query."""

from tests.harness import Harness

TEXT = (
    "Kubernetes evicts pods when the kubelet runs out of disk; the eviction threshold is set in"
    " the kubelet configuration as 4f9a8b7c6d5e4f3a2b1c."
)


def fill(node: Harness) -> None:
    for at in range(12):
        node.store(f"note {at}", f"the weekly meeting about budget number {at} with the team")
    for at in range(4):
        node.store(f"cluster {at}", f"kubernetes pods and the kubelet, seen on node {at}")


def test_the_telling_words_become_tags_and_not_twice(node: Harness) -> None:
    fill(node)
    kept = node.store("Kubelet eviction", TEXT, tags=["Ops"])
    tagged = node.call("AutoTag", id=kept)
    new = tagged["new_tags"]
    assert len(new) == 5
    assert {"kubelet", "eviction"} <= set(new)
    assert all(word == word.lower() and len(word) > 2 for word in new)
    assert not {"the", "when", "out", "4f9a8b7c6d5e4f3a2b1c"} & set(new)
    assert tagged["all_tags"] == sorted(["Ops", *new]) == node.memory(kept)["tags"]
    again = node.call("AutoTag", id=kept)
    assert (again["new_tags"], again["step_id"], again["write"]["write_ids"]) == ([], "", [])


def test_only_shown_they_change_nothing(node: Harness) -> None:
    kept = node.store("Kubelet eviction", TEXT)
    shown = node.call("AutoTag", id=kept, limit=8, dry_run=True)
    assert len(shown["new_tags"]) == 8
    assert (shown["write"]["write_ids"], shown["step_id"]) == ([], "")
    assert node.memory(kept)["tags"] == []


def test_no_more_tags_are_given_than_a_memory_may_have(node: Harness) -> None:
    kept = node.store("Kubelet eviction", TEXT, tags=[f"t{at:02}" for at in range(48)])
    assert len(node.call("AutoTag", id=kept)["new_tags"]) == 2
    assert len(node.memory(kept)["tags"]) == 50


def test_a_query_is_answered_with_words_that_stand_near_its_own(node: Harness) -> None:
    fill(node)
    found = node.call("ExpandQuery", query="the Kubernetes?", limit=4)
    assert found["original"] == "the Kubernetes?"
    assert set(found["expanded_terms"]) == {"kubelet", "pods", "cluster", "node"}
    node.store("pod", "a pod of whales")
    assert not {"pod", "pods"} & set(node.call("ExpandQuery", query="pods")["expanded_terms"])


def test_a_query_that_nothing_matches_has_no_other_words(node: Harness) -> None:
    fill(node)
    assert node.call("ExpandQuery", query="zeppelin")["expanded_terms"] == []
    near = node.call("ExpandQuery", query="kubernetes", namespace="elsewhere")
    assert near["expanded_terms"] == []
