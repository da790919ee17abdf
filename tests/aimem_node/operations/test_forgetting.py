"""Forget what matches; show what a memory used to say."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations import forgetting
from tests.harness import Harness


def titles(node: Harness) -> set[str]:
    return {memory["title"] for memory in node.call("List", limit=100)["memories"]}


def test_every_given_filter_must_hold_for_what_is_forgotten(node: Harness) -> None:
    node.store("both", "apples", namespace="n", tier="long")
    node.store("other tier", "apples", namespace="n", tier="mid")
    node.store("other words", "pears", namespace="n", tier="long")
    node.store("other place", "apples", namespace="m", tier="long")
    answer = node.call("Forget", namespace="n", pattern="apples", tier="long")
    assert answer["deleted"] == 1
    assert titles(node) == {"other tier", "other words", "other place"}


def test_what_was_forgotten_is_archived_and_can_come_back(node: Harness) -> None:
    record_id = node.store("t", "apples")
    node.call("Forget", pattern="apples")
    shown = node.memory(record_id)
    assert (shown["life"], shown["archive_reason"]) == ("archived", "forget")
    node.call("ArchiveRestore", id=record_id)
    assert titles(node) == {"t"}


def test_too_many_at_once_are_refused_and_all_of_them_stay(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "FORGET_MAX", 3)
    for n in range(4):
        node.store(f"t{n}", namespace="n")
    with pytest.raises(Failure) as caught:
        node.call("Forget", namespace="n")
    assert (caught.value.code, caught.value.definite) == (Code.TOO_LARGE, True)
    assert len(titles(node)) == 4
    node.call("Delete", id=node.call("List", limit=1)["memories"][0]["id"])
    assert node.call("Forget", namespace="n")["deleted"] == 3


def test_a_dry_run_changes_nothing_even_of_an_erasure(node: Harness) -> None:
    node.store("t", "apples")
    before = node.call("NodeStatus")["digest"]
    answer = node.call("Forget", pattern="apples", erase=True, dry_run=True)
    assert (answer["would_delete"], answer["archived"]) == (1, False)
    assert node.call("NodeStatus")["digest"] == before


def test_a_pattern_is_words_and_never_syntax(node: Harness) -> None:
    node.store("keep", "apples")
    for pattern in (
        '"',
        "*",
        "app*",
        "content : *",
        "a' OR 1=1 --",
        "NOT pears",
        "^",
        "^app",
        "()",
    ):
        assert node.call("Forget", pattern=pattern)["deleted"] == 0, pattern
    assert titles(node) == {"keep"}
    assert node.call("Forget", pattern='pears "apples')["deleted"] == 1  # it holds one of them


def test_a_history_says_what_each_version_changed_and_which_one_stands(node: Harness) -> None:
    record_id = node.store("t", "first", tags=["x"])
    node.call("Update", id=record_id, content="second")
    node.call("Update", id=record_id, tags=["y"], remove_tags=["x"])
    node.call("Delete", id=record_id)
    history = node.call("History", id=record_id)
    assert history["count"] == 4
    deleted, tagged, changed, stored = history["versions"]
    assert deleted["current"] == ["life"]
    assert deleted["change"]["set"]["life"]["is"] == "deleted"
    assert tagged["change"]["tag"] == ["y"]
    assert "x" in tagged["change"]["untag"]
    assert "body" in changed["current"]
    assert stored["change"]["set"]["body"]["content"] == "first"
    assert "body" not in stored["current"]
    assert [v["order"] for v in history["versions"]] == [4, 3, 2, 1]
    assert all(version["conflicting"] == [] for version in history["versions"])


def test_a_long_history_comes_in_pages_that_leave_nothing_out(node: Harness) -> None:
    record_id = node.store("t", "0")
    for n in range(1, 7):
        node.call("Update", id=record_id, content=str(n))
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = node.call("History", id=record_id, limit=3, **cursor)
        seen += [v["change"]["set"]["body"]["content"] for v in page["versions"]]
        if not page["next_cursor"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [str(n) for n in range(6, -1, -1)]


def test_a_history_is_found_by_prefix_and_nothing_has_none(node: Harness) -> None:
    record_id = node.store("t")
    assert node.call("History", id=record_id[:8])["id"] == record_id
    with pytest.raises(Failure) as caught:
        node.call("History", id="ffffffff")
    assert caught.value.code == Code.NOT_FOUND


def test_a_history_of_large_versions_comes_in_pages_that_a_caller_can_take(node: Harness) -> None:
    record_id = node.store("t", "first")
    for n in range(50):
        node.call("Update", id=record_id, content=f"{n}" + "x" * 60_000)
    seen: list[str] = []
    cursor = ""
    while True:
        page = node.call("History", id=record_id, limit=1000, cursor=cursor)
        assert len(str(page)) < 4 << 20
        seen += [version["write_id"] for version in page["versions"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 51


def test_only_the_operator_erases_and_a_writer_may_still_forget(node: Harness) -> None:
    from dataclasses import replace

    from aimem_node.contract.calls import Channel
    from aimem_node.contract.operations import Role
    from aimem_node.rpc.access_edit import create_token

    node.store("t", "apples")
    token = create_token(str(node.data_dir), "ci", Role.WRITER)
    node.clock.move(seconds=1)
    writer = replace(node.me, channel=Channel.LOOPBACK, uid=None, bearer=token)
    with pytest.raises(Failure) as caught:
        node.call("Forget", writer, pattern="apples", erase=True)
    assert (caught.value.code, caught.value.path) == (Code.PERMISSION_DENIED, "$.erase")
    assert titles(node) == {"t"}
    assert node.call("Forget", writer, pattern="apples")["archived"] is True
