"""What the command line must know of the contract, as one JSON file it can read with `json` alone.

A call from a session hook has tens of milliseconds for everything; importing the contract
would take all of them.
"""

import json
from collections.abc import Iterator
from typing import Any

from aimem_node.contract.operations import FACTS, OPERATIONS, Field, Operation

VERSION = 1
"""Raised when a reader of the file must change."""


def surface_json() -> str:
    """The text of made/surface.json."""
    return json.dumps(surface(), ensure_ascii=False, separators=(",", ":")) + "\n"


def surface() -> dict[str, Any]:
    """{"version", "operations": {cli name: facts}, "aliases": {alias: cli name}}."""
    operations = OPERATIONS.values()
    return {
        "version": VERSION,
        "operations": {operation.cli_name: _operation(operation) for operation in operations},
        "aliases": {
            operation.cli_alias: operation.cli_name
            for operation in operations
            if operation.cli_alias
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    rule = operation.http[0]
    return {
        "rpc": operation.name,
        "http": {"method": rule.method, "path": rule.path, "body": rule.body},
        "help": operation.help,
        "effect": operation.effect.value,
        "destructive": operation.destructive,
        "rows": operation.rows,
        "first": [field.name for field in operation.response_fields if field.first],
        "streaming": operation.streaming,
        "fields": [_field(field, inside) for field, inside in _flat(operation)],
    }


def _flat(operation: Operation) -> Iterator[tuple[Field, bool]]:
    """The fields, with those of `options` in its place."""
    for field in operation.fields:
        if field.name == "options":
            yield from ((inner, True) for inner in FACTS.shapes[field.type_name].fields)
        else:
            yield field, False


def _field(field: Field, in_options: bool) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind,
        "repeated": field.repeated,
        "required": field.required,
        "default": field.default,
        "positional": field.positional,
        "short": field.short,
        "help": field.help,
        "words": list(field.words or field.one_of),
        "stdin": field.stdin,
        "advanced": field.advanced,
        "in_options": in_options,
    }
