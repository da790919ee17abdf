"""The rules of every field, held once for every surface."""

from dataclasses import replace
from typing import Any

import pytest
from any_value import ANY_MESSAGE, outcome, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.validate import NamespaceFilter, check, namespace_filter
from aimem_node.contract.values import (
    ArchiveRequest,
    BulkStoreRequest,
    GetRequest,
    ImportRequest,
    ListRequest,
    Memory,
    RecallRequest,
    StoreRequest,
    UpdateRequest,
    WriteOptions,
)

GOOD = StoreRequest(title="A title", content="Some content")


def test_a_value_that_is_right_comes_back_itself() -> None:
    whole = replace(GOOD, tags=("a", "b"), metadata={"a": [1]}, options=WriteOptions())
    assert check(whole) is whole


def test_ends_that_mean_nothing_are_trimmed() -> None:
    asked = replace(GOOD, title="  A title ", namespace=" a/b\n", tags=(" x ", "y"))
    checked = check(asked)
    assert (checked.title, checked.namespace, checked.tags) == ("A title", "a/b", ("x", "y"))


def test_content_keeps_its_ends_but_not_its_windows_line_ends() -> None:
    assert check(replace(GOOD, content=" a\r\nb ")).content == " a\nb "


def test_a_limit_above_its_cap_is_lowered_and_one_below_its_bound_refused() -> None:
    assert check(ListRequest(limit=10**6)).limit == 1000
    with pytest.raises(Failure, match="limit must be between 1 and 1000, not 0"):
        check(ListRequest(limit=0))


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"title": ""}, "$.title"),
        ({"title": " \t"}, "$.title"),
        ({"title": "a\nb"}, "$.title"),
        ({"title": "x" * 513}, "$.title"),
        ({"title": "bell\x07"}, "$.title"),
        ({"title": "\x85"}, "$.title"),
        ({"title": "half \ud800"}, "$.title"),
        ({"content": "\n \n"}, "$.content"),
        ({"content": "a\rb"}, "$.content"),
        ({"content": "ä" * 32_769}, "$.content"),
        ({"namespace": ""}, "$.namespace"),
        ({"namespace": "a//b"}, "$.namespace"),
        ({"namespace": "/a"}, "$.namespace"),
        ({"namespace": "a/"}, "$.namespace"),
        ({"namespace": "a/../b"}, "$.namespace"),
        ({"namespace": "a b"}, "$.namespace"),
        ({"namespace": "a\u00a0b"}, "$.namespace"),
        ({"namespace": "a\\b"}, "$.namespace"),
        ({"namespace": "/".join("abcdefghi")}, "$.namespace"),
        ({"namespace": "x" * 513}, "$.namespace"),
        ({"tags": ("ok", " ")}, "$.tags[1]"),
        ({"tags": ("ä" * 65,)}, "$.tags[0]"),
        ({"tags": ("a",) * 51}, "$.tags"),
        ({"priority": 0}, "$.priority"),
        ({"priority": 11}, "$.priority"),
        ({"confidence": 1.01}, "$.confidence"),
        ({"confidence": float("nan")}, "$.confidence"),
        ({"source": "martian"}, "$.source"),
        ({"metadata": {"a": "x" * 65_536}}, "$.metadata"),
        ({"metadata": {"a": float("inf")}}, "$.metadata"),
        ({"agent_id": "no spaces"}, "$.agent_id"),
        ({"agent_id": ""}, "$.agent_id"),
        ({"agent_id": "ä"}, "$.agent_id"),
        ({"agent_id": "a\n"}, "$.agent_id"),
        ({"ttl_secs": 0}, "$.ttl_secs"),
        ({"expires_at": 10**18}, "$.expires_at"),
        ({"options": WriteOptions(request_key="x" * 129)}, "$.options.request_key"),
    ],
)
def test_a_broken_rule_comes_back_with_its_path(changed: dict[str, Any], path: str) -> None:
    with pytest.raises(Failure) as caught:
        check(replace(GOOD, **changed))
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, path)
    caught.value.message.encode()
    assert path.rpartition(".")[2].partition("[")[0] in caught.value.message
    with pytest.raises(Failure) as caught:
        check(BulkStoreRequest(memories=(GOOD, replace(GOOD, **changed))))
    assert caught.value.path == "$.memories[1]" + path[1:]


def test_what_is_required_may_not_be_empty() -> None:
    for asked in (GetRequest(id=""), ArchiveRequest(ids=()), BulkStoreRequest(memories=())):
        with pytest.raises(Failure, match="is required"):
            check(asked)


def test_a_record_may_leave_empty_what_it_does_not_have() -> None:
    record = Memory(id="x", title="t", content="c")
    asked = ImportRequest(memories=(record,))
    assert check(asked) is asked


def test_in_an_update_empty_text_is_a_wish_and_refused() -> None:
    with pytest.raises(Failure) as caught:
        check(UpdateRequest(id="x", title=""))
    assert caught.value.path == "$.title"


def test_other_scripts_and_emoji_are_text_like_any_other() -> None:
    asked = RecallRequest(context="Wo ist die Brücke? 橋はどこ 🌉", namespace="日本/東京")
    assert check(asked) is asked


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(st.data())
def test_checking_twice_is_checking_once(data: Any) -> None:
    cls = data.draw(ANY_MESSAGE)
    once = outcome(check, data.draw(values(cls)))
    if isinstance(once, cls):
        assert check(once) is once
    else:
        assert once.path.startswith("$.")


def test_a_namespace_filter_is_exact_or_a_subtree_or_everything() -> None:
    exact = namespace_filter("a/b")
    assert exact == NamespaceFilter(name="a/b", subtree=False)
    assert exact.exact
    assert exact.covers("a/b")
    assert not exact.covers("a/b/c")
    below = namespace_filter(" a/b/* ")
    assert below == NamespaceFilter(name="a/b", subtree=True)
    assert below.covers("a/b")
    assert below.covers("a/b/c")
    assert not below.covers("a/bc")
    assert namespace_filter("*").covers("anything/at/all")


@pytest.mark.parametrize("text", ["", "a b", "/*/", "a//*", "../*", "/a"])
def test_what_is_no_namespace_filter_is_refused_at_its_path(text: str) -> None:
    with pytest.raises(Failure) as caught:
        namespace_filter(text, "$.place")
    assert caught.value.path == "$.place"
