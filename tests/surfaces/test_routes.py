"""Whoever comes from ai-memory finds all of it in place: 55 routes, 43 tools, 2 prompts."""

import pytest

from aimem_node.client.wire_http import request as http_request
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.mcp_server import toolbox
from aimem_node.gateways.paths import Found, Paths
from aimem_node.gateways.prompts import PROMPTS
from tests.surfaces.ways import Running

ROUTES = [
    ("GET", "/health", "Health"),
    ("GET", "/memories", "List"),
    ("POST", "/memories", "Store"),
    ("POST", "/memories/bulk", "BulkStore"),
    ("GET", "/memories/{id}", "Get"),
    ("PUT", "/memories/{id}", "Update"),
    ("DELETE", "/memories/{id}", "Delete"),
    ("POST", "/memories/{id}/promote", "Promote"),
    ("GET", "/search", "Search"),
    ("GET", "/recall", "Recall"),
    ("POST", "/recall", "Recall"),
    ("POST", "/forget", "Forget"),
    ("POST", "/consolidate", "Consolidate"),
    ("GET", "/contradictions", "Contradictions"),
    ("POST", "/links", "Link"),
    ("DELETE", "/links", "Unlink"),
    ("GET", "/links/{id}", "GetLinks"),
    ("GET", "/namespaces", "Namespaces"),
    ("POST", "/namespaces", "NamespaceSetStandard"),
    ("DELETE", "/namespaces", "NamespaceClearStandard"),
    ("POST", "/namespaces/{namespace}/standard", "NamespaceSetStandard"),
    ("GET", "/namespaces/{namespace}/standard", "NamespaceGetStandard"),
    ("DELETE", "/namespaces/{namespace}/standard", "NamespaceClearStandard"),
    ("GET", "/taxonomy", "GetTaxonomy"),
    ("POST", "/check_duplicate", "CheckDuplicate"),
    ("POST", "/entities", "EntityRegister"),
    ("GET", "/entities/by_alias", "EntityGetByAlias"),
    ("GET", "/kg/timeline", "KgTimeline"),
    ("POST", "/kg/invalidate", "KgInvalidate"),
    ("POST", "/kg/query", "KgQuery"),
    ("GET", "/stats", "Stats"),
    ("POST", "/gc", "Gc"),
    ("GET", "/export", "Export"),
    ("POST", "/import", "Import"),
    ("GET", "/archive", "ArchiveList"),
    ("POST", "/archive", "Archive"),
    ("DELETE", "/archive", "ArchivePurge"),
    ("POST", "/archive/{id}/restore", "ArchiveRestore"),
    ("GET", "/archive/stats", "ArchiveStats"),
    ("GET", "/agents", "AgentList"),
    ("POST", "/agents", "AgentRegister"),
    ("GET", "/pending", "PendingList"),
    ("POST", "/pending/{id}/approve", "PendingApprove"),
    ("POST", "/pending/{id}/reject", "PendingReject"),
    ("POST", "/sync/push", "SyncPush"),
    ("GET", "/sync/since", "SyncSince"),
    ("GET", "/capabilities", "Capabilities"),
    ("POST", "/notify", "Notify"),
    ("GET", "/inbox", "Inbox"),
    ("POST", "/subscriptions", "Subscribe"),
    ("DELETE", "/subscriptions", "Unsubscribe"),
    ("GET", "/subscriptions", "ListSubscriptions"),
    ("POST", "/session/start", "SessionStart"),
]
"""Below /api/v1: method, path, and the operation that means the same."""

METRICS = ["/metrics", "/api/v1/metrics"]
"""No operations: the numbers of the node itself."""

TOOLS = [
    "store", "recall", "search", "list", "get", "update", "delete", "promote", "forget", "stats",
    "gc", "session_start",
    "get_taxonomy", "check_duplicate", "entity_register", "entity_get_by_alias", "kg_timeline",
    "kg_query", "kg_invalidate", "link", "get_links",
    "consolidate", "expand_query", "auto_tag", "detect_contradiction", "capabilities",
    "archive_list", "archive_restore", "archive_purge", "archive_stats",
    "namespace_set_standard", "namespace_get_standard", "namespace_clear_standard",
    "pending_list", "pending_approve", "pending_reject",
    "agent_register", "agent_list", "notify", "inbox", "subscribe", "unsubscribe",
    "list_subscriptions",
]  # fmt: skip
"""Each with memory_ before it."""


def test_the_tables_are_whole() -> None:
    assert len(set(ROUTES)) + len(METRICS) == 55
    assert len(set(TOOLS)) == 43


@pytest.mark.parametrize(("method", "path", "operation"), ROUTES)
def test_every_old_route_leads_to_the_operation_of_that_meaning(
    method: str, path: str, operation: str
) -> None:
    asked = "/api/v1" + path.replace("{id}", "0198").replace("{namespace}", "team%2Fapi")
    found = Paths(OPERATIONS.values()).find(method, asked)
    assert isinstance(found, Found)
    assert found.operation.name == operation
    assert dict(found.values) == (
        {"id": "0198"} if "{id}" in path else {"namespace": "team/api"} if "{" in path else {}
    )


@pytest.mark.parametrize("path", METRICS)
def test_the_metrics_are_at_both_places(running: Running, path: str) -> None:
    status, headers, body = http_request(running.socket("http"), "GET", path, None, {}, 30)
    assert status == 200
    assert "text/plain" in str(headers)
    assert b"# TYPE" in body


def test_every_old_tool_is_in_the_full_profile() -> None:
    assert {f"memory_{name}" for name in TOOLS} <= set(toolbox("full").operations)


def test_both_old_prompts_are_there() -> None:
    assert set(PROMPTS) == {"recall-first", "memory-workflow"}
