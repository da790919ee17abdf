"""Setting, showing and taking away policies."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Role
from tests.aimem_node.operations.test_sight_of import caller
from tests.every_write import somebody_else
from tests.harness import Harness


def refused(node: Harness, operation: str, who: Any = None, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, who, **fields)
    return caught.value


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "$.rules"),
        ({"rules": [{"action": "fly", "level": "any"}]}, "$.rules[0].action"),
        ({"rules": [{"action": "store", "level": "any", "approver": "admin"}]},
         "$.rules[0].approver"),
        ({"rules": [{"action": "store", "level": "approve", "approver": "cat"}]},
         "$.rules[0].approver"),
        ({"rules": [{"action": "*", "level": "any"}, {"action": "*", "level": "deny"}]},
         "$.rules[1].action"),
        ({"rules": [{"action": "govern", "level": "deny"}]}, "$.rules[0].level"),
        ({"rules": [{"action": "pending-approve", "level": "deny"}]}, "$.rules[0].action"),
        ({"namespace": "a//b", "secrets": "allow"}, "$.namespace"),
        ({"namespace": "a/*", "secrets": "allow"}, "$.namespace"),
        ({"pending_secs": 10}, "$.pending_secs"),
    ],
)  # fmt: skip
def test_what_would_be_no_rule_is_refused_where_it_is_set(
    node: Harness, fields: dict[str, Any], path: str
) -> None:
    failure = refused(node, "PolicySet", **({"namespace": "a"} | fields))
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, path)


def test_what_holds_is_shown_from_the_top_down(node: Harness) -> None:
    node.call("PolicySet", namespace="a/b", secrets="redact", pending_secs=7200)
    node.call("PolicySet", namespace="*", quota={"memories": 5})
    node.call("PolicySet", namespace="x", secrets="allow")
    held = node.call("PolicyGet", namespace="a/b/c")["policies"]
    assert [one["namespace"] for one in held] == ["(built in)", "*", "a/b"]
    assert (held[2]["secrets"], held[2]["pending_secs"]) == ("redact", 7200)
    assert held[2]["author"].startswith("user:")
    every = node.call("PolicyGet")["policies"]
    assert [one["namespace"] for one in every] == ["*", "a/b", "x"]


def test_clearing_takes_away_what_is_named_and_all_when_nothing_is(node: Harness) -> None:
    rules = [{"action": "store", "level": "deny"}, {"action": "link", "level": "deny"}]
    node.call("PolicySet", namespace="a", rules=rules, quota={"memories": 1}, secrets="allow")
    assert node.call("PolicyClear", namespace="a", actions=["store", "quota"])["cleared"] is True
    [left] = node.call("PolicyGet")["policies"]
    assert [rule["action"] for rule in left["rules"]] == ["link"]
    assert "quota" not in left
    assert left["secrets"] == "allow"
    assert refused(node, "PolicyClear", namespace="a", actions=["fly"]).path == "$.actions[0]"
    node.call("PolicyClear", namespace="a")
    assert node.call("PolicyGet")["policies"] == []
    assert node.call("PolicyClear", namespace="a")["cleared"] is False


def test_setting_what_is_set_writes_nothing(node: Harness) -> None:
    fields = {"namespace": "a", "rules": [{"action": "store", "level": "deny"}]}
    assert len(node.call("PolicySet", **fields)["write"]["write_ids"]) == 1
    assert node.call("PolicySet", **fields)["write"]["write_ids"] == []


def test_only_the_operator_asks_what_others_may_do(node: Harness) -> None:
    ann, bob = (somebody_else(node, name, Role.WRITER) for name in ("ann", "bob"))
    node.call("AgentRegister", ann, agent_id="ai:ann", agent_type="ai:x")
    node.call("PolicySet", namespace="a", rules=[{"action": "store", "level": "registered"}])
    asked = {"action": "store", "namespace": "a"}
    assert node.call("PolicyExplain", **asked, agent_id="ai:ann")["verdict"] == "allow"
    assert node.call("PolicyExplain", ann, **asked, agent_id="ai:ann")["verdict"] == "allow"
    assert node.call("PolicyExplain", bob, **asked)["verdict"] == "deny"
    failure = refused(node, "PolicyExplain", bob, **asked, agent_id="ai:ann")
    assert failure.code is Code.PERMISSION_DENIED
    assert refused(node, "PolicyExplain", bob, action="fly", namespace="a").path == "$.action"
    assert refused(node, "PolicyExplain", bob, action="*", namespace="a").path == "$.action"


def test_where_nothing_is_said_all_is_allowed_and_explained_as_such(node: Harness) -> None:
    told = node.call("PolicyExplain", action="store", namespace="a")
    assert told == {
        "verdict": "allow", "reason": "no rule says anything of it", "set_at": "", "rules": [],
    }  # fmt: skip


OPERATORS = {"PolicySet", "PolicyClear", "ArchivePurge", "Gc", "SetNamespaceCopies"}


def test_every_operation_declares_its_role_and_the_operators_are_no_one_elses() -> None:
    for name, declared in OPERATIONS.items():
        assert declared.role in set(Role), name
    roles = {name: OPERATIONS[name].role for name in OPERATORS & set(OPERATIONS)}
    assert {roles["PolicySet"], roles["PolicyClear"], roles["ArchivePurge"]} == {Role.ADMIN}


def test_what_is_allowed_is_not_explained_by_what_would_forbid_it(node: Harness) -> None:
    node.call("PolicySet", namespace="a", rules=[{"action": "store", "level": "admin"}])
    said = node.call("PolicyExplain", action="store", namespace="a")
    assert said["verdict"] == "allow"
    assert "only" not in said["reason"]


def test_a_writer_may_not_set_a_policy(node: Harness) -> None:
    ann = somebody_else(node, "ann", Role.WRITER)
    failure = refused(node, "PolicySet", ann, namespace="a", secrets="allow")
    assert failure.code is Code.PERMISSION_DENIED


def test_whoever_stands_elsewhere_is_not_told_for_which_namespaces_something_is_set(
    node: Harness,
) -> None:
    far = caller(node, "far", "acme/web")
    for name in ("secret/project", "acme/api", "*"):
        node.call("PolicySet", namespace=name, rules=[{"action": "delete", "level": "owner"}])
    node.call("SetNamespaceCopies", namespace="secret/project", w=1)
    shown = [one["namespace"] for one in node.call("PolicyGet", far)["policies"]]
    assert sorted(shown) == ["*", "acme/api"]
    assert node.call("NamespaceCopies", far)["copies"] == []
    assert len(node.call("PolicyGet")["policies"]) == 3
