"""How memories are arranged; more of it is in test_upkeep."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aimem_node.operations.namespaces import _node, _roll_up
from tests.harness import Harness

SEGMENT = st.sampled_from(["a", "b", "ab"])
PATH = st.lists(SEGMENT, min_size=1, max_size=5).map("/".join)


def every(node: Any) -> list[Any]:
    return [node, *(deeper for child in node.children for deeper in every(child))]


@given(st.dictionaries(PATH, st.integers(1, 9), max_size=12), st.integers(0, 6))
def test_counts_add_up_at_every_node_and_depth(counts: dict[str, int], depth: int) -> None:
    tree = _node("", *_roll_up(sorted(counts.items()), "", depth))
    for node in every(tree):
        name = node.namespace
        below = sum(n for place, n in counts.items() if place.startswith(name + "/"))
        inside = sum(counts.values()) if not name else counts.get(name, 0) + below
        assert node.subtree_count == inside
        assert node.count == counts.get(name, 0)
        assert name.count("/") < depth or not name


def test_a_tree_that_was_cut_says_so_and_counts_only_what_it_walked(node: Harness) -> None:
    for place in ("a", "b", "c"):
        node.store("t", namespace=place)
    cut = node.call("GetTaxonomy", limit=2)
    assert (cut["truncated"], cut["total_count"]) == (True, 2)
    whole = node.call("GetTaxonomy", limit=3)
    assert (whole["truncated"], whole["total_count"]) == (False, 3)


def test_what_has_expired_or_is_archived_has_no_place(node: Harness) -> None:
    node.store("t", namespace="brief", ttl_secs=1)
    node.call("Archive", ids=[node.store("u", namespace="put-away")])
    node.clock.move(seconds=2)
    assert node.call("Namespaces")["namespaces"] == []
    assert node.call("GetTaxonomy")["total_count"] == 0
