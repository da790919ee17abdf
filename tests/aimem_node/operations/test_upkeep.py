"""Counts, capabilities, events, namespaces: statements that must be true."""

from tests.harness import Harness


def test_stats_count_what_is_there(node: Harness) -> None:
    a = node.store("a", tier="long", namespace="x")
    b = node.store("b", tier="short", namespace="x", ttl_secs=600)
    node.store("c", namespace="y")
    node.call("Link", source_id=a, target_id=b)
    node.call("Archive", ids=[node.store("d")])
    stats = node.call("Stats")
    assert stats["total"] == 3
    assert {t["tier"]: t["count"] for t in stats["by_tier"]} == {"short": 1, "mid": 1, "long": 1}
    assert {n["namespace"]: n["count"] for n in stats["by_namespace"]} == {"x": 2, "y": 1}
    assert (stats["links_count"], stats["archived"], stats["expiring_soon"]) == (1, 1, 1)
    assert stats["ops"] == 6
    assert stats["db_size_bytes"] > 0


def test_the_taxonomy_rolls_counts_up_past_the_depth_that_is_shown(node: Harness) -> None:
    for place in ("a", "a/b", "a/b/c", "a/b/c/d", "ab", "a_b"):
        node.store("t", namespace=place)
    tree = node.call("GetTaxonomy", namespace_prefix="a/", depth=1)["tree"]
    assert (tree["namespace"], tree["count"], tree["subtree_count"]) == ("a", 1, 4)
    [child] = tree["children"]
    assert (child["namespace"], child["count"], child["subtree_count"]) == ("a/b", 1, 3)
    assert child["children"] == []
    whole = node.call("GetTaxonomy")
    assert whole["total_count"] == 6
    assert [c["name"] for c in whole["tree"]["children"]] == ["a", "a_b", "ab"]


def test_the_namespaces_are_those_with_live_memories(node: Harness) -> None:
    node.store("t", namespace="here")
    node.call("Delete", id=node.store("u", namespace="gone"))
    assert node.call("Namespaces")["namespaces"] == [{"namespace": "here", "count": 1}]


def test_capabilities_name_every_operation_and_the_node(node: Harness) -> None:
    answer = node.call("Capabilities")
    assert "Store" in answer["operations"]
    assert answer["node_id"] == node.core.replica.identity.node_id
    assert (answer["tier"], answer["nodes"], answer["write_quorum"]) == ("keyword", 1, 1)


def test_without_a_model_the_node_says_that_it_finds_words_only(node: Harness) -> None:
    node.store("t")
    for operation in ("Stats", "Capabilities"):
        embedding = node.call(operation)["embedding"]
        assert (embedding["state"], embedding["vectors"], embedding["backlog"]) == ("off", 0, 0)
        assert embedding["why"]
    assert "semantic_search" not in node.call("Capabilities")["features"]


def test_events_follow_the_log_and_go_on_after_a_token(node: Harness) -> None:
    record_id = node.store("a", namespace="x")
    node.call("Update", id=record_id, content="b")
    other = node.store("o", namespace="y")
    node.call("Link", source_id=record_id, target_id=other)
    node.call("Delete", id=record_id)
    events = node.stream("Events", after="start", limit=5)
    assert [event["event"] for event in events] == [
        "memory_stored", "memory_updated", "memory_stored", "link_added", "memory_deleted",
    ]  # fmt: skip
    rest = node.stream("Events", after=events[2]["token"], limit=2)
    assert rest == events[3:]
    assert [e["id"] for e in node.stream("Events", after="start", namespace="y", limit=1)] == [
        other
    ]


def test_a_follower_that_waits_is_woken_by_the_next_write(node: Harness) -> None:
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(node.stream, "Events", after="start", limit=1)
        record_id = node.store("a")
        [event] = waiting.result(10)
    assert event["id"] == record_id


def test_the_state_of_the_node_names_its_log_and_digest(node: Harness) -> None:
    before = node.call("NodeStatus")
    node.store("a")
    after = node.call("NodeStatus")
    assert after["state"] == "serving"
    assert after["origins"][0]["have"] == 1
    assert after["digest"] != before["digest"]
    assert node.call("Verify", deep=True)["ok"] is True


def test_what_has_expired_is_archived_with_its_reason_and_only_once(node: Harness) -> None:
    gone, kept = node.store("gone", ttl_secs=5), node.store("kept", ttl_secs=500)
    node.clock.move(seconds=6)
    assert node.call("Gc", dry_run=True)["collected"] == 1
    assert node.memory(gone)["life"] == "live"
    assert node.call("Gc")["collected"] == 1
    assert node.call("Gc")["collected"] == 0
    assert node.memory(gone)["archive_reason"] == "ttl_expired"
    assert node.memory(kept)["life"] == "live"


def test_a_node_whose_disk_failed_says_so_and_why(node: Harness) -> None:
    writer = node.core.store.writer
    writer._failed = "the disk is on fire"
    assert (node.call("Health")["status"], node.call("NodeStatus")["state"]) == ("failed", "failed")
    assert node.call("Health")["reason"] == "the disk is on fire"
    writer._failed = None
    assert node.call("Health")["status"] == "ok"
