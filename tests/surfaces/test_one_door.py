"""One door: only the node opens the store, and every change of every kind is an op in its log."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.operations import OPERATIONS, Effect
from tests.every_write import writes
from tests.harness import Harness
from tests.surfaces.ways import Cli, Mcp, Running

GUARD = """
import sys

def guard(event, details):
    if event == "open" and "aimem.db" in str(details[0]):
        raise PermissionError("a client opened the store")
    if event == "import" and details[0] in {"apsw", "sqlite3"}:
        raise PermissionError("a client imported a database")

sys.addaudithook(guard)
"""


@pytest.fixture
def guarded(running: Running, tmp_path: Path) -> Any:
    """The running node, with an environment in which no client process can open a database."""
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    kept = running.env
    running.env = {**kept, "PYTHONPATH": str(tmp_path)}
    yield running
    running.env = kept


@pytest.mark.parametrize("way", [Cli, Mcp], ids=["cli", "mcp"])
def test_every_way_in_works_with_the_database_unreadable_to_it(
    guarded: Running, place: str, way: Any
) -> None:
    opened = way(guarded)
    record_id = opened.call("Store", title="t", content="c", namespace=place)["id"]
    assert opened.call("Get", id=record_id)["memory"]["content"] == "c"
    assert opened.call("Delete", id=record_id)["deleted"] is True
    opened.close()


def test_the_guard_of_that_test_does_catch_a_client_that_opens_the_store(
    guarded: Running,
) -> None:
    import sys

    code = f"open({str(guarded.data_dir / 'aimem.db')!r}, 'rb')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=guarded.env, capture_output=True, text=True, check=False
    )
    assert "a client opened the store" in done.stderr


def test_every_writing_operation_appends_an_op(node: Harness) -> None:
    requests = writes(node)
    declared = {name for name, one in OPERATIONS.items() if one.effect == Effect.WRITE}
    assert declared == set(requests), "a new writing operation needs a request here"
    for name, fields in requests.items():
        before = node.call("Stats")["ops"]
        write = node.call(name, **fields)["write"]
        assert write["outcome"] == "committed", name
        assert node.call("Stats")["ops"] - before == len(write["write_ids"]) >= 1, name


MOVES_MEMBERS = frozenset(
    {"Invite", "Join", "Approve", "PromoteMember", "Evict", "Leave", "RotateKey", "ForceEpoch"}
)
"""They concern the list of members and no memory; tests/cluster sees what they do and write."""


def test_no_reading_operation_appends_an_op(node: Harness) -> None:
    stored = node.call("Store", title="a", content="apples")
    record_id = stored["id"]
    needs = {"Get": {"id": record_id}, "GetLinks": {"id": record_id}, "History": {"id": record_id},
             "Recall": {"context": "apples"}, "Search": {"query": "apples"},
             "Backup": {"to": str(node.data_dir / "b")},
             "NamespaceGetStandard": {"namespace": "n"},
             "EntityGetByAlias": {"alias": "a"},
             "KgQuery": {"source_id": record_id},
             "KgTimeline": {"source_id": record_id},
             "CheckDuplicate": {"title": "a", "content": "apples"},
             "FindSimilar": {"id": record_id},
             "DetectContradiction": {"id_a": record_id, "id_b": node.store("b")},
             "ExpandQuery": {"query": "apples"},
             "PolicyExplain": {"action": "store", "namespace": "n"},
             "WaitDurable": {"write_id": stored["write"]["write_ids"][0]}}  # fmt: skip
    assert {OPERATIONS[name].effect for name in MOVES_MEMBERS} == {Effect.ADMIN}
    before = node.call("Stats")["ops"]
    for name, declared in OPERATIONS.items():
        reads = declared.effect != Effect.WRITE and name not in MOVES_MEMBERS
        if reads and not declared.streaming:
            assert json.dumps(node.call(name, **needs.get(name, {})))
    assert node.call("Stats")["ops"] == before
