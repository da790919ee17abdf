"""Rules, walked from the top down: what is shown is what is enforced."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.contract.values import Level
from aimem_node.operations.policy import (
    ACTIONS,
    EFFECT_OF,
    OPERATIONS,
    Effect,
    Nature,
    downwards,
    read_rule,
)
from aimem_sync.change import Change
from tests.every_write import somebody_else
from tests.harness import Harness

TREE = ("*", "a", "a/b", "a/b/c", "a/x")
RULES = st.builds(
    lambda action, level, delegated: {"action": action, "level": level, "delegated": delegated},
    st.sampled_from(["store", "delete", "promote", "write", "link", "*"]),
    st.sampled_from([level.value for level in Level]),
    st.booleans(),
)
POLICIES = st.dictionaries(
    st.sampled_from(TREE),
    st.lists(RULES, max_size=3, unique_by=lambda rule: rule["action"]),
    max_size=5,
)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Harness, Any]]:
    """A node with an operator and one who may only write."""
    path: Path = tmp_path_factory.mktemp("p")
    node = Harness(path / "node")
    yield node, somebody_else(node, "writer", Role.WRITER)
    node.stop()


def fate(node: Harness, who: Any, operation: str, **fields: Any) -> str:
    """What the gate makes of it, in the words of PolicyExplain."""
    try:
        write = node.call(operation, who, **fields)["write"]
    except Failure as failure:
        named = failure.details.get("rule") and failure.details.get("set_at")
        if failure.code is Code.PERMISSION_DENIED and named:
            return "deny"
        raise
    return "pending" if write["outcome"] == "awaiting_approval" else "allow"


def lay_down(node: Harness, policies: dict[str, Any]) -> None:
    for namespace in TREE:
        node.call("PolicyClear", namespace=namespace)
    for namespace, rules in policies.items():
        if rules:
            node.call("PolicySet", namespace=namespace, rules=rules)


@settings(max_examples=60, deadline=None)
@given(
    policies=POLICIES,
    place=st.sampled_from(TREE[1:]),
    action=st.sampled_from(["store", "delete", "promote"]),
    by_operator=st.booleans(),
    written_by_caller=st.booleans(),
)
def test_explain_says_what_the_gate_does_in_any_tree(
    company: tuple[Harness, Any],
    policies: dict[str, Any],
    place: str,
    action: str,
    by_operator: bool,
    written_by_caller: bool,
) -> None:
    node, writer = company
    who = None if by_operator else writer
    lay_down(node, {})
    fields: dict[str, Any] = {"title": "t", "content": "c", "namespace": place}
    owner = who if written_by_caller else (writer if by_operator else None)
    record_id = node.call("Store", owner, **fields, on_conflict="new")["id"]
    lay_down(node, policies)
    named = {"id": record_id} if action != "store" else {}
    told = node.call("PolicyExplain", who, action=action, namespace=place, **named)
    if action == "store":
        done = fate(node, who, "Store", **fields, on_conflict="new")
    else:
        done = fate(node, who, action.capitalize(), id=record_id)
    assert done == told["verdict"], told


def test_the_strictest_ancestor_wins_unless_it_delegates(node: Harness) -> None:
    node.call("PolicySet", namespace="a", rules=[{"action": "write", "level": "deny"}])
    node.call("PolicySet", namespace="a/b", rules=[{"action": "write", "level": "any"}])
    told = node.call("PolicyExplain", action="store", namespace="a/b/c")
    assert (told["verdict"], told["set_at"]) == ("deny", "a")
    assert [one["counts"] for one in told["rules"]] == [True, True]
    assert fate(node, None, "Store", title="t", content="c", namespace="a/b/c") == "deny"
    node.call("PolicySet", namespace="a", rules=[
        {"action": "write", "level": "deny", "delegated": True}
    ])  # fmt: skip
    told = node.call("PolicyExplain", action="store", namespace="a/b/c")
    assert (told["verdict"], told["set_at"]) == ("allow", "a/b")
    assert [one["counts"] for one in told["rules"]] == [False, True]
    assert fate(node, None, "Store", title="t", content="c", namespace="a/b/c") == "allow"
    assert fate(node, None, "Store", title="t", content="c", namespace="a/c") == "deny"


def test_the_rule_for_the_operation_goes_before_that_for_the_effect_and_both_before_the_star(
    node: Harness,
) -> None:
    rules = [{"action": "*", "level": "deny"}, {"action": "write", "level": "admin"}]
    node.call("PolicySet", namespace="a", rules=[*rules, {"action": "store", "level": "any"}])
    writer = somebody_else(node, "w", Role.WRITER)
    stored = node.call("Store", writer, title="t", content="c", namespace="a")["id"]
    assert fate(node, writer, "Update", id=stored, content="d") == "deny"
    assert fate(node, None, "Update", id=stored, content="d") == "allow"
    assert fate(node, None, "Promote", id=stored) == "deny"


@pytest.mark.parametrize("spelled", ["archive-purge", "archive_purge"])
def test_an_operation_may_be_spelled_either_way(node: Harness, spelled: str) -> None:
    node.call("PolicySet", namespace="*", rules=[{"action": spelled, "level": "deny"}])
    [policy] = node.call("PolicyGet")["policies"]
    assert [rule["action"] for rule in policy["rules"]] == ["archive-purge"]


def test_rules_set_by_two_operators_at_once_both_hold(node: Harness) -> None:
    node.call("PolicySet", namespace="a", rules=[{"action": "store", "level": "deny"}])
    node.call("PolicySet", namespace="a", rules=[{"action": "link", "level": "deny"}])
    node.call("PolicySet", namespace="a", quota={"memories": 3})
    node.call("PolicySet", namespace="a", quota={"memories_per_agent": 2})
    [policy] = node.call("PolicyGet")["policies"]
    assert [rule["action"] for rule in policy["rules"]] == ["link", "store"]
    assert policy["quota"] == {"memories": 3, "memories_per_agent": 2}
    registers = node.run(_registers(node, "policy:a"))
    assert {"rule:store", "rule:link", "quota:memories"} <= set(registers)


async def _registers(node: Harness, record_id: str) -> Any:
    read = node.core.dispatcher._read
    return (await read(lambda view: view.display(record_id))).values


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9)
    | st.sampled_from([level.value for level in Level]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["level", "approver", "delegated", "if", "until"]), inner, max_size=4
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=400)
@given(value=ANYTHING)
def test_a_rule_that_cannot_be_understood_denies_and_says_why(value: Any) -> None:
    rule = read_rule("store", value)
    if rule.unreadable:
        assert rule.level is Level.DENY
        return
    assert set(value) <= {"level", "approver", "delegated"}
    assert rule.level.value == value["level"]
    assert value.get("delegated", False) is rule.delegated
    assert (rule.approver is not None) == (rule.level is Level.APPROVE)


@pytest.mark.parametrize(
    ("register", "value"),
    [
        ("rule:write", {"level": "nobody"}),
        ("rule:write", {"level": "any", "unless": "it rains"}),
        ("rule:write", {"level": "approve", "approver": "the cat"}),
        ("rule:write", "any"),
        ("rule:fly", {"level": "any"}),
        ("curfew", "22:00"),
    ],
)
def test_what_another_version_may_have_written_is_refused_with_its_own_reason(
    node: Harness, register: str, value: Any
) -> None:
    node.run(_write(node, Change("policy:a", "policy", set={register: value})))
    with pytest.raises(Failure) as caught:
        node.store("t", namespace="a/b")
    assert caught.value.code is Code.PERMISSION_DENIED
    assert "cannot be understood" in caught.value.message
    assert caught.value.details["set_at"] == "a"
    node.store("t", namespace="b")
    assert node.call("PolicyClear", namespace="a")["cleared"] is True
    node.store("t", namespace="a/b")


async def _write(node: Harness, change: Change) -> None:
    from aimem_node.replica.replica import Intent

    intent: Any = Intent("node:test", node.clock.now_us(), lambda _: b"", lambda _: None)
    await node.core.replica.write(intent, lambda tx: tx.change(change))


def test_a_namespace_that_only_begins_alike_is_not_below(node: Harness) -> None:
    assert list(downwards("a/b/c")) == ["*", "a", "a/b", "a/b/c"]
    node.call("PolicySet", namespace="a", rules=[{"action": "*", "level": "deny"}])
    node.store("t", namespace="ab")


def test_every_operation_that_writes_has_an_effect_and_may_be_named_by_a_rule() -> None:
    writing = {one.cli_name for one in OPERATIONS.values() if one.effect == Nature.WRITE}
    deciding = {"pending-approve", "pending-reject", "pending-cancel"}
    assert writing - deciding == ACTIONS - set(Effect) - {"*"} | (writing & set(Effect))
    assert set(EFFECT_OF) <= writing
