"""Store, read, change and list: what a caller may rely on."""

from typing import Any

import pytest

from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
from tests.harness import START_US, Harness


def refused(node: Harness, operation: str, **fields) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, **fields)
    return caught.value


def test_a_stored_memory_comes_back_whole(node: Harness) -> None:
    said = {
        "title": "Deploy day",
        "content": "We deploy on Tuesdays.\n\tNever on Fridays.",
        "tier": "long",
        "namespace": "acme/ops",
        "tags": ["deploy", "rules"],
        "priority": 8,
        "confidence": 0.75,
        "source": "claude",
        "metadata": {"n": 12345678901234567890, "deep": {"a": [1, None, True]}},
        "agent_id": "ai:claude@laptop:pid-7",
        "scope": "team",
        "session": "thread-42",
        "happened_at": "2026-01-02T03:04:05Z",
    }
    answer = node.call("Store", **said)
    memory = node.memory(answer["id"])
    assert {name: memory[name] for name in said} == said
    assert answer["write"]["outcome"] == "committed"
    assert memory["write_id"] == answer["write"]["write_ids"][0]
    assert memory["order"] >= 1
    assert memory["life"] == "live"
    assert "expires_at" not in memory


def test_two_memories_with_the_same_content_are_both_kept(node: Harness) -> None:
    first = node.store("one", "exactly the same words")
    second = node.store("two", "exactly the same words")
    third = node.call("Store", title="two", content="exactly the same words", on_conflict="new")
    assert len({first, second, third["id"]}) == 3
    assert node.call("List")["count"] == 3


def test_storing_a_title_again_updates_that_memory_and_keeps_its_history(node: Harness) -> None:
    first = node.call("Store", title="port", content="the port is 80", tags=["net"], priority=7)
    again = node.call("Store", title="port", content="the port is 443", tags=["tls"])
    assert (again["id"], again["duplicate"]) == (first["id"], True)
    memory = node.memory(first["id"])
    assert memory["content"] == "the port is 443"
    assert memory["tags"] == ["net", "tls"]
    assert memory["priority"] == 7
    versions = node.call("History", id=first["id"])["versions"]
    bodies = [v["change"]["set"]["body"]["content"] for v in versions]
    assert bodies == ["the port is 443", "the port is 80"]


def test_a_taken_title_is_refused_when_the_caller_asks_for_it(node: Harness) -> None:
    first = node.store("port")
    failure = refused(node, "Store", title="port", content="x", on_conflict="error")
    assert failure.code == Code.CONFLICT
    assert failure.details["id"] == first
    assert node.memory(first)["content"] == "something worth keeping"


def test_the_same_title_in_another_namespace_is_another_memory(node: Harness) -> None:
    assert node.store("port", namespace="a") != node.store("port", namespace="b")


def test_a_retry_with_the_request_key_does_nothing_twice(node: Harness) -> None:
    key = {"options": {"request_key": "k-1"}}
    first = node.call("Store", title="once", content="only once", **key)
    node.call("Update", id=first["id"], content="changed since")
    again = node.call("Store", title="once", content="only once", **key)
    assert again["id"] == first["id"]
    assert again["write"]["replayed"] is True
    assert again["write"]["write_ids"] == first["write"]["write_ids"]
    assert node.memory(first["id"])["content"] == "changed since"


def test_a_request_key_used_for_another_request_is_refused(node: Harness) -> None:
    node.call("Store", title="once", content="a", options={"request_key": "k"})
    failure = refused(node, "Store", title="once", content="b", options={"request_key": "k"})
    assert (failure.code, failure.path) == (Code.CONFLICT, "$.options.request_key")


@pytest.mark.parametrize(
    ("tier", "seconds"), [("short", 6 * 3600), ("mid", 7 * 86400), ("long", None)]
)
def test_a_tier_gives_a_memory_its_span(node: Harness, tier: str, seconds: int | None) -> None:
    record_id = node.store("t", tier=tier)
    row = node.core.store.readers.submit(lambda v: v.memory(record_id), 1000).result()
    assert row.expires_us == (None if seconds is None else START_US + seconds * 1_000_000)


