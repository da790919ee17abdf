"""Export and import: nothing is lost, and the same content is the same bytes."""

from pathlib import Path

import pytest

from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.operations import transfer
from tests.aimem_node.operations.test_agents import register
from tests.aimem_node.operations.test_sight_of import caller
from tests.harness import Harness


def filled(node: Harness) -> list[str]:
    ids = []
    for n in range(5):
        node.clock.move(seconds=1)
        ids.append(
            node.store(f"t{n}", f"content {n}", namespace="a/b", tags=[f"x{n}"], agent_id="ann",
                       metadata={"n": n}, session="s", tier=("long", "mid")[n % 2],
                       happened_at="2024-02-03T04:05:06.789Z", scope="team", priority=n + 1)
        )  # fmt: skip
    node.call("Link", source_id=ids[0], target_id=ids[1], relation="supersedes", agent_id="bob")
    node.call("Archive", ids=[ids[4]], reason="old")
    node.call("Recall", context="content")
    node.flush()
    return ids


def lines(node: Harness) -> list[str]:
    return [codec.dumps(record) for record in node.stream("Export")]


def test_what_one_node_exports_another_imports_and_exports_alike(tmp_path: Path) -> None:
    a, b = Harness(tmp_path / "a", 1), Harness(tmp_path / "b", 2)
    try:
        ids = filled(a)
        exported = a.stream("Export")
        memories = [r["memory"] for r in exported if "memory" in r]
        links = [r["link"] for r in exported if "link" in r]
        assert exported[-1]["trailer"] | {"sha256": ""} == {"memories": 5, "links": 1, "sha256": ""}
        answer = b.call("Import", memories=memories, links=links, trust_source=True)
        assert (answer["imported"], answer["links"], answer["restamped"]) == (5, 1, 0)
        assert lines(b)[1:] == lines(a)[1:]
        for record_id in ids:
            original, copy = a.call("Get", id=record_id), b.call("Get", id=record_id)
            for memory in (original["memory"], copy["memory"]):
                del memory["order"], memory["write_id"]  # these are of each node's own log
            for link in (*original["links"], *copy["links"]):
                del link["observed_at"]  # each node learned it when it did
            assert copy == original
        again = b.call("Import", memories=memories, links=links, trust_source=True)
        assert (again["unchanged"], again["imported"], again["links"]) == (5, 0, 0)
        assert again["write"]["write_ids"] == []
    finally:
        a.stop()
        b.stop()


def test_an_import_is_stamped_with_the_importer_and_keeps_the_original_as_a_claim(
    node: Harness,
) -> None:
    record = {"id": "m-1", "title": "t", "content": "c", "agent_id": "ai:someone"}
    answer = node.call("Import", memories=[record], agent_id="me")
    assert (answer["imported"], answer["restamped"]) == (1, 1)
    memory = node.memory("m-1")
    assert memory["agent_id"] == "me"
    assert memory["metadata"] == {"imported_from_agent_id": "ai:someone"}


def test_a_forged_reserved_author_is_refused_even_when_the_source_is_trusted(node: Harness) -> None:
    record = {"id": "m-1", "title": "t", "content": "c", "agent_id": "node:0123"}
    with pytest.raises(Failure) as caught:
        node.call("Import", memories=[record], trust_source=True)
    assert (caught.value.code, caught.value.path) == (
        Code.PERMISSION_DENIED, "$.memories[0].agent_id",
    )  # fmt: skip


@pytest.mark.parametrize("wrong", [{"title": " "}, {"agent_id": "node:0123"}, {"id": ""}])
def test_one_bad_record_keeps_the_whole_batch_out(node: Harness, wrong: dict[str, str]) -> None:
    records = [
        {"id": "m-1", "title": "t", "content": "c"},
        {"id": "m-2", "title": "u", "content": "c", **wrong},
    ]
    with pytest.raises(Failure) as caught:
        node.call("Import", memories=records, trust_source=True)
    assert caught.value.path.startswith("$.memories[1]")
    assert node.call("List")["count"] == 0


def test_an_export_of_a_namespace_leaves_the_others_out(node: Harness) -> None:
    filled(node)
    node.store("elsewhere", namespace="z")
    records = node.stream("Export", namespace="a/*")
    assert records[-1]["trailer"]["memories"] == 5


