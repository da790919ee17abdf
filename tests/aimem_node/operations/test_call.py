"""What an operation is given: ids for new records that a retry makes again."""

import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.call import WriteCall
from tests.harness import Harness, SeededChance


def call(request_key: str, author: str = "user:ann") -> WriteCall:
    """As much of a call as the drawing of ids looks at."""
    none: Any = None
    tx: Any = SimpleNamespace(request_key=request_key)
    view: Any = SimpleNamespace(state=lambda _record_id: None)
    return WriteCall(
        author=author, now_us=0, view=view, chance=SeededChance(), touches=none, node=none,
        says=none, agent_pattern="*", operator=False, pending=none, find_member=none,
        operation="Store", place="", desk=none, book=none, embedding=none, tx=tx,
    )  # fmt: skip


def test_the_same_request_key_names_the_same_new_records() -> None:
    assert [call("k").new_id(n) for n in range(3)] == [call("k").new_id(n) for n in range(3)]
    assert uuid.UUID(call("k").new_id()).version == 5


def test_another_key_caller_or_place_in_the_request_names_another_record() -> None:
    made = {call("k").new_id(), call("k").new_id(1), call("K").new_id(), call("k", "x").new_id()}
    assert len(made) == 4


def test_without_a_key_every_id_is_drawn() -> None:
    one = call("")
    assert one.new_id() != one.new_id()


def test_a_lost_answer_asked_again_of_a_copy_of_the_node_names_the_same_record(
    tmp_path: Any,
) -> None:
    """What a retry on another node will rest on: the id comes from the key, not from the node."""
    fields = {"title": "t", "content": "c", "options": {"request_key": "k"}}
    ids = []
    for seed in (1, 2):
        node = Harness(tmp_path / str(seed), seed=seed)
        try:
            ids.append(node.call("Store", **fields)["id"])
        finally:
            node.stop()
    assert ids[0] == ids[1]


def test_the_agent_that_speaks_is_the_claim_then_the_hint_then_the_caller(node: Harness) -> None:
    from dataclasses import replace

    hinted = replace(node.me, agent_hint="ai:hinted@host:pid-1")
    said = [
        node.call("Store", hinted, title="a", content="c", agent_id="ai:claimed")["agent_id"],
        node.call("Store", hinted, title="b", content="c")["agent_id"],
        node.call("Store", title="c", content="c")["agent_id"],
    ]
    assert said[:2] == ["ai:claimed", "ai:hinted@host:pid-1"]
    assert said[2].startswith("user:")
    with pytest.raises(Failure) as caught:
        node.call("Delete", id="x", agent_id="system")
    assert (caught.value.code, caught.value.path) == (Code.PERMISSION_DENIED, "$.agent_id")
