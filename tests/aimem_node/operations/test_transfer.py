"""Export and import: nothing is lost, and the same content is the same bytes."""

from pathlib import Path

import pytest

from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
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
        filled(a)
        exported = a.stream("Export")
        memories = [r["memory"] for r in exported if "memory" in r]
        links = [r["link"] for r in exported if "link" in r]
        assert exported[-1]["trailer"] | {"sha256": ""} == {"memories": 5, "links": 1, "sha256": ""}
        answer = b.call("Import", memories=memories, links=links, trust_source=True)
        assert (answer["imported"], answer["links"], answer["restamped"]) == (5, 1, 0)
        assert lines(b)[1:] == lines(a)[1:]
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


def test_one_bad_record_keeps_the_whole_batch_out(node: Harness) -> None:
    records = [
        {"id": "m-1", "title": "t", "content": "c"},
        {"id": "m-2", "title": " ", "content": "c"},
    ]
    with pytest.raises(Failure) as caught:
        node.call("Import", memories=records)
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