def test_links_without_ids_are_all_kept_also_under_a_request_key(node: Harness) -> None:
    a, b, c = (node.store(name) for name in "abc")
    links = [{"source_id": a, "target_id": end, "relation": "related_to"} for end in (b, c)]
    fields = {"links": links, "options": {"request_key": "k"}}
    assert node.call("Import", **fields)["links"] == 2
    assert node.call("Import", **fields)["write"]["replayed"] is True
    assert {link["target_id"] for link in node.call("Get", id=a)["links"]} == {b, c}


def test_an_import_of_what_is_there_already_appends_nothing(node: Harness) -> None:
    a, b = node.store("a", tags=["x"], metadata={"k": 1}), node.store("b")
    node.call("Link", source_id=a, target_id=b)
    lines = node.stream("Export")
    memories = [line["memory"] for line in lines if "memory" in line]
    links = [line["link"] for line in lines if "link" in line]
    ops = node.call("Stats")["ops"]
    answer = node.call("Import", memories=memories, links=links, trust_source=True)
    assert (answer["unchanged"], answer["imported"], answer["links"]) == (2, 0, 0)
    assert node.call("Stats")["ops"] == ops


def test_an_import_of_its_own_export_makes_nobody_else_the_author(node: Harness) -> None:
    record_id = node.store("t", agent_id="ai:claude")
    exported = [r["memory"] for r in node.stream("Export") if "memory" in r]
    answer = node.call("Import", memories=exported, agent_id="me")
    assert (answer["unchanged"], answer["write"]["write_ids"]) == (1, [])
    answer = node.call("Import", memories=[exported[0] | {"agent_id": "ai:other"}], agent_id="me")
    memory = node.memory(record_id)
    assert (answer["restamped"], memory["agent_id"]) == (1, "ai:claude")
    assert memory["metadata"] == {"imported_from_agent_id": "ai:other"}


def test_an_import_never_turns_a_record_into_one_of_another_kind(node: Harness) -> None:
    a, b = node.store("a", "content of a"), node.store("b")
    link = node.call("Link", source_id=a, target_id=b)["id"]
    with pytest.raises(Failure) as caught:
        node.call("Import", links=[{"id": a, "source_id": a, "target_id": b}])
    assert (caught.value.code, caught.value.path) == (Code.CONFLICT, "$.links[0].id")
    with pytest.raises(Failure) as caught:
        node.call("Import", memories=[{"id": link, "title": "t", "content": "c"}])
    assert (caught.value.code, caught.value.path) == (Code.CONFLICT, "$.memories[0].id")
    assert node.memory(a)["content"] == "content of a"
    assert node.call("GetLinks", id=a)["count"] == 1


@pytest.mark.parametrize(
    "time", ["1970-01-01T00:00:00Z", "1900-02-28T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"]
)
def test_any_time_that_a_record_gives_is_kept(node: Harness, time: str) -> None:
    names = ("created_at", "updated_at", "last_accessed_at", "happened_at", "archived_at")
    record = {"id": "m", "title": "t", "content": "c", "life": "archived"} | dict.fromkeys(
        names, time
    )
    node.call("Import", memories=[record, {"id": "n", "title": "n", "content": "c"}])
    assert {node.memory("m")[name] for name in names} == {time}
    link = {"id": "l", "source_id": "m", "target_id": "n", "created_at": time, "valid_from": time}
    node.call("Import", links=[link])
    [shown] = node.call("GetLinks", id="m")["links"]
    assert (shown["created_at"], shown["valid_from"]) == (time, time)


@pytest.mark.parametrize(
    ("change", "path"),
    [({"id": " m"}, "$.memories[0].id"), ({"life": "deleted"}, "$.memories[0].life")],
)
def test_a_record_that_could_not_be_found_again_is_refused(
    node: Harness, change: dict[str, str], path: str
) -> None:
    with pytest.raises(Failure) as caught:
        node.call("Import", memories=[{"id": "m", "title": "t", "content": "c"} | change])
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, path)


def test_the_order_in_which_records_came_leaves_no_trace_in_an_export(tmp_path: Path) -> None:
    a, b = Harness(tmp_path / "a", 1), Harness(tmp_path / "b", 2)
    try:
        a.call("BulkStore", memories=[{"title": f"t{n}", "content": "c"} for n in range(6)])
        exported = [r["memory"] for r in a.stream("Export") if "memory" in r]
        b.call("Import", memories=exported[::-1])
        assert lines(b)[1:] == lines(a)[1:]
    finally:
        a.stop()
        b.stop()


