"""The log as an audit trail: who did what, when, and the proof that nothing was changed since."""

from collections.abc import Callable
from typing import Any

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.rpc.access_edit import create_token
from tests.harness import Harness


def listed(node: Harness, **fields: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    records = node.stream("Audit", **fields)
    assert [sorted(one) for one in records[:-1]] == [["entry"]] * (len(records) - 1)
    return [one["entry"] for one in records[:-1]], records[-1]["verdict"]


@pytest.fixture
def busy(node: Harness) -> Harness:
    first = node.store("first", agent_id="ai:claude", namespace="acme/eng")
    node.clock.move(seconds=10)
    second = node.store("second", tags=["x"], namespace="acme/eng/api")
    node.call("Link", source_id=first, target_id=second)
    node.clock.move(seconds=10)
    node.call("Update", id=first, content="the secret plan", tags=["y"])
    node.call("Delete", id=second)
    return node


def test_every_write_is_listed_with_who_what_when_and_where(busy: Harness) -> None:
    entries, verdict = listed(busy)
    assert [(one["event"], one["namespace"]) for one in entries] == [
        ("memory_stored", "acme/eng"),
        ("memory_stored", "acme/eng/api"),
        ("link_added", "acme/eng"),
        ("memory_updated", "acme/eng"),
        ("memory_deleted", "acme/eng/api"),
    ]
    assert {one["author"] for one in entries} == {busy.run(_author(busy))}
    assert entries[0]["agent_id"] == "ai:claude"
    assert entries[0]["node_id"] == busy.core.facts.node_id
    assert entries[3]["changed"] == ["body", "life", "updated_at", "+y"]
    assert verdict["sound"] is True
    assert (verdict["ops"], verdict["listed"]) == (5, 5)


async def _author(node: Harness) -> str:
    return node.core.dispatcher.authenticator.authenticate(node.me).id


def test_no_text_of_a_memory_is_in_the_list(busy: Harness) -> None:
    assert "secret plan" not in str(busy.stream("Audit"))


@pytest.mark.parametrize(
    ("asked", "events"),
    [
        ({"author": "ai:claude"}, ["memory_stored"]),
        ({"event": "link_added"}, ["link_added"]),
        ({"namespace": "acme/eng/api"}, ["memory_stored", "memory_deleted"]),
        ({"namespace": "acme/*", "limit": 2}, ["memory_stored", "memory_stored"]),
        ({"after": "3"}, ["memory_updated", "memory_deleted"]),
        ({"since": "2026-05-28T20:26:55Z"}, ["memory_updated", "memory_deleted"]),
        ({"until": "2026-05-28T20:26:45Z"}, ["memory_stored"]),
    ],
)
def test_the_list_can_be_narrowed_and_the_proof_is_of_everything_all_the_same(
    busy: Harness, asked: dict[str, Any], events: list[str]
) -> None:
    entries, verdict = listed(busy, **asked)
    assert [one["event"] for one in entries] == events
    assert (verdict["sound"], verdict["ops"]) == (True, 5)


TAMPERED: dict[str, str] = {
    "the author": "UPDATE op SET author = 'user:mallory' WHERE pos = 2",
    "the body": "UPDATE op SET body = zeroblob(9) WHERE pos = 2",
    "the time": "UPDATE op SET wall_us = wall_us + 1 WHERE pos = 3",
    "one row less": "DELETE FROM op WHERE pos = 3",
    "the last row less": "DELETE FROM op WHERE pos = 5",
    "a signature": "UPDATE op SET sig = zeroblob(64) WHERE pos = 5",
}


@pytest.mark.parametrize("sql", TAMPERED.values(), ids=TAMPERED.keys())
def test_what_was_changed_in_the_file_is_found(busy: Harness, sql: str) -> None:
    _in_the_file(busy, lambda connection: connection.execute(sql))
    entries, verdict = listed(busy)
    assert verdict["sound"] is False
    assert verdict["problems"]
    assert len(entries) >= 4


def _in_the_file(node: Harness, change: Callable[[Any], Any]) -> None:
    node.run(node.core.store.writer.write(lambda session: change(session._connection)))


def test_whoever_asks_for_no_proof_gets_none(busy: Harness) -> None:
    _, verdict = listed(busy, verify=False)
    assert (verdict["verified"], verdict["sound"]) == (False, False)


def test_an_operator_who_stands_somewhere_is_not_told_of_everything(busy: Harness) -> None:
    bearer = create_token(str(busy.data_dir), "there", Role.ADMIN, place="acme")
    busy.clock.move(seconds=1)
    busy.me = Credentials(channel=Channel.LOOPBACK, bearer=bearer)
    with pytest.raises(Failure) as caught:
        listed(busy)
    assert caught.value.code is Code.PERMISSION_DENIED
