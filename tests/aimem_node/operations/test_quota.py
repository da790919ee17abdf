"""Quotas: counted where the memories are written, in the same breath."""

import asyncio
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from tests.harness import Harness


def exceeded(node: Harness, operation: str, **fields: Any) -> dict[str, Any]:
    with pytest.raises(Failure) as caught:
        node.call(operation, **fields)
    assert caught.value.code is Code.PERMISSION_DENIED, caught.value
    assert "quota" in caught.value.message
    return dict(caught.value.details)


def test_a_hundred_writers_at_once_reach_the_limit_and_not_one_more(node: Harness) -> None:
    node.call("PolicySet", namespace="a", quota={"memories": 37})

    async def all_at_once() -> list[Any]:
        asked = [
            node.acall("Store", title=f"t{at}", content="c", namespace=f"a/{at % 7}")
            for at in range(100)
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    fates = node.run(all_at_once())
    refused = [one for one in fates if isinstance(one, Failure)]
    assert {one.code for one in refused} == {Code.PERMISSION_DENIED}
    assert (len(refused), node.call("List", namespace="a/*", limit=1000)["count"]) == (63, 37)


def test_the_refusal_names_the_quota_and_where_it_is_set(node: Harness) -> None:
    node.call("PolicySet", namespace="a", quota={"memories": 2, "memories_per_agent": 1})
    node.store("one", namespace="a/b", agent_id="ai:x")
    details = exceeded(node, "Store", title="two", content="c", namespace="a", agent_id="ai:x")
    assert details == {
        "rule": "quota: memories_per_agent 1", "set_at": "a", "namespace": "a", "limit": 1,
        "held": 2,
    }  # fmt: skip
    node.store("two", namespace="a", agent_id="ai:y")
    details = exceeded(node, "Store", title="3", content="c", namespace="a/b/c", agent_id="ai:z")
    assert (details["rule"], details["held"]) == ("quota: memories 2", 3)
    node.store("elsewhere", namespace="ab", agent_id="ai:x")


def test_every_way_to_add_a_memory_counts_and_none_that_adds_nothing(node: Harness) -> None:
    away = node.store("away", namespace="b")
    kept = node.store("kept", namespace="a")
    gone = node.store("gone", namespace="a")
    node.call("Archive", ids=[gone])
    node.call("PolicySet", namespace="a", quota={"memories": 1})
    exceeded(node, "Update", id=away, namespace="a")
    exceeded(node, "ArchiveRestore", id=gone)
    exceeded(node, "BulkStore", memories=[{"title": "x", "content": "c", "namespace": "a"}])
    imported = {"id": "m", "title": "x", "content": "c", "namespace": "a/b"}
    exceeded(node, "Import", memories=[imported])
    node.call("Update", id=kept, content="changed")
    node.call("Store", title="kept", content="again", namespace="a")
    node.call("Import", memories=[{**imported, "life": "archived"}])
    node.call("Delete", id=kept)
    node.call("ArchiveRestore", id=gone)


def test_a_quota_set_too_late_refuses_only_what_adds(node: Harness) -> None:
    ids = [node.store(f"t{at}", namespace="a") for at in range(4)]
    node.call("PolicySet", namespace="*", quota={"memories": 2})
    node.call("Delete", id=ids[0])
    node.call("Update", id=ids[1], namespace="b")
    node.call("Update", id=ids[2], content="changed")
    exceeded(node, "Store", title="new", content="c", namespace="a")
