"""What is most like a memory or a text, and pairs that say nearly the same, whichever way in was
taken. The node that all these tests share has no model: it compares by words."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure

TEXT = (
    "the weekly digest collects the headlines of every team and is sent on Friday by the editor who"
    " has been asked to proofread it before lunch"
)


def new(way: Any, place: str, title: str, content: str = TEXT, **fields: Any) -> str:
    fields = {"title": title, "content": content, "namespace": place, "tier": "long", **fields}
    return str(way.call("Store", **fields)["id"])


def test_what_is_like_a_memory_or_a_text_is_found(way: Any, place: str) -> None:
    kept = new(way, place, "Digest")
    like = new(way, place, "Digest again", TEXT.replace("lunch", "noon"))
    new(way, place, "Lunch", "soup")
    found = way.call("FindSimilar", id=kept, namespace=place, threshold=0.6)
    assert (found["count"], found["method"]) == (1, "keyword")
    (one,) = found["similar"]
    assert (one["id"], one["title"], one["namespace"]) == (like, "Digest again", place)
    assert 0.6 <= one["similarity"] < 1
    said = way.call("FindSimilar", text=f"Digest {TEXT}", namespace=f"{place}/*", limit=1)
    assert [one["id"] for one in said["similar"]] == [kept]


def test_a_memory_or_a_text_must_be_given_and_not_both(way: Any, place: str) -> None:
    kept = new(way, place, "Digest")
    for given, path in (({}, "$.id"), ({"id": kept, "text": "digest"}, "$.text")):
        with pytest.raises(Failure) as caught:
            way.call("FindSimilar", **given)
        assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, path)


def test_pairs_that_say_nearly_the_same_are_told_with_the_one_to_keep(way: Any, place: str) -> None:
    first = new(way, f"{place}/a", "Digest")
    copy = new(way, f"{place}/b", "DIGEST")
    near = new(way, f"{place}/a", "Digest of the week", TEXT.replace("lunch", "noon"))
    new(way, place, "Lunch", "soup")
    found = way.call("NearDuplicates", namespace=f"{place}/*", threshold=0.7, limit=10)
    assert (found["looked_at"], found["method"]) == (4, "keyword")
    assert found["next_cursor"] == ""
    pairs = [(pair["keep"]["id"], pair["other"]["id"]) for pair in found["pairs"]]
    assert pairs[0] == (first, copy)
    assert set(pairs[1:]) == {(first, near), (copy, near)}
    likeness = [pair["similarity"] for pair in found["pairs"]]
    assert likeness == sorted(likeness, reverse=True)
    assert way.call("NearDuplicates", namespace=f"{place}/b")["pairs"] == []
