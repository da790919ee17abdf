"""A memory as it was known: what was said since is not in it, and what was erased is gone."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.times import show_time
from tests.harness import DAY_US, START_US, Harness


def day(number: float) -> str:
    """A moment, so many days after the test's clock began."""
    return show_time(START_US + int(number * DAY_US))


def refused(node: Harness, operation: str, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, **fields)
    return caught.value


def test_a_memory_is_shown_as_it_was_known_also_after_its_deletion(node: Harness) -> None:
    a = node.store("a", "said", tags=["x"], namespace="n/one")
    node.clock.move(days=1)
    node.call("Update", id=a, namespace="n/two", tags=["y"], replace_tags=True)
    node.clock.move(days=1)
    node.call("Delete", id=a)
    then = node.call("Get", id=a, as_of=day(0.5))["memory"]
    assert (then["namespace"], then["tags"], then["life"]) == ("n/one", ["x"], "live")
    assert node.call("Get", id=a, as_of=day(1.5))["memory"]["tags"] == ["y"]
    for unknown in (day(-1), day(3)):
        failure = refused(node, "Get", id=a, as_of=unknown)
        assert (failure.code, failure.path) == (Code.NOT_FOUND, "$.as_of")


def test_what_was_erased_is_gone_from_the_past_too(node: Harness) -> None:
    a = node.store("a")
    node.clock.move(days=1)
    node.call("Archive", ids=[a])
    node.clock.move(days=1)
    node.call("ArchivePurge")
    failure = refused(node, "Get", id=a, as_of=day(0.5))
    assert failure.code == Code.NOT_FOUND


def test_a_past_that_the_log_does_not_hold_any_more_is_refused_with_words(node: Harness) -> None:
    a = node.store("a", "first", tier="long")
    node.clock.move(days=1)
    node.call("Update", id=a, content="second")
    store = node.core.replica.store
    have = store.readers.submit(lambda view: view.have(), 1_000).result(10)
    store.writer.submit(lambda s: s.truncate(have, START_US + DAY_US // 2)).result(10)
    failure = refused(node, "Get", id=a, as_of=day(0.5))
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.as_of")
    assert "does not hold" in failure.message
    assert node.call("Get", id=a, as_of=day(2))["memory"]["content"] == "second"


def test_recalls_that_are_not_told_yet_are_no_part_of_the_past(node: Harness) -> None:
    a = node.store("a", "walrus")
    node.clock.move(days=1)
    node.call("Recall", context="walrus")
    assert node.memory(a)["access_count"] == 1
    assert node.call("Get", id=a, as_of=day(0.5))["memory"]["access_count"] == 0
    assert node.call("Get", id=a, as_of=day(2))["memory"]["access_count"] == 0
