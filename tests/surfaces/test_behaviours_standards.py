"""Standards, by every way in: they come with every recall there and below."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure


def test_a_standard_is_set_given_inherited_and_cleared(way: Any, place: str) -> None:
    made = way.call("NamespaceSetStandard", namespace=place, content="Write tests first.")
    assert (made["set"], made["namespace"]) == (True, place)
    record_id = way.call("Store", title="how", content="mind the gap", namespace=f"{place}/x")["id"]
    other = way.call(
        "NamespaceSetStandard", namespace=f"{place}/x", id=record_id, parent=f"{place}-parent"
    )
    assert (other["standard_id"], other["parent"]) == (record_id, f"{place}-parent")
    shown = way.call("NamespaceGetStandard", namespace=f"{place}/x", inherit=True)
    assert [one["content"] for one in shown["standards"]] == ["Write tests first.", "mind the gap"]
    assert shown["chain"][-3:] == [place, f"{place}-parent", f"{place}/x"]
    for operation, fields in (("Recall", {"context": "gap tests"}), ("SessionStart", {})):
        answer = way.call(operation, namespace=f"{place}/x", **fields)
        assert [one["namespace"] for one in answer["standards"]] == [place, f"{place}/x"]
        assert answer["memories"] == []
    named = way.call("Namespaces", namespace=place)
    assert named["standard"]["standard"]["content"] == "Write tests first."
    assert way.call("NamespaceClearStandard", namespace=place)["cleared"] is True
    assert way.call("Recall", namespace=place, context="tests")["standards"] == []


def test_a_standard_of_nothing_is_refused(way: Any, place: str) -> None:
    with pytest.raises(Failure) as caught:
        way.call("NamespaceSetStandard", namespace=place)
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.id")
    assert "content" in caught.value.next
