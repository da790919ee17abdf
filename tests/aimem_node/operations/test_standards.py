"""What everyone should know who works in a namespace comes with every recall there and below."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code
from tests.aimem_node.operations.test_agents import refused
from tests.aimem_node.operations.test_sight_of import caller
from tests.harness import Harness


def standard(node: Harness, namespace: str, content: str = "", **more: Any) -> str:
    fields = {"namespace": namespace, "content": content or f"rules of {namespace}", **more}
    return str(node.call("NamespaceSetStandard", **fields)["standard_id"])


def given(node: Harness, namespace: str | None, operation: str = "Recall") -> list[str]:
    fields: dict[str, Any] = {"context": "anything"} if operation == "Recall" else {}
    if namespace is not None:
        fields["namespace"] = namespace
    return [one["namespace"] for one in node.call(operation, **fields)["standards"]]


def test_a_standard_is_made_shown_and_taken_away(node: Harness) -> None:
    record_id = standard(node, "acme/eng", "Write tests first.")
    memory = node.memory(record_id)
    assert (memory["title"], memory["namespace"]) == ("Standard of acme/eng", "acme/eng")
    assert (memory["tags"], memory["tier"], memory["scope"]) == (["_standard"], "long", "org")
    shown = node.call("NamespaceGetStandard", namespace="acme/eng")
    assert shown["standard"]["content"] == "Write tests first."
    assert standard(node, "acme/eng", "Write tests.") == record_id, "said anew, it is the same one"
    assert node.call("NamespaceClearStandard", namespace="acme/eng")["cleared"] is True
    assert node.call("NamespaceClearStandard", namespace="acme/eng")["cleared"] is False
    assert "standard" not in node.call("NamespaceGetStandard", namespace="acme/eng")
    assert node.memory(record_id)["life"] == "live"


def test_any_memory_can_be_the_standard_of_several(node: Harness) -> None:
    record_id = node.store("how we work", namespace="elsewhere")
    for namespace in ("a", "a/b", "*"):
        node.call("NamespaceSetStandard", namespace=namespace, id=record_id[:8])
    assert given(node, "a/b") == ["*"], "each memory once, where it is the most general"
    assert (
        node.call("NamespaceSetStandard", namespace="a", id=record_id)["write"]["write_ids"] == []
    )


@pytest.mark.parametrize("operation", ["Recall", "SessionStart"])
def test_all_that_hold_are_given_the_general_first_and_not_among_the_hits(
    node: Harness, operation: str
) -> None:
    for namespace in ("acme/eng/web", "*", "acme", "acme/eng", "acme/sales"):
        standard(node, namespace, "anything goes")
    other = node.store("anything else", "anything", namespace="acme/eng")
    assert given(node, "acme/eng/web", operation) == ["*", "acme", "acme/eng", "acme/eng/web"]
    assert given(node, "acme/eng/*", operation) == ["*", "acme", "acme/eng"]
    assert given(node, None, operation) == ["*"]
    fields = {"context": "anything"} if operation == "Recall" else {}
    answer = node.call(operation, namespace="acme/eng/web", **fields)
    assert [one["id"] for one in answer["memories"]] == [other]
    assert answer["tokens_used"] < 30


def test_parents_that_are_named_come_before_the_namespace_that_names_them(node: Harness) -> None:
    for namespace in ("security", "security/web", "acme", "acme/eng"):
        standard(node, namespace)
    node.call("NamespaceSetStandard", namespace="acme/eng", parent="security/web")
    node.call("NamespaceSetStandard", namespace="security/web", parent="security")
    shown = node.call("NamespaceGetStandard", namespace="acme/eng/web", inherit=True)
    assert shown["chain"] == ["*", "acme", "security", "security/web", "acme/eng", "acme/eng/web"]
    assert [s["namespace"] for s in shown["standards"]] == [
        "acme", "security", "security/web", "acme/eng",
    ]  # fmt: skip
    assert shown["standards"][-1]["parent"] == "security/web"
    places = node.call("Namespaces", namespace="acme/eng", inherit=True)
    assert places["standard"]["count"] == 4
    node.call("NamespaceSetStandard", namespace="acme/eng", parent="")
    assert given(node, "acme/eng") == ["acme", "acme/eng"]


def test_parents_in_a_circle_and_parents_without_end_come_to_one(node: Harness) -> None:
    for n in range(12):
        standard(node, f"p{n}")
    for n in range(12):
        node.call("NamespaceSetStandard", namespace=f"p{n}", parent=f"p{(n + 1) % 12}")
    assert given(node, "p0") == [f"p{n}" for n in range(8, 0, -1)] + ["p0"]
    assert given(node, "p0/x") == given(node, "p0")
    failure = refused(node, "NamespaceSetStandard", namespace="p0", parent="p0")
    assert failure.path == "$.parent"


def test_a_standard_goes_with_its_memory_and_comes_back_with_it(node: Harness) -> None:
    record_id = standard(node, "acme")
    node.call("Archive", ids=[record_id])
    assert given(node, "acme") == []
    shown = node.call("NamespaceGetStandard", namespace="acme")
    assert "cannot be shown" in shown["warning"]
    node.call("ArchiveRestore", id=record_id)
    assert given(node, "acme") == ["acme"]
    node.call("Delete", id=record_id)
    assert given(node, "acme") == []


def test_a_standard_is_given_only_to_those_who_see_its_memory(node: Harness) -> None:
    web = caller(node, "web", "acme/web")
    hidden = node.store("only here", "rules of everything", namespace="acme")
    node.call("NamespaceSetStandard", namespace="acme", id=hidden)
    standard(node, "acme/web")
    node.call("NamespaceSetStandard", namespace="acme/web", parent="secret/project")
    told = node.call("Recall", web, context="rules", namespace="acme/web")["standards"]
    assert [one["namespace"] for one in told] == ["acme/web"]
    shown = node.call("NamespaceGetStandard", web, namespace="acme/web", inherit=True)
    assert shown["chain"] == ["*", "acme", "acme/web"], "nor is a hidden parent told of"
    assert given(node, "acme/web") == ["acme", "acme/web"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"namespace": "a//b", "content": "c"}, "$.namespace"),
        ({"namespace": "a"}, "$.id"),
        ({"namespace": "a", "parent": "b"}, "$.id"),
        ({"namespace": "a", "content": "c", "parent": "b//"}, "$.parent"),
        ({"namespace": "a", "content": "c", "governance": {"write": "all"}}, "$.governance.write"),
        ({"namespace": "a", "content": "c", "governance": {"x": "any"}}, "$.governance.x"),
        (
            {"namespace": "a", "content": "c", "governance": {"approver": 3}},
            "$.governance.approver",
        ),
    ],
)
def test_what_cannot_be_set_is_refused_with_its_path(
    node: Harness, fields: dict[str, Any], path: str
) -> None:
    failure = refused(node, "NamespaceSetStandard", **fields)
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, path)
    assert node.call("Stats")["total"] == 0


def test_governance_that_comes_with_a_standard_is_set_as_policy(node: Harness) -> None:
    web = caller(node, "web")
    rules = {"write": "any", "delete": "approve", "approver": {"consensus": 2}}
    fields = {"namespace": "acme", "content": "c", "governance": rules}
    assert refused(node, "NamespaceSetStandard", web, **fields).code == Code.PERMISSION_DENIED
    node.call("NamespaceSetStandard", **fields)
    set_there = node.call("PolicyGet", namespace="acme")["policies"]
    [policy] = [one for one in set_there if one["namespace"] == "acme"]
    assert {(one["action"], one["level"], one["approver"]) for one in policy["rules"]} == {
        ("write", "any", ""), ("delete", "approve", "consensus:2"),
    }  # fmt: skip
