"""What a change does, told from the change and what stands there."""

from typing import Any

import pytest

from aimem_node.operations.deeds import deeds_of
from aimem_sync.change import Change
from aimem_sync.op import Kind
from tests.harness import Harness

LIVE = {"is": "live"}


def deeds(node: Harness, change: Change, operation: str = "update") -> set[tuple[str, str]]:
    async def look() -> set[tuple[str, str]]:
        found = await node.core.dispatcher._read(
            lambda view: list(deeds_of(view, change, operation))
        )
        return {(deed.effect.value, deed.namespace) for deed in found}

    return node.run(look())


@pytest.mark.parametrize(
    ("said", "effects"),
    [
        ({"body": {}}, {"write"}),
        ({"updated_at": 1}, {"write"}),
        ({"tier": "long", "expires_at": None, "life": LIVE}, {"promote"}),
        ({"tier": "long", "body": {}}, {"promote", "write"}),
        ({"tier": "short", "expires_at": 1}, {"delete", "write"}),
        ({"expires_at": None}, {"write"}),
        ({"scope": "team"}, {"share"}),
        ({"scope": "private", "priority": 1}, {"write"}),
        ({"life": {"is": "archived"}}, {"delete"}),
        ({"life": {"is": "deleted"}, "body": {}}, {"delete"}),
    ],
)
def test_the_effects_of_a_change_to_a_memory(
    node: Harness, said: dict[str, Any], effects: set[str]
) -> None:
    record_id = node.store("t", namespace="a")
    found = deeds(node, Change(record_id, "memory", set=said))
    assert found == {(effect, "a") for effect in effects}


def test_a_move_is_shared_in_both_places_gone_from_one_and_new_in_the_other(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    said: dict[str, Any] = {"namespace": "b", "tier": "long"}
    both = {(effect, place) for effect in ("share", "promote") for place in "ab"}
    found = deeds(node, Change(record_id, "memory", set=said))
    assert found == both | {("delete", "a"), ("write", "b")}


def test_where_the_rules_of_the_old_place_still_hold_a_memory_is_not_gone(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    found = deeds(node, Change(record_id, "memory", set={"namespace": "a/b"}))
    assert found == {(effect, place) for effect in ("share", "write") for place in ("a", "a/b")}


def test_what_is_brought_back_is_written(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    node.call("Archive", ids=[record_id])
    assert deeds(node, Change(record_id, "memory", set={"life": LIVE})) == {("write", "a")}


def test_a_new_memory_that_others_see_is_shared_too(node: Harness) -> None:
    new: dict[str, Any] = {"namespace": "a", "scope": "org"}
    assert deeds(node, Change("m", "memory", set=new)) == {("write", "a"), ("share", "a")}
    assert deeds(node, Change("m", "memory", set={"namespace": "a"}), "promote") == {
        ("promote", "a")
    }


def test_other_kinds_of_records(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    for change, found in (
        (Change(record_id, "memory", kind=Kind.PURGE), {("purge", "a")}),
        (Change("policy:a/b", "policy", set={"secrets": "allow"}), {("govern", "a/b")}),
        (Change("policy:*", "policy"), {("govern", "")}),
        (Change("copies:a", "copies"), {("govern", "a")}),
        (Change("standard:a", "standard"), {("govern", "a"), ("write", "a")}),
        (Change("pending:x", "pending"), set()),
        (Change(f"entity:{record_id}", "entity"), {("write", "a")}),
        (Change("agent:ai:x", "agent"), {("write", "")}),
        (Change("step:1", "step", set={"namespace": "c"}), {("write", "c")}),
        (Change("subscription:1", "subscription", set={"said": {"namespace_filter": "d/*"}}),
         {("write", "d")}),
        (Change("dream:1", "dream"), {("write", "")}),
    ):  # fmt: skip
        assert deeds(node, change) == found, change
