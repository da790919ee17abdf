"""Values and JSON: strict on the way in, whole on the way out."""

from typing import Any

import pytest
from any_value import ANY_MESSAGE, JSON, outcome, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.json_text import dumps, loads
from aimem_node.contract.json_values import from_json, from_query, to_json
from aimem_node.contract.values import (
    BulkStoreRequest,
    DeleteRequest,
    LinkRequest,
    ListRequest,
    ListResponse,
    Memory,
    Relation,
    StoreRequest,
    Tier,
    UpdateRequest,
    WriteOptions,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(st.data())
def test_every_value_survives_json(data: Any) -> None:
    cls = data.draw(ANY_MESSAGE)
    value = data.draw(values(cls))
    assert from_json(cls, loads(dumps(to_json(value)))) == value


@settings(deadline=None, max_examples=150)
@given(ANY_MESSAGE, JSON | st.dictionaries(st.sampled_from(["id", "title", "limit"]), JSON))
def test_json_from_anyone_gives_a_value_or_a_failure(cls: type, obj: Any) -> None:
    given = outcome(from_json, cls, obj)
    if not isinstance(given, cls):
        assert given.code is Code.INVALID_ARGUMENT
        assert given.path.startswith("$")
        given.message.encode()


def test_the_shape_of_an_answer_does_not_depend_on_what_is_in_it() -> None:
    assert to_json(ListResponse()) == {"memories": [], "count": 0, "next_cursor": ""}
    shown = to_json(Memory())
    assert shown["metadata"] == {}
    assert "expires_at" not in shown


def test_json_shows_plain_types_only() -> None:
    shown = to_json(Memory(tier=Tier.LONG, created_at=0, tags=("a",)))
    assert type(shown["tier"]) is str
    assert shown["created_at"] == "1970-01-01T00:00:00Z"
    assert shown["tags"] == ["a"]


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        ([], "$"),
        ({"title": 1, "content": "c"}, "$.title"),
        ({"title": "t"}, "$.content"),
        ({"title": "t", "content": None}, "$.content"),
        ({"title": "t", "content": "c", "colour": 1}, "$.colour"),
        ({"title": "t", "content": "c", "tier": "forever"}, "$.tier"),
        ({"title": "t", "content": "c", "priority": True}, "$.priority"),
        ({"title": "t", "content": "c", "priority": 1.5}, "$.priority"),
        ({"title": "t", "content": "c", "priority": 2**31}, "$.priority"),
        ({"title": "t", "content": "c", "priority": "5"}, "$.priority"),
        ({"title": "t", "content": "c", "confidence": float("nan")}, "$.confidence"),
        ({"title": "t", "content": "c", "confidence": 10**400}, "$.confidence"),
        ({"title": "t", "content": "c", "tags": ["a", 1]}, "$.tags[1]"),
        ({"title": "t", "content": "c", "metadata": "{}"}, "$.metadata"),
        ({"title": "t", "content": "c", "metadata": {"a": float("inf")}}, "$.metadata"),
        ({"title": "t", "content": "c", "expires_at": 5}, "$.expires_at"),
        ({"title": "t", "content": "c", "expires_at": "soon"}, "$.expires_at"),
        ({"title": "\ud800", "content": "c"}, "$.title"),
        (
            {"title": "t", "content": "c", "options": {"request_keys": "k"}},
            "$.options.request_keys",
        ),
        ({"title": "t", "content": "c", "options": "k"}, "$.options"),
    ],
)
def test_a_rejected_value_comes_back_with_its_path(obj: Any, path: str) -> None:
    with pytest.raises(Failure) as caught:
        from_json(StoreRequest, obj)
    assert caught.value.path == path
    with pytest.raises(Failure) as caught:
        from_json(BulkStoreRequest, {"memories": [{"title": "t", "content": "c"}, obj]})
    assert caught.value.path == "$.memories[1]" + path[1:]


def test_a_misspelled_field_is_answered_with_the_nearest() -> None:
    with pytest.raises(Failure, match="did you mean 'namespace'"):
        from_json(StoreRequest, {"title": "t", "content": "c", "namspace": "a"})
    with pytest.raises(Failure, match="did you mean 'long'"):
        from_json(UpdateRequest, {"id": "x", "tier": "Long"})


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert from_json(ListRequest, {"limit": 3.0}).limit == 3


def test_null_is_absent() -> None:
    assert from_json(ListRequest, {"limit": None, "namespace": None}) == ListRequest()


def test_one_text_will_do_for_a_list_of_texts() -> None:
    assert from_json(ListRequest, {"tags": "a"}).tags == ("a",)


def test_a_query_says_what_json_says() -> None:
    pairs = [
        ("tags", "a"), ("tags", "b"), ("limit", "5"), ("tier", "long"),
        ("since", "2026-01-31T12:00:00Z"),
    ]  # fmt: skip
    said = {"tags": ["a", "b"], "limit": 5, "tier": "long", "since": "2026-01-31T12:00:00Z"}
    assert from_query(ListRequest, pairs) == from_json(ListRequest, said)
    deleted = from_query(DeleteRequest, [("id", "x"), ("options.request_key", "k")])
    assert deleted == DeleteRequest(id="x", options=WriteOptions(request_key="k"))
    assert from_query(UpdateRequest, [("id", "5"), ("clear_expiry", "true")]).clear_expiry
    assert from_query(UpdateRequest, [("id", "x"), ("metadata", '{"a":1}')]).metadata == {"a": 1}
    linked = from_query(
        LinkRequest, [("source_id", "a"), ("target_id", "b"), ("relation", "supersedes")]
    )
    assert linked.relation is Relation.SUPERSEDES


@pytest.mark.parametrize(
    ("pairs", "path"),
    [
        ([("limit", "five")], "$.limit"),
        ([("limit", "1.5")], "$.limit"),
        ([("limit", "1e999")], "$.limit"),
        ([("limit", "")], "$.limit"),
        ([("limit", "1"), ("limit", "2")], "$.limit"),
        ([("colour", "red")], "$.colour"),
        ([("tags.x", "red")], "$.tags.x"),
        ([("since", "yesterday")], "$.since"),
        ([("", "x")], "$."),
    ],
)
def test_a_bad_query_is_refused_with_its_path(pairs: list[tuple[str, str]], path: str) -> None:
    with pytest.raises(Failure) as caught:
        from_query(ListRequest, pairs)
    assert caught.value.path == path


@settings(deadline=None, max_examples=100)
@given(ANY_MESSAGE, st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3))
def test_queries_from_anyone_give_a_value_or_a_failure(
    cls: type, pairs: list[tuple[str, str]]
) -> None:
    given = outcome(from_query, cls, pairs)
    if not isinstance(given, cls):
        given.message.encode()
        given.path.encode()
