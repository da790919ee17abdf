"""OpenAPI 3.1 of the HTTP surface, made from the operations and nothing else."""

from typing import Any

from aimem_node.contract.errors import SIGNS, Code
from aimem_node.contract.facts import Field
from aimem_node.contract.operations import OPERATIONS, Effect, HttpRule, Operation
from aimem_node.contract.schema import field_schema, message_schema
from aimem_node.contract.shapes import SHAPES

JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS = "text/event-stream"


def openapi(version: str = "1") -> dict[str, Any]:
    """The description of every path, ready for JSON. `version` is that of the node."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS.values():
        for index, rule in enumerate(operation.http):
            paths.setdefault(rule.path, {})[rule.method.lower()] = _method(operation, rule, index)
    schemas = {cls.__name__: message_schema(cls, _refer) for cls in SHAPES}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aimem",
            "version": version,
            "description": "Memory for AI agents. Every write takes options.request_key and can "
            "then be sent again without happening twice.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Failure": _failure_schema()},
            "responses": {"Failure": _failure_response()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "certificate": {"type": "mutualTLS"},
            },
        },
        "security": [{}, {"token": []}, {"certificate": []}],
    }


def _refer(cls: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{cls.__name__}"}


def _method(operation: Operation, rule: HttpRule, index: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        # The other ways to the same operation need names of their own.
        "operationId": operation.name + (f"_{rule.method.lower()}" if index else ""),
        "tags": [operation.family],
        "summary": operation.help,
        "x-effect": operation.effect.value,
        "x-role": operation.role.value,
    }
    parameters = _parameters(operation, rule)
    if parameters:
        shown["parameters"] = parameters
    if rule.body:
        whole = operation.effect is Effect.READ or any(
            field.required and field.name not in rule.path_params for field in operation.fields
        )
        shown["requestBody"] = {
            "required": whole,
            "content": {JSON: {"schema": _body(operation, rule)}},
        }
    shown["responses"] = {
        str(operation.http_status): {"description": "Done.", "content": _content(operation)},
        "default": {"$ref": "#/components/responses/Failure"},
    }
    return shown


def _body(operation: Operation, rule: HttpRule) -> dict[str, Any]:
    """The request without what the path already says."""
    if not rule.path_params:
        return _refer(operation.request)
    schema = message_schema(operation.request, _refer)
    for name in rule.path_params:
        del schema["properties"][name]
    required = [name for name in schema.pop("required", ()) if name not in rule.path_params]
    return {**schema, "required": required} if required else schema


def _content(operation: Operation) -> dict[str, Any]:
    schema = {"schema": _refer(operation.response)}
    if operation.streaming:
        return {LINES: schema, EVENTS: schema}
    return {JSON: schema}


def _parameters(operation: Operation, rule: HttpRule) -> list[dict[str, Any]]:
    shown = [
        _parameter(field, field.name, "path")
        for field in operation.fields
        if field.name in rule.path_params
    ]
    if rule.body:
        return shown
    for field in operation.fields:
        if field.name in rule.path_params:
            continue
        if field.message is None:
            shown.append(_parameter(field, field.name, "query"))
            continue
        shown += [
            _parameter(inner, f"{field.name}.{inner.name}", "query")
            for inner in SHAPES[field.message].fields
        ]
    return shown


def _parameter(field: Field, name: str, place: str) -> dict[str, Any]:
    schema = field_schema(field, _refer)
    described = schema.pop("description", "")
    shown: dict[str, Any] = {"name": name, "in": place, "schema": schema}
    if described:
        shown["description"] = described
    if place == "path" or field.required:
        shown["required"] = True
    return shown


def _failure_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Why a call failed; the same words on every surface.",
        "properties": {
            "error": {"type": "string", "description": "What happened."},
            "code": {"type": "string", "enum": [code.value for code in Code]},
            "path": {"type": "string", "description": "JSON path of the value that was wrong."},
            "definite": {
                "type": "boolean",
                "description": "True: the call changed nothing. False: it may have taken effect.",
            },
            "next": {"type": "string", "description": "What to do about it."},
            "details": {"type": "object"},
        },
        "required": ["error", "code", "path", "definite", "next"],
    }


def _failure_response() -> dict[str, Any]:
    statuses = sorted({sign.http for sign in SIGNS.values()})
    return {
        "description": "It failed; the status is one of " + ", ".join(map(str, statuses)) + ".",
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
