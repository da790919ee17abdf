"""JSON Schema of requests and answers, and the MCP tools made of it.

Every byte of a tool list is read by a model before it says its first word. So the smaller
profiles show what an agent decides by (names, words, first sentences) and leave out what the
node checks anyway; whatever is left out is still accepted.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from aimem_node.contract import words
from aimem_node.contract.facts import Field
from aimem_node.contract.formats import PATTERNS
from aimem_node.contract.operations import OPERATIONS, Effect, Operation, Profile
from aimem_node.contract.shapes import SHAPES

STREAM_ITEMS_DEFAULT = 100
STREAM_ITEMS_MAX = 1000
"""An MCP answer is one message, so a stream is cut after its argument `limit`."""

_TYPES = {"string": "string", "int": "integer", "float": "number", "bool": "boolean"}
_ORDER = (Profile.CORE, Profile.STANDARD, Profile.FULL)

Refer = Callable[[type], dict[str, Any]]
"""How a message inside a message is shown: in place, or by reference."""


def tools(profile: Profile) -> list[dict[str, Any]]:
    """The MCP tools of a profile, in order of declaration; each profile holds those before it."""
    return [
        {
            "name": operation.mcp_name,
            "description": operation.help,
            "inputSchema": json_schema(operation, profile),
            "annotations": _annotations(operation, profile),
        }
        for operation in OPERATIONS.values()
        if in_profile(operation, profile)
    ]


def in_profile(operation: Operation, profile: Profile) -> bool:
    """Whether a profile offers the operation. Streams are in the full one only."""
    if operation.streaming and profile is not Profile.FULL:
        return False
    return _ORDER.index(operation.profile) <= _ORDER.index(profile)


def _annotations(operation: Operation, profile: Profile) -> dict[str, Any]:
    """MCP's hints. Smaller profiles leave out those that say what MCP assumes anyway."""
    reads = operation.effect is Effect.READ
    hints: dict[str, Any] = {
        "title": words.snake(operation.name).replace("_", " ").capitalize(),
        "readOnlyHint": reads,
        "destructiveHint": operation.destructive,
        "idempotentHint": operation.idempotent or reads,
        "openWorldHint": False,
    }
    if profile is Profile.FULL:
        return hints
    del hints["title"]
    if reads:
        return {"readOnlyHint": True, "openWorldHint": False}
    assumed = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False}
    return {name: hint for name, hint in hints.items() if assumed.get(name) != hint}


def json_schema(operation: Operation, profile: Profile) -> dict[str, Any]:
    """JSON Schema of an operation's request as the profile shows it."""
    brief = profile is not Profile.FULL
    shown = [field for field in operation.fields if not (brief and field.advanced)]
    properties = {field.name: field_schema(field, inline, brief=brief) for field in shown}
    if operation.streaming:
        properties["limit"] = {
            "type": "integer",
            "description": "How many items to answer with.",
            "default": STREAM_ITEMS_DEFAULT,
            "minimum": 1,
            "maximum": STREAM_ITEMS_MAX,
        }
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [field.name for field in shown if field.required]
    if required:
        schema["required"] = required
    if not brief:
        schema["additionalProperties"] = False
    return schema


@cache
def inline(cls: type) -> dict[str, Any]:
    """JSON Schema of a message, in place. For requests: none of them holds itself."""
    return message_schema(cls, inline)


def message_schema(cls: type, refer: Refer, *, exact: bool = False) -> dict[str, Any]:
    """JSON Schema of a message and all its fields. Exact: as field_schema has it."""
    shape = SHAPES[cls]
    schema: dict[str, Any] = {"type": "object"}
    if shape.help:
        schema["description"] = shape.help
    schema["properties"] = {
        field.name: field_schema(field, refer, exact=exact) for field in shape.fields
    }
    required = [field.name for field in shape.fields if field.required]
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def field_schema(
    field: Field, refer: Refer, *, brief: bool = False, exact: bool = False
) -> dict[str, Any]:
    """JSON Schema of one field. Brief: no lengths, and the first sentence of its comment.

    Exact: with everything that a schema can say of what the node takes, for programs; to a model
    the patterns would be noise. Only for requests: an answer may be empty where a request may not.
    """
    one = _one(field, refer, brief=brief)
    if exact:
        one |= _exact(field)
    if field.repeated:
        one = {"type": "array", "items": one}
        if exact and field.required:
            one["minItems"] = 1
        if field.items_max and not brief:
            one["maxItems"] = field.items_max
    described = words.sentence(field.help) if brief else field.help
    if described:
        one = (
            {"description": described, **one}
            if "$ref" in one
            else {**one, "description": described}
        )
    if field.default not in (None, False):
        one["default"] = field.default
    return one


def _one(field: Field, refer: Refer, *, brief: bool) -> dict[str, Any]:
    if field.kind == "message":
        assert field.message is not None
        return refer(field.message)
    if field.kind == "json":
        return {"type": "object"}
    if field.kind == "timestamp":
        return {"type": "string", "format": "date-time"}
    allowed = field.words or field.one_of
    if allowed:
        return {"type": "string", "enum": list(allowed)}
    schema = {"type": _TYPES[field.kind], **_range(field)}
    return schema if brief else {**schema, **_lengths(field)}


def _range(field: Field) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    if field.min is not None:
        bounds["minimum"] = _number(field.min)
    if field.max is not None and not field.capped:
        bounds["maximum"] = _number(field.max)
    return bounds


def _lengths(field: Field) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    if field.chars_max:
        bounds["maxLength"] = field.chars_max
    elif field.bytes_max:
        # A character is at least one byte, so the bound is right, if not the tightest.
        bounds["maxLength"] = field.bytes_max
    if field.required and field.kind == "string":
        bounds["minLength"] = 1
    return bounds


def _exact(field: Field) -> dict[str, Any]:
    """What is checked besides range and length."""
    if field.kind == "int":
        bound = 1 << (field.bits - 1)
        low = -bound if field.min is None else _number(field.min)
        high = bound - 1 if field.max is None or field.capped else _number(field.max)
        return {"format": f"int{field.bits}", "minimum": low, "maximum": high}
    pattern = PATTERNS.get(field.format) if field.kind == "string" else None
    return {"pattern": pattern} if pattern and not (field.words or field.one_of) else {}


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value
