"""Recall and search of the past: what was known then, told to whom it was and still is for."""

import random
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.contract.times import read_time, show_time
from aimem_node.operations import recall_past
from tests.aimem_node.operations.sight_stage import Stage
from tests.harness import DAY_US, START_US, Harness

WORDS = ("walrus", "seal", "otter", "puffin", "narwhal", "krill")
SHOWN = ("title", "content", "tags", "tier", "namespace", "scope", "priority", "access_count")


def day(number: float) -> str:
    """A moment, so many days after the test's clock began."""
    return show_time(START_US + int(number * DAY_US))


def found(node: Harness, context: str, at: str, **fields: Any) -> dict[str, dict[str, Any]]:
    """What recall finds as of a moment, by id. Search for the same word must find no other."""
    answer = node.call("Recall", context=context, as_of=at, limit=50, **fields)
    hits = {one["id"]: one for one in answer["memories"]}
    if " " not in context and "/" not in fields.get("namespace", ""):
        same = node.call("Search", query=context, as_of=at, limit=50, **fields)
        assert {one["id"] for one in same["results"]} == set(hits)
    return hits


def test_a_memory_is_found_by_what_it_said_then_and_shown_as_it_was(node: Harness) -> None:
    a = node.store("one", "a walrus", tags=["x"], namespace="n", tier="long", scope="team")
    b = node.store("other", "a walrus that stays", namespace="n", tier="long")
    node.clock.move(days=1)
    node.call(
        "Update", id=a, title="two", content="a seal", namespace="m", tags=["y"],
        replace_tags=True, scope="org",
    )  # fmt: skip
    node.clock.move(days=1)
    node.store("late", "a walrus", namespace="n")
    then = found(node, "walrus", day(0.5))
    assert set(then) == {a, b}
    shown = [then[a][name] for name in ("title", "content", "tags", "namespace", "scope")]
    assert shown == ["one", "a walrus", ["x"], "n", "team"]
    assert set(found(node, "walrus", day(1.5))) == {b}
    assert set(found(node, "seal", day(1.5))) == {a}
    assert found(node, "seal", day(0.5)) == {}
    assert found(node, "walrus", day(-1)) == {}, "nothing was known"


def test_filters_apply_to_what_held_then(node: Harness) -> None:
    a = node.store("one", "walrus", tags=["x"], namespace="n/deep", tier="mid", priority=3)
    node.clock.move(days=1)
    node.call("Update", id=a, namespace="m", tags=["y"], replace_tags=True, tier="long", priority=9)
    at = day(0.5)
    for fits in (
        {"namespace": "n/deep"}, {"namespace": "n/*"}, {"tags": ["x"]}, {"tier": "mid"},
        {"since": day(0), "until": day(0)},
    ):  # fmt: skip
        assert set(found(node, "walrus", at, **fits)) == {a}, fits
    for not_then in (
        {"namespace": "m"}, {"tags": ["y"]}, {"tier": "long"}, {"since": day(0.1)},
        {"agent_id": "ai:nobody"},
    ):  # fmt: skip
        assert found(node, "walrus", at, **not_then) == {}, not_then
    strict = node.call("Search", query="walrus", as_of=at, min_priority=5)
    assert strict["results"] == []
    assert node.call("Search", query="walrus", min_priority=5)["count"] == 1


def test_what_was_archived_deleted_or_over_then_is_not_found_and_since_then_it_is(
    node: Harness,
) -> None:
    kept, gone, over = (
        node.store(title, "walrus", tier=tier)
        for title, tier in (("kept", "long"), ("gone", "long"), ("over", "mid"))
    )
    node.clock.move(days=1)
    node.call("Archive", ids=[kept])
    node.clock.move(days=1)
    node.call("Delete", id=gone)
    node.call("ArchiveRestore", id=kept)
    node.clock.move(days=10)
    node.call("Gc")
    assert set(found(node, "walrus", day(0.5))) == {kept, gone, over}
    assert set(found(node, "walrus", day(1.5))) == {gone, over}
    assert set(found(node, "walrus", day(3))) == {kept, over}
    assert set(found(node, "walrus", day(7.5))) == {kept}, "its time was up, if not yet collected"


def test_what_was_erased_is_gone_from_the_past_too(node: Harness) -> None:
    a = node.store("one", "walrus")
    node.clock.move(days=1)
    node.call("Archive", ids=[a])
    assert set(found(node, "walrus", day(0.5))) == {a}
    node.call("ArchivePurge")
    assert found(node, "walrus", day(0.5)) == {}


def test_a_moment_to_come_is_now_and_nothing_lives_longer_by_looking_back(node: Harness) -> None:
    a = node.store("one", "walrus", tier="mid")
    node.clock.move(days=1)
    now = node.call("Search", query="walrus")["results"]
    for at in (day(1), day(400)):
        assert set(found(node, "walrus", at)) == {a}
        assert node.call("Search", query="walrus", as_of=at)["results"] == now
    assert node.flush() == 0
    assert node.memory(a)["access_count"] == 0
    assert node.memory(a)["expires_at"] == day(7)


