"""The behaviours reach every operation: one that no test calls on every way in is not known to
work there."""

import ast
from pathlib import Path

from aimem_node.contract.operations import OPERATIONS

HERE = Path(__file__).parent
ELSEWHERE = {
    "BulkStore": "an array of objects has no flags: HTTP, gRPC and MCP call it in test_raw.py",
    "Import": "aimem import reads files: tests of the command line and of transfer",
    "Export": "a stream: test_raw.py",
    "Events": "a stream: test_raw.py",
    "Audit": "a stream, for the operator: tests of audit and of aimem-node audit",
    "Backup": "test_raw.py",
} | dict.fromkeys(
    ("Invite", "Join", "Approve", "PromoteMember", "Evict", "Leave", "RotateKey", "ForceEpoch"),
    "changes who is a member, which the node that all these tests share must not: tests/cluster",
)


def test_every_operation_is_called_through_every_way_in_or_has_a_reason_not_to_be() -> None:
    called = set()
    for path in sorted(HERE.glob("test_behaviours*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in OPERATIONS:
                called.add(node.value)
    assert called | set(ELSEWHERE) == set(OPERATIONS)
    assert not called & set(ELSEWHERE)