def test_a_memory_that_is_restored_while_it_is_exported_is_exported_once(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "EXPORT_PAGE", 1)
    ids = []
    for n in range(4):
        node.clock.move(seconds=1)
        ids.append(node.store(f"t{n}"))
    node.call("Archive", ids=[ids[1]])

    async def export() -> list[str]:
        request = codec.from_json(OPERATIONS["Export"].request, {})
        seen = []
        async for record in node.core.dispatcher.stream("Export", request, node.me):
            if record.memory is None:
                continue
            seen.append(record.memory.id)
            if record.memory.id == ids[2]:  # the other life's pages are behind or still to come
                await node.acall("ArchiveRestore", id=ids[1])
                await node.acall("Archive", ids=[ids[0]])
        return seen

    assert node.run(export()) == ids


def test_an_imported_link_says_what_its_record_says(node: Harness) -> None:
    a, b = node.store("a"), node.store("b")
    link = {"id": "l", "source_id": a, "target_id": b, "relation": "supersedes"}
    assert [node.call("Import", links=[link])["links"] for _ in range(2)] == [1, 0]
    assert node.call("Import", links=[link | {"relation": "contradicts"}])["links"] == 1
    [shown] = node.call("GetLinks", id=a)["links"]
    assert (shown["id"], shown["relation"]) == ("l", "contradicts")
    with pytest.raises(Failure) as caught:
        node.call("Import", links=[{"source_id": a, "target_id": a}])
    assert caught.value.path == "$.links[0].target_id"


def test_a_claim_that_does_not_fit_into_the_metadata_is_refused_with_its_path(
    node: Harness,
) -> None:
    record = {"id": "m", "title": "t", "content": "c", "metadata": {"k": "x" * 65_500}}
    with pytest.raises(Failure) as caught:
        node.call("Import", memories=[record | {"agent_id": "ai:someone"}])
    assert (caught.value.code, caught.value.path) == (
        Code.INVALID_ARGUMENT, "$.memories[0].metadata",
    )  # fmt: skip
    assert node.call("Import", memories=[record])["imported"] == 1


def test_a_link_that_leads_out_of_sight_is_not_taken_over_by_its_id(node: Harness) -> None:
    near, far = caller(node, "near", "acme"), caller(node, "far", "zeta")
    hidden = [node.store(name, namespace="zeta") for name in ("a", "b")]
    link_id = node.call("Link", source_id=hidden[0], target_id=hidden[1])["id"]
    mine = [
        node.call("Store", near, title=name, content="c", namespace="acme")["id"] for name in "cd"
    ]
    forged = {"id": link_id, "source_id": mine[0], "target_id": mine[1], "relation": "related_to"}
    for operation in ("Import", "SyncPush"):
        with pytest.raises(Failure) as caught:
            node.call(operation, near, links=[forged])
        assert (caught.value.code, caught.value.path) == (Code.CONFLICT, "$.links[0].id")
    assert [one["id"] for one in node.call("GetLinks", far, id=hidden[0])["links"]] == [link_id]


def test_nobody_is_made_to_have_observed_a_link_by_an_import(node: Harness) -> None:
    a, b = node.store("a"), node.store("b")
    register(node, None, "ai:trusted")
    other = caller(node, "other")
    forged = {"id": "l", "source_id": a, "target_id": b, "relation": "supersedes",
              "observed_by": "ai:trusted"}  # fmt: skip
    with pytest.raises(Failure) as caught:
        node.call("Import", other, links=[forged], trust_source=True)
    assert (caught.value.code, caught.value.path) == (
        Code.PERMISSION_DENIED, "$.links[0].observed_by",
    )  # fmt: skip
    node.call("SyncPush", other, links=[forged])
    [shown] = node.call("GetLinks", id=a)["links"]
    assert shown["observed_by"] == "token:other"
    [version] = node.call("History", id="l")["versions"]
    assert version["change"]["set"]["body"][transfer.IMPORTED_FROM] == "ai:trusted"
    assert node.call("KgQuery", source_id=a, allowed_agents=["ai:trusted"])["count"] == 0


def test_who_observed_a_link_stays_so_as_long_as_it_says_the_same(node: Harness) -> None:
    a, b = node.store("a"), node.store("b")
    register(node, None, "ai:one")
    link = node.call("Link", source_id=a, target_id=b, agent_id="ai:one")["id"]
    [shown] = node.call("GetLinks", id=a)["links"]
    ended = shown | {"valid_until": "2027-01-01T00:00:00Z"}
    for record, observer in ((ended, "ai:one"), (ended | {"relation": "contradicts"}, "user")):
        assert node.call("Import", links=[record])["links"] == 1
        [now] = node.call("GetLinks", id=a)["links"]
        assert (now["id"], now["observed_by"].startswith(observer)) == (link, True)