def test_recalls_since_are_no_change_and_no_part_of_the_past(node: Harness) -> None:
    a = node.store("one", "walrus", tier="mid")
    for _ in range(3):
        node.clock.move(days=1)
        node.call("Recall", context="walrus")
        node.flush()
    then = found(node, "walrus", day(1.5))[a]
    assert (then["access_count"], then["expires_at"]) == (1, day(7))
    answer = node.call("Recall", context="walrus", as_of=day(1.5))
    pools = {pool["name"]: pool["candidates"] for pool in answer["pools"]}
    assert pools == {"keyword": 1, "past": 0}, "its text stands in the index as it was then"
    assert answer["mode"] == "keyword"
    assert any("words alone" in why for why in answer["unavailable"])
    for _ in range(3):
        node.call("Recall", context="walrus")
        node.flush()
    assert node.memory(a)["tier"] == "long"
    assert set(found(node, "walrus", day(1.5), tier="mid")) == {a}
    assert found(node, "walrus", day(1.5), tier="long") == {}


def test_a_past_score_is_what_search_would_have_given(node: Harness) -> None:
    node.store("other", "an otter and a seal, nothing else worth a word")
    a = node.store("a walrus", "a seal and a walrus, walruses", tags=["walrus"])
    scores = {
        query: node.call("Search", query=query)["results"][0]["score"]
        for query in ("walrus", "seal walrus")
    }
    node.clock.move(days=1)
    node.call("Update", id=a, priority=9)  # a change, so it is scored from the log
    for query, score in scores.items():
        answer = node.call("Search", query=query, as_of=day(0.5))
        assert answer["results"][0]["score"] == score
    explained = node.call("Recall", context="walrus", as_of=day(0.5), explain=True)
    assert explained["reasons"][0]["factors"]["+words"] == 1.0


def test_a_standard_is_given_as_it_held_then(node: Harness) -> None:
    first, second = (node.store(title, f"use {title}") for title in ("tabs", "spaces"))
    node.call("NamespaceSetStandard", namespace="n", id=first)
    node.clock.move(days=1)
    node.call("NamespaceSetStandard", namespace="n", id=second)
    node.call("Update", id=first, content="tabs, no more")

    def given(**fields: Any) -> list[tuple[str, str]]:
        answer = node.call("Recall", context="style", namespace="n", **fields)
        return [(one["standard_id"], one["content"]) for one in answer["standards"]]

    assert given() == [(second, "use spaces")]
    assert given(as_of=day(0.5)) == [(first, "use tabs")]
    assert given(as_of=day(-1)) == []


