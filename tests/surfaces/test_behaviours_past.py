"""The past, whichever way in was taken."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def test_recall_and_search_take_a_moment(way: Any, place: str) -> None:
    before = now()
    changed = way.call("Store", title="plan", content="walrus first", namespace=place)["id"]
    gone = way.call("Store", title="also", content="walrus too", namespace=place)["id"]
    then = now()
    way.call("Update", id=changed, content="seal first", tags=["new"])
    way.call("Delete", id=gone)
    way.call("Store", title="late", content="walrus at last", namespace=place)
    for operation, text, rows in (
        ("Recall", "context", "memories"),
        ("Search", "query", "results"),
    ):
        asked = {text: "walrus", "namespace": place}
        found = {one["id"]: one for one in way.call(operation, **asked, as_of=then)[rows]}
        assert set(found) == {changed, gone}, operation
        assert (found[changed]["content"], found[changed]["tags"]) == ("walrus first", [])
        assert way.call(operation, **asked, as_of=before)["count"] == 0
        present = way.call(operation, **asked)[rows]
        assert present[0]["title"] == "late"
        ahead = way.call(operation, **asked, as_of="2999-01-01T00:00:00Z")[rows]
        assert [one["id"] for one in ahead] == [one["id"] for one in present]
    told = way.call("Recall", context="walrus", namespace=place, as_of=then, mode="keyword")
    assert (told["mode"], told["unavailable"]) == ("keyword", [])
    assert {pool["name"]: pool["candidates"] for pool in told["pools"]} == {"keyword": 0, "past": 2}


def test_a_moment_must_be_one(way: Any) -> None:
    for operation, text in (("Recall", "context"), ("Search", "query")):
        with pytest.raises(Failure) as caught:
            way.call(operation, **{text: "walrus"}, as_of="on tuesday")
        assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.as_of")
