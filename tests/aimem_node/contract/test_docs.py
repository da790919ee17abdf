"""The made page of operations."""

from aimem_node.contract.docs import failures_markdown, operations_markdown
from aimem_node.contract.errors import Code
from aimem_node.contract.operations import OPERATIONS


def test_every_operation_has_a_row_and_a_section() -> None:
    page = operations_markdown()
    for operation in OPERATIONS.values():
        assert f"| [{operation.name}](#{operation.name.lower()}) | `{operation.mcp_name}` |" in page
        assert f"### {operation.name}\n\n{operation.help}" in page
        for field in operation.fields:
            assert f"| `{field.name}` |" in page


def test_every_failure_has_a_row() -> None:
    assert all(f"| `{code.value}` |" in failures_markdown() for code in Code)