def test_a_past_that_the_log_has_given_up_is_passed_over_and_counted(node: Harness) -> None:
    a = node.store("one", "walrus", tier="long")
    b = node.store("other", "walrus", tier="long")
    node.clock.move(days=1)
    node.call("Update", id=a, content="seal")
    node.call("Recall", context="seal other")
    node.flush()
    store = node.core.replica.store
    have = store.readers.submit(lambda view: view.have(), 1_000).result(10)
    store.writer.submit(lambda s: s.truncate(have, START_US + DAY_US // 2)).result(10)
    for operation, text in (("Recall", "context"), ("Search", "query")):
        answer = node.call(operation, **{text: "walrus"}, as_of=day(0.5))
        rows = answer["memories" if operation == "Recall" else "results"]
        assert [one["id"] for one in rows] == [b], "it has said the same ever since"
        assert any("does not hold any more what 1 " in why for why in answer["unavailable"])


def test_of_very_many_changed_ones_the_last_are_looked_at_and_those_of_the_place_first(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall_past, "CHANGED_MAX", 3)
    ids = [node.store(f"t{at}", "walrus", namespace="n" if at else "m") for at in range(6)]
    node.clock.move(days=1)
    for record_id in ids:
        node.clock.move(seconds=1)
        node.call("Update", id=record_id, content="seal")
    answer = node.call("Recall", context="walrus", as_of=day(0.5))
    assert {one["id"] for one in answer["memories"]} == set(ids[3:])
    assert any("more than 3 memories have changed" in why for why in answer["unavailable"])
    here = node.call("Recall", context="walrus", as_of=day(0.5), namespace="m")
    assert [one["id"] for one in here["memories"]] == [ids[0]]


def test_what_was_private_then_is_not_told_to_whom_it_was_widened_for_later(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    node = stage.node
    try:
        wide = node.store("wide", "walrus", namespace="acme/eng/web", scope="private")
        narrow = node.store("narrow", "walrus", namespace="acme/eng/web", scope="collective")
        node.clock.move(days=1)
        node.call("Update", id=wide, scope="collective", content="walrus, cleaned up")
        node.call("Update", id=narrow, scope="private")
        at = show_time(node.clock.now_us() - DAY_US // 2)

        def sees(caller: str, operation: str = "Recall", **fields: Any) -> set[str]:
            text = {"context": "walrus"} if operation == "Recall" else {"query": "walrus"}
            answer = stage.call(caller, operation, **text, **fields)
            return {one["id"] for one in answer.get("memories", answer.get("results"))}

        for operation in ("Recall", "Search"):
            assert sees("eng", operation) == {wide}
            assert sees("eng", operation, as_of=at) == set()
            assert sees("web", operation, as_of=at) == {wide, narrow}
            assert sees("operator", operation, as_of=at) == {wide, narrow}
            assert sees("operator", operation, as_of=at, as_agent="acme/eng") == set()
        assert stage.call("web", "Get", id=wide, as_of=at)["memory"]["content"] == "walrus"
        assert stage.call("eng", "Get", id=wide)["memory"]["content"] == "walrus, cleaned up"
        with pytest.raises(Failure):
            stage.call("eng", "Get", id=wide, as_of=at)
    finally:
        node.stop()


@pytest.mark.parametrize("seed", range(6))
def test_the_past_is_what_was_shown_at_the_time(tmp_path: Path, seed: int) -> None:
    node = Harness(tmp_path / "node", seed)
    try:
        _compare(node, random.Random(seed))
    finally:
        node.stop()


def _compare(node: Harness, chance: random.Random) -> None:
    ids: list[str] = []
    erased: set[str] = set()
    shown: list[tuple[int, dict[str, dict[str, Any]]]] = []
    for _ in range(60):
        node.clock.move(days=chance.choice([0, 0.01, 0.5, 2]))
        _do_something(node, chance, ids, erased)
        node.flush()
        answer = node.call("List", limit=1_000)
        shown.append((node.clock.now_us(), {one["id"]: one for one in answer["memories"]}))
    last_us = node.clock.now_us()
    for _ in range(40):
        at_us = chance.randrange(START_US - DAY_US, last_us)
        then = next((rows for us, rows in reversed(shown) if us <= at_us), {})
        wanted = {"tier": chance.choice(["short", "mid", "long"])} if chance.random() < 0.3 else {}
        if chance.random() < 0.4:
            wanted["namespace"] = chance.choice(["one", "two"])
        words = chance.sample(WORDS, chance.choice([1, 2]))
        fits = {
            one["id"]: one
            for one in then.values()
            if one["id"] not in erased
            and (one.get("expires_at") is None or read_time(one["expires_at"]) > at_us)
            and all(one[name] == value for name, value in wanted.items())
            and any(word in one["content"].split() for word in words)
        }
        hits = found(node, " ".join(words), show_time(at_us), **wanted)
        assert {i: _said(one) for i, one in hits.items()} == {i: _said(o) for i, o in fits.items()}


def _said(memory: dict[str, Any]) -> list[Any]:
    return [memory.get(name) for name in SHOWN]


def _do_something(node: Harness, chance: random.Random, ids: list[str], erased: set[str]) -> None:
    content = " ".join(chance.sample(WORDS, 3))
    tier = chance.choice(["short", "mid", "long"])
    namespace = chance.choice(["one", "two"])
    some = chance.choice(ids) if ids else ""
    wish = chance.choice(
        ["store", "store", "store", "edit", "edit", "move", "archive", "restore", "delete",
         "recall", "recall", "gc", "erase"]
    )  # fmt: skip
    if wish == "store" or not ids:
        title = f"t{len(ids)}"
        ids.append(node.store(title, content, tier=tier, namespace=namespace, tags=[tier]))
    elif wish == "recall":
        node.call("Recall", context=content, limit=5)
    elif wish == "gc":
        node.call("Gc")
    else:
        calls: dict[str, tuple[str, dict[str, Any]]] = {
            "edit": ("Update", {"id": some, "content": content, "tags": [namespace]}),
            "move": ("Update", {"id": some, "namespace": namespace, "priority": 7}),
            "archive": ("Archive", {"ids": [some]}),
            "restore": ("ArchiveRestore", {"id": some}),
            "delete": ("Delete", {"id": some}),
            "erase": ("Forget", {"pattern": chance.choice(WORDS), "namespace": "one",
                                 "tier": "short", "erase": True}),
        }  # fmt: skip
        operation, fields = calls[wish]
        before = {one["id"] for one in node.call("List", limit=1_000)["memories"]}
        try:
            node.call(operation, **fields)
        except Failure:
            return  # it was archived or deleted already
        if wish == "erase":
            erased |= before - {one["id"] for one in node.call("List", limit=1_000)["memories"]}