def test_an_expired_memory_is_gone_from_every_read_but_not_lost(node: Harness) -> None:
    record_id = node.store("milk", "buy milk", ttl_secs=60)
    node.clock.move(seconds=61)
    assert node.call("List")["count"] == 0
    assert node.call("Search", query="milk")["count"] == 0
    assert node.call("Recall", context="milk")["count"] == 0
    assert node.call("Gc", dry_run=True)["collected"] == 1
    assert node.call("Gc")["collected"] == 1
    [kept] = node.call("ArchiveList")["archived"]
    assert (kept["id"], kept["archive_reason"]) == (record_id, "ttl_expired")


def test_an_expiry_in_the_past_is_refused_with_its_path(node: Harness) -> None:
    failure = refused(node, "Store", title="t", content="c", expires_at="2001-01-01T00:00:00Z")
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.expires_at")


def test_update_changes_what_is_given_and_nothing_else(node: Harness) -> None:
    record_id = node.store("t", "c", tags=["a", "b"], priority=3, metadata={"k": 1})
    node.clock.move(seconds=5)
    answer = node.call("Update", id=record_id, content="new", tags=["c"], remove_tags=["a"])
    memory = answer["memory"]
    assert (memory["title"], memory["content"]) == ("t", "new")
    assert memory["tags"] == ["b", "c"]
    assert (memory["priority"], memory["metadata"]) == (3, {"k": 1})
    assert memory["updated_at"] > memory["created_at"]


def test_an_update_that_changes_nothing_appends_nothing(node: Harness) -> None:
    record_id = node.store("t", "c")
    answer = node.call("Update", id=record_id, content="c")
    assert answer["updated"] is False
    assert answer["write"]["write_ids"] == []


def test_update_can_lower_a_tier_and_clear_an_expiry(node: Harness) -> None:
    record_id = node.store("t", tier="long")
    assert node.call("Update", id=record_id, tier="short")["memory"]["expires_at"]
    assert "expires_at" not in node.call("Update", id=record_id, clear_expiry=True)["memory"]


def test_raising_the_tier_to_long_ends_the_expiry(node: Harness) -> None:
    record_id = node.store("t", tier="mid")
    assert "expires_at" not in node.call("Update", id=record_id, tier="long")["memory"]


def test_a_rename_onto_a_taken_title_is_refused(node: Harness) -> None:
    node.store("taken")
    record_id = node.store("free")
    failure = refused(node, "Update", id=record_id, title="taken")
    assert (failure.code, failure.path) == (Code.CONFLICT, "$.title")


def test_a_unique_prefix_names_a_memory_and_an_ambiguous_one_lists_what_it_could_be(
    node: Harness,
) -> None:
    ids = [node.store(f"t{n}") for n in range(40)]
    assert node.memory(ids[0][:20] + ids[0][20:36])["id"] == ids[0]
    shared = next(i[:1] for i in ids if sum(j.startswith(i[:1]) for j in ids) > 1)
    failure = refused(node, "Get", id=shared)
    assert failure.code == Code.AMBIGUOUS


def test_a_deleted_memory_is_gone_and_its_words_can_be_stored_again(node: Harness) -> None:
    record_id = node.store("secret plan", "the plan")
    assert node.call("Delete", id=record_id)["deleted"] is True
    assert refused(node, "Get", id=record_id).code == Code.NOT_FOUND
    assert node.call("Search", query="plan")["count"] == 0
    again = node.call("Store", title="secret plan", content="the plan")
    assert again["id"] != record_id
    assert again["duplicate"] is False


