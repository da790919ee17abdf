"""Forgetting, archiving and bringing back."""

import pytest

from aimem_node.contract.errors import Code, Failure
from tests.harness import Harness


def test_archive_and_restore_lose_no_field(node: Harness) -> None:
    record_id = node.store(
        "t", "c", tags=["x"], metadata={"k": [1]}, tier="long", scope="team", agent_id="ann",
        session="s", happened_at="2020-01-01T00:00:00Z", priority=9,
    )  # fmt: skip
    other = node.store("o")
    node.call("Link", source_id=record_id, target_id=other)
    before = node.call("Get", id=record_id)
    answer = node.call("Archive", ids=[record_id, "nobody"], reason="tidy")
    assert (answer["archived"], answer["missing"]) == ([record_id], ["nobody"])
    assert node.call("Search", query="c")["count"] == 0
    assert node.call("ArchiveStats")["archived_total"] == 1
    [kept] = node.call("ArchiveList")["archived"]
    assert kept["archive_reason"] == "tidy"
    node.call("ArchiveRestore", id=record_id)
    after = node.call("Get", id=record_id)
    for shown in (before, after):
        shown["memory"].pop("updated_at")
    assert after == before
    assert node.call("Search", query="c")["count"] == 1


def test_a_title_that_was_taken_meanwhile_blocks_a_restore(node: Harness) -> None:
    record_id = node.store("t")
    node.call("Archive", ids=[record_id])
    node.store("t")
    with pytest.raises(Failure) as caught:
        node.call("ArchiveRestore", id=record_id)
    assert caught.value.code == Code.CONFLICT


def test_forget_needs_a_filter_and_counts_before_it_acts(node: Harness) -> None:
    for n in range(3):
        node.store(f"apple {n}", namespace="fruit")
    keep = node.store("pear", namespace="fruit")
    with pytest.raises(Failure) as caught:
        node.call("Forget")
    assert caught.value.code == Code.INVALID_ARGUMENT
    answer = node.call("Forget", pattern="apple", dry_run=True)
    assert answer["would_delete"] == 3
    assert node.call("List")["count"] == 4
    answer = node.call("Forget", pattern="apple", namespace="fruit")
    assert (answer["deleted"], answer["archived"]) == (3, True)
    assert [m["id"] for m in node.call("List")["memories"]] == [keep]


def test_erasing_removes_the_text_from_every_file(node: Harness) -> None:
    record_id = node.store("xylophone-title", "canary-quetzalcoatl", tags=["canarytag"],
                           metadata={"m": "canarymeta"}, session="canarysession",
                           options={"request_key": "rk"})  # fmt: skip
    node.call("Update", id=record_id, content="canary-second")
    node.store("stays", "harmless")
    assert node.call("Forget", pattern="canary", erase=True)["deleted"] == 1
    for file in node.data_dir.rglob("*"):
        if file.is_file():
            held = file.read_bytes()
            for canary in (b"quetzalcoatl", b"xylophone", b"canary"):
                assert canary not in held, (file.name, canary)
    history = node.call("History", id=record_id)["versions"]
    assert history[0]["kind"] == "purge"
    assert all(version["change"] == {"erased": True} for version in history[1:])
    assert node.call("Verify", deep=True)["problems"] == []


def test_an_erased_record_cannot_be_brought_back(node: Harness) -> None:
    record_id = node.store("t")
    exported = node.stream("Export")
    node.call("Forget", pattern="t", namespace="global", erase=True)
    memories = [line["memory"] for line in exported if "memory" in line]
    with pytest.raises(Failure) as caught:
        node.call("Import", memories=memories)
    assert caught.value.code == Code.CONFLICT
    with pytest.raises(Failure):
        node.call("ArchiveRestore", id=record_id)


def test_purge_erases_what_has_been_gone_for_long_enough(node: Harness) -> None:
    old = node.store("old")
    node.call("Delete", id=old)
    node.clock.move(days=10)
    node.call("Archive", ids=[node.store("new")])
    assert node.call("ArchivePurge", older_than_days=5, dry_run=True)["purged"] == 1
    assert node.call("ArchivePurge", older_than_days=5)["purged"] == 1
    assert node.call("ArchiveStats")["archived_total"] == 1
    assert node.call("ArchivePurge")["purged"] == 1


def test_an_id_that_is_named_twice_or_already_archived_is_moved_once(node: Harness) -> None:
    record_id, other = node.store("t"), node.store("u")
    node.call("Archive", ids=[other])
    answer = node.call("Archive", ids=[record_id, record_id, other])
    assert (answer["archived"], answer["missing"]) == ([record_id], [other])


def test_what_is_live_needs_no_restoring(node: Harness) -> None:
    with pytest.raises(Failure) as caught:
        node.call("ArchiveRestore", id=node.store("t"))
    assert caught.value.code == Code.CONFLICT


def test_a_retry_of_a_store_whose_memory_was_erased_does_not_claim_to_have_kept_it(
    node: Harness,
) -> None:
    fields = {"title": "t", "content": "xylophone"}
    node.call("Store", **fields, options={"request_key": "k"})
    node.call("Forget", pattern="xylophone", erase=True)
    with pytest.raises(Failure) as caught:
        node.call("Store", **fields, options={"request_key": "k"})
    assert (caught.value.code, caught.value.definite) == (Code.CONFLICT, True)
    again = node.call("Store", **fields, options={"request_key": "k2"})
    assert node.memory(again["id"])["content"] == "xylophone"


def test_erasing_also_reaches_an_answer_that_changed_nothing_but_was_kept(node: Harness) -> None:
    record_id = node.store("t", "canaryzebra")
    node.call("Update", id=record_id, content="canaryzebra", options={"request_key": "k"})
    node.call("Forget", pattern="canaryzebra", erase=True)
    files = [path for path in node.data_dir.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if b"canaryzebra" in path.read_bytes()] == []


def test_what_has_expired_can_be_restored_before_it_was_collected(node: Harness) -> None:
    record_id = node.store("t", ttl_secs=5)
    node.clock.move(seconds=6)
    node.call("ArchiveRestore", id=record_id)
    [memory] = node.call("List")["memories"]
    assert (memory["id"], memory.get("expires_at")) == (record_id, None)


def test_an_empty_reason_is_the_one_of_no_reason(node: Harness) -> None:
    record_id = node.store("t")
    assert node.call("Archive", ids=[record_id], reason="")["reason"] == "archive"
    memories = [r["memory"] for r in node.stream("Export") if "memory" in r]
    assert node.call("Import", memories=memories)["unchanged"] == 1
