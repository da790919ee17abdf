"""The core stays a function of values: nothing it imports could wait, send or draw a number."""

from __future__ import annotations

import ast
from pathlib import Path

import aimem_sync

ALLOWED = {
    "__future__", "aimem_sync", "collections", "dataclasses", "enum", "functools", "hashlib",
    "json", "math", "re", "struct", "types", "typing",
}  # fmt: skip
SOURCES = sorted(Path(aimem_sync.__file__).parent.glob("*.py"))


def imported(source: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_the_core_imports_only_what_cannot_touch_the_world() -> None:
    assert SOURCES
    assert {name for source in SOURCES for name in imported(source)} <= ALLOWED


def test_every_module_has_its_own_test_file() -> None:
    tests = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    modules = {source.name for source in SOURCES} - {"__init__.py", "limits.py"}
    assert {f"test_{module}" for module in modules} <= tests