def test_pages_show_every_memory_once_while_others_are_stored(node: Harness) -> None:
    wanted = {node.store(f"t{n}", priority=1 + n % 10) for n in range(25)}
    seen: list[str] = []
    cursor = None
    while True:
        page = node.call("List", limit=7, **({"cursor": cursor} if cursor else {}))
        seen += [memory["id"] for memory in page["memories"]]
        node.store(f"new {len(seen)}", priority=10)
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert wanted <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_list_is_ordered_by_importance_and_then_by_change(node: Harness) -> None:
    low = node.store("low", priority=1)
    node.clock.move(seconds=1)
    old = node.store("old", priority=9)
    node.clock.move(seconds=1)
    new = node.store("new", priority=9)
    assert [m["id"] for m in node.call("List")["memories"]] == [new, old, low]


def test_list_filters_by_namespace_subtree_tag_agent_session_and_time(node: Harness) -> None:
    a = node.store("a", namespace="x/y", tags=["t", "u"], agent_id="ann", session="s1")
    node.clock.move(seconds=10)
    b = node.store("b", namespace="x", tags=["t"], agent_id="bob")

    def ids(**fields) -> set[str]:
        return {m["id"] for m in node.call("List", **fields)["memories"]}

    assert ids(namespace="x") == {b}
    assert ids(namespace="x/*") == {a, b}
    assert ids(tags=["t", "u"]) == {a}
    assert ids(agent_id="bob") == {b}
    assert ids(session="s1") == {a}
    assert ids(since="2026-05-28T20:26:45Z") == {b}


def test_a_cursor_of_another_operation_is_refused(node: Harness) -> None:
    for n in range(3):
        node.store(f"t{n}")
    cursor = node.call("List", limit=1)["next_cursor"]
    assert refused(node, "ArchiveList", cursor=cursor).path == "$.cursor"
    assert refused(node, "List", cursor="nonsense").path == "$.cursor"


def test_bulk_store_keeps_all_or_nothing(node: Harness) -> None:
    good = [{"title": f"t{n}", "content": "c"} for n in range(10)]
    answer = node.call("BulkStore", memories=good)
    assert (answer["created"], answer["updated"], len(answer["ids"])) == (10, 0, 10)
    bad = [
        {"title": "fresh", "content": "c"},
        {"title": "t3", "content": "c", "on_conflict": "error"},
    ]
    failure = refused(node, "BulkStore", memories=bad)
    assert failure.path == "$.memories[1].title"
    assert node.call("List")["count"] == 10


def test_promote_keeps_for_ever(node: Harness) -> None:
    record_id = node.store("t", tier="short")
    assert node.call("Promote", id=record_id)["mode"] == "tier"
    memory = node.memory(record_id)
    assert memory["tier"] == "long"
    assert "expires_at" not in memory


def test_promoting_upwards_copies_and_says_where_the_copy_comes_from(node: Harness) -> None:
    record_id = node.store("t", "c", namespace="a/b/c", tags=["x"], tier="long")
    answer = node.call("Promote", id=record_id, to_namespace="a")
    assert answer["mode"] == "vertical"
    clone = node.call("Get", id=answer["clone_id"])
    assert clone["memory"]["namespace"] == "a"
    assert clone["memory"]["tags"] == ["x"]
    assert [(link["relation"], link["target_id"]) for link in clone["links"]] == [
        ("derived_from", record_id)
    ]
    assert refused(node, "Promote", id=record_id, to_namespace="b").path == "$.to_namespace"


def test_similar_titles_are_named_and_never_refused(node: Harness) -> None:
    first = node.store("database port")
    answer = node.call("Store", title="database host", content="c")
    assert answer["potential_contradictions"] == [first]


def test_a_claimed_agent_is_kept_and_a_reserved_one_refused(node: Harness) -> None:
    record_id = node.store("t", agent_id="ai:cursor@box:pid-1")
    memory = node.memory(record_id)
    assert memory["agent_id"] == "ai:cursor@box:pid-1"
    assert memory["author"].startswith("user:")
    failure = refused(node, "Store", title="x", content="c", agent_id="system")
    assert (failure.code, failure.path) == (Code.PERMISSION_DENIED, "$.agent_id")


