"""Where copies of a namespace are kept, and what that asks of a write."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.copies import combined, needed_and_holders
from aimem_node.store.view import View
from tests.harness import Harness

A, B, C = "a" * 32, "b" * 32, "c" * 32


def refused(node: Harness, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call("SetNamespaceCopies", **fields)
    return caught.value


def asked(node: Harness, namespace: str) -> tuple[int, frozenset[str] | None]:
    def read(view: View) -> tuple[int, frozenset[str] | None]:
        return needed_and_holders(view, namespace)

    return node.core.store.readers.submit(read, 5_000).result()


def test_nothing_is_set_at_first(node: Harness) -> None:
    assert node.call("NamespaceCopies")["copies"] == []
    [here] = node.call("NamespaceCopies", namespace="a/b")["copies"]
    assert (here["namespace"], here["set_at"], here["holders"]) == ("a/b", "", [])
    assert here.get("w") is None
    assert asked(node, "a/b") == (0, None)


def test_each_value_is_inherited_until_one_further_down_says_otherwise(node: Harness) -> None:
    me = node.call("Health")["node_id"]
    node.call("SetNamespaceCopies", namespace="a", w=1, holders=["none"])
    node.call("SetNamespaceCopies", namespace="a/b/c", w=1)
    assert asked(node, "a") == (1, frozenset({me}))
    assert asked(node, "a/b/c/d") == (1, frozenset({me}))
    assert asked(node, "ab") == (0, None)
    [there] = node.call("NamespaceCopies", namespace="a/b/c/d")["copies"]
    assert (there["set_at"], there["holders"], there["w"]) == ("a/b/c", [me], 1)
    listed = node.call("NamespaceCopies")["copies"]
    assert [one["namespace"] for one in listed] == ["a", "a/b/c"]


def test_what_is_not_given_stays_and_zero_and_all_take_it_away(node: Harness) -> None:
    me = node.call("Health")["node_id"]
    node.call("SetNamespaceCopies", namespace="a", holders=[me])
    node.call("SetNamespaceCopies", namespace="a", w=1)
    assert asked(node, "a") == (1, frozenset({me}))
    node.call("SetNamespaceCopies", namespace="a", w=0)
    assert asked(node, "a") == (0, frozenset({me}))
    answer = node.call("SetNamespaceCopies", namespace="a", holders=["all"])
    assert answer["copies"]["set_at"] == ""
    assert asked(node, "a") == (0, None)
    assert node.call("NamespaceCopies")["copies"] == []


def test_a_setting_that_stands_already_writes_nothing(node: Harness) -> None:
    assert node.call("SetNamespaceCopies", namespace="a", w=1)["write"]["write_ids"] != []
    assert node.call("SetNamespaceCopies", namespace="a", w=1)["write"]["write_ids"] == []
    assert node.call("SetNamespaceCopies", namespace="b", w=0)["write"]["write_ids"] == []


def test_impossible_settings_are_refused_with_the_path_of_what_is_wrong(node: Harness) -> None:
    assert refused(node, namespace="a").path == "$.w"
    unknown = refused(node, namespace="a", holders=["none-such"])
    assert (unknown.code, unknown.path) == (Code.NOT_FOUND, "$.holders[0]")
    mixed = refused(node, namespace="a", holders=["none", "all"])
    assert (mixed.code, mixed.path) == (Code.INVALID_ARGUMENT, "$.holders[0]")
    too_many = refused(node, namespace="a", w=2, holders=["none"])
    assert (too_many.code, too_many.path) == (Code.INVALID_ARGUMENT, "$.w")
    node.call("SetNamespaceCopies", namespace="a", holders=["none"])
    assert refused(node, namespace="a", w=2).path == "$.w"


def test_a_lone_node_refuses_a_write_that_more_nodes_must_hold(node: Harness) -> None:
    node.call("SetNamespaceCopies", namespace="a", w=2)
    with pytest.raises(Failure) as caught:
        node.call("Store", title="t", content="c", namespace="a/b")
    assert caught.value.code is Code.NOT_WRITTEN
    assert node.call("List", namespace="a/b")["count"] == 0
    node.call("Store", title="t", content="c", namespace="b")
    pending = {"allow_pending": True, "deadline_ms": 0}
    answer = node.call("Store", title="t", content="c", namespace="a/b", options=pending)
    assert (answer["write"]["outcome"], answer["write"]["needed"]) == ("pending", 2)


def test_one_setting_is_taken_as_it_is() -> None:
    assert combined({}, frozenset({A, B, C}), A) == (0, None)
    assert combined({None: 2}, frozenset({A, B, C}), A) == (2, None)
    assert combined({frozenset({A}): 0}, frozenset({A, B, C}), A) == (0, frozenset({A}))


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        ({None: 0, frozenset({A}): 0}, 2),
        ({None: 2, frozenset({A, B}): 2}, 3),
        ({frozenset({A, B}): 1, frozenset({A, C}): 1}, 1),
        ({frozenset({A, B}): 2, frozenset({A, C}): 1}, 3),
        ({frozenset({A, B}): 1, frozenset({C}): 1}, 3),
    ],
)
def test_enough_of_all_is_enough_of_each(
    asked: dict[frozenset[str] | None, int], needed: int
) -> None:
    """Whichever nodes they are that answer first, the writer (A) being one."""
    from itertools import combinations

    voters = frozenset({A, B, C})
    wanted, everyone = combined(asked, voters, A)
    assert (wanted, everyone) == (needed, voters)
    for some in combinations(sorted(voters), wanted):
        if A not in some:
            continue
        for holders, least in asked.items():
            may = voters if holders is None else holders
            assert len(may & set(some)) >= (least or len(may) // 2 + 1)