def test_an_id_that_is_gone_is_never_the_beginning_of_another(node: Harness) -> None:
    records = [{"id": name, "title": name, "content": "c"} for name in ("1", "10", "2", "20")]
    node.call("Import", memories=records)
    for gone in ("1", "2"):
        node.call("Delete", id=gone)
    node.call("ArchivePurge")
    node.call("Delete", id="10")
    for gone in ("1", "2", "10"):
        with pytest.raises(Failure) as caught:
            node.call("Delete", id=gone)
        assert caught.value.code == Code.NOT_FOUND, gone
    assert node.memory("20")["life"] == "live"


@pytest.mark.parametrize(
    ("operation", "fields"),
    [("Update", {"clear_expiry": True}), ("Update", {"content": "new"}), ("Promote", {})],
)
def test_a_memory_whose_life_is_over_does_not_take_its_title_back(
    node: Harness, operation: str, fields: dict[str, Any]
) -> None:
    ended = node.store("t", "one", ttl_secs=10)
    node.clock.move(seconds=11)
    now = node.store("t", "two")
    with pytest.raises(Failure) as caught:
        node.call(operation, id=ended, **fields)
    assert (caught.value.code, caught.value.details["id"]) == (Code.CONFLICT, now)
    assert [m["id"] for m in node.call("List")["memories"]] == [now]


def test_a_memory_whose_life_is_over_can_be_given_a_longer_one(node: Harness) -> None:
    ended = node.store("t", "one", ttl_secs=10)
    node.clock.move(seconds=11)
    node.call("Update", id=ended, clear_expiry=True)
    assert [m["id"] for m in node.call("List")["memories"]] == [ended]


def test_raising_a_tier_never_shortens_a_life(node: Harness) -> None:
    record_id = node.store("t", tier="short", ttl_secs=31_536_000)
    ends = node.memory(record_id)["expires_at"]
    node.call("Update", id=record_id, tier="mid")
    assert node.memory(record_id)["expires_at"] == ends


def test_naming_the_session_it_has_already_appends_nothing(node: Harness) -> None:
    record_id = node.store("t", session="s")
    assert node.call("Update", id=record_id, session="s")["updated"] is False
    assert node.call("Update", id=record_id, session="s2")["updated"] is True


def test_a_request_key_inside_a_bulk_store_is_refused_and_not_ignored(node: Harness) -> None:
    one = {"title": "t", "content": "c", "options": {"request_key": "k"}}
    with pytest.raises(Failure) as caught:
        node.call("BulkStore", memories=[one])
    assert caught.value.path == "$.memories[0].options.request_key"


def test_a_retry_whose_answer_went_with_an_erasure_undoes_nothing(node: Harness) -> None:
    request = {
        "memories": [
            {"title": title, "content": "first", "on_conflict": "new"} for title in ("a", "b")
        ],
        "options": {"request_key": "k"},
    }
    kept, erased = node.call("BulkStore", **request)["ids"]
    node.call("Update", id=kept, content="second")
    node.call("Delete", id=erased)
    node.call("ArchivePurge")
    with pytest.raises(Failure) as caught:
        node.call("BulkStore", **request)
    assert (caught.value.code, caught.value.definite) == (Code.CONFLICT, True)
    assert node.memory(kept)["content"] == "second"


def test_a_page_of_large_memories_ends_early_and_leaves_none_out(node: Harness) -> None:
    memories = [{"title": f"t{n}", "content": f"é{n}" + "é" * 32_000} for n in range(40)]
    node.call("BulkStore", memories=memories)
    seen: list[str] = []
    cursor = ""
    while True:
        page = node.call("List", limit=1000, cursor=cursor)
        assert len(codec.dumps(page).encode()) < 4 << 20
        seen += [memory["title"] for memory in page["memories"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert sorted(seen) == sorted(memory["title"] for memory in memories)


def test_no_namespace_is_called_like_the_star_that_means_everything_below(node: Harness) -> None:
    for name in ("*", "a/*", "a/*/b"):
        with pytest.raises(Failure) as caught:
            node.store("t", namespace=name)
        assert caught.value.path == "$.namespace"
    assert node.store("t", namespace="a/b*")
