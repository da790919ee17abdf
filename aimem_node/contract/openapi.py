"""OpenAPI 3.1 of the HTTP surface, made from the operations and nothing else.

Every status that can come is named, each with the failures behind it: a caller who generates
its client from here has no case that is not written down. Three liberties are taken by the node
and not described, because no client should need them: null for a field that is left out, one
value for a list of one, and Windows line ends, which are made plain before anything is counted.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from aimem_node.contract.calls import AFTER_KEY, TOKEN_KEY, WAIT_KEY
from aimem_node.contract.errors import SIGNS, Code
from aimem_node.contract.facts import Field
from aimem_node.contract.openapi_examples import error_example, request_example, value_example
from aimem_node.contract.operations import OPERATIONS, Effect, HttpRule, Operation
from aimem_node.contract.schema import field_schema, message_schema
from aimem_node.contract.shapes import SHAPES

JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS = "text/event-stream"
TEXT = "text/plain"

_ONLY_WITH_BODY: Mapping[int, tuple[str, Code]] = {
    408: ("The body did not arrive in time.", Code.DEADLINE),
    415: ("The body is not JSON.", Code.INVALID_ARGUMENT),
}
"""What HTTP adds to the statuses of the one table of failures, with the code in its answer."""


def openapi(version: str = "1") -> dict[str, Any]:
    """The description of every path, ready for JSON. `version` is that of the node."""
    paths: dict[str, Any] = {path: _plain(path) for path in ("/metrics", "/api/v1/metrics")}
    for operation in OPERATIONS.values():
        for index, rule in enumerate(operation.http):
            paths.setdefault(rule.path, {})[rule.method.lower()] = _method(operation, rule, index)
    exact = _only_asked()
    schemas = {cls.__name__: message_schema(cls, _refer, exact=cls in exact) for cls in SHAPES}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aimem",
            "version": version,
            "description": "Memory for AI agents. Every write takes options.request_key and can "
            "then be sent again without happening twice.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": _tags(),
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Failure": _failure_schema()},
            "responses": _failure_responses(),
            "parameters": _header_parameters(),
            "headers": {
                "Token": {
                    "description": "What the caller has seen after this call; send it as "
                    f"{AFTER_KEY} to any node, and the answer there lacks none of it.",
                    "schema": {"type": "string"},
                },
                "RetryAfter": {
                    "description": "Seconds to wait before calling again.",
                    "schema": {"type": "integer", "minimum": 1},
                },
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `aimem-node token`; not needed on the unix socket.",
                },
                "certificate": {
                    "type": "mutualTLS",
                    "description": "A client certificate whose key the node has pinned.",
                },
            },
        },
        "security": [{}, {"token": []}, {"certificate": []}],
    }


def _tags() -> list[dict[str, Any]]:
    families = dict.fromkeys(operation.family for operation in OPERATIONS.values())
    return [{"name": family} for family in families]


def _plain(path: str) -> dict[str, Any]:
    """The one answer that is no operation's and no JSON: the node's metrics."""
    described = {
        "operationId": "Metrics" + ("" if path == "/metrics" else "_api"),
        "tags": ["upkeep"],
        "summary": "The node's metrics, in the text format of Prometheus.",
        "responses": {
            "200": {"description": "Done.", "content": {TEXT: {"schema": {"type": "string"}}}},
            **_failures((401, 403)),
        },
    }
    return {"get": described}


def _only_asked() -> frozenset[type]:
    """The messages that requests hold and answers do not."""
    asked, answered = (
        frozenset(_within(getattr(operation, side) for operation in OPERATIONS.values()))
        for side in ("request", "response")
    )
    return asked - answered


def _within(classes: Iterable[type]) -> set[type]:
    """Messages and all that stand in them."""
    found: set[type] = set()
    waiting = list(classes)
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.add(cls)
            waiting += [field.message for field in SHAPES[cls].fields if field.message is not None]
    return found


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
    parameters = [*_parameters(operation, rule), *_headers(operation)]
    if parameters:
        shown["parameters"] = parameters
    if rule.body:
        whole = operation.effect is Effect.READ or any(
            field.required and field.name not in rule.path_params for field in operation.fields
        )
        shown["requestBody"] = {
            "required": whole,
            "content": {
                JSON: {
                    "schema": _body(operation, rule),
                    "example": request_example(operation, rule),
                }
            },
        }
    shown["responses"] = {**_done(operation), **_failures(_statuses(rule))}
    return shown


def _done(operation: Operation) -> dict[str, Any]:
    """What it answers when nothing went wrong."""
    answer = {"content": _content(operation), "headers": _told(TOKEN_KEY.title(), "Token")}
    done = {str(operation.http_status): {"description": "Done.", **answer}}
    if any(field.name == "write" for field in operation.response_fields):
        later = "Kept on this node and not yet on as many as were asked for, or not done yet "
        done["202"] = {"description": later + "because somebody must approve it.", **answer}
    return done


def _statuses(rule: HttpRule) -> tuple[int, ...]:
    known = {sign.http for sign in SIGNS.values()}
    return tuple(sorted(known | (set(_ONLY_WITH_BODY) if rule.body else set())))


def _failures(statuses: tuple[int, ...]) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/Failure{status}"} for status in statuses}


def _told(name: str, header: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{header}"}}


def _body(operation: Operation, rule: HttpRule) -> dict[str, Any]:
    """The request without what the path already says; a bare list where only a list is needed."""
    if not rule.path_params:
        whole = _refer(operation.request)
        required = [field for field in operation.fields if field.required]
        if len(required) == 1 and required[0].repeated:
            return {"anyOf": [whole, field_schema(required[0], _refer, exact=True)]}
        return whole
    schema = message_schema(operation.request, _refer, exact=True)
    for name in rule.path_params:
        del schema["properties"][name]
    required_names = [name for name in schema.pop("required", ()) if name not in rule.path_params]
    return {**schema, "required": required_names} if required_names else schema


def _content(operation: Operation) -> dict[str, Any]:
    if not operation.streaming:
        return {JSON: {"schema": _refer(operation.response)}}
    # Of a stream the whole is text; OpenAPI 3.1 has no word for what each line of it is.
    whole = {"schema": {"type": "string"}, "x-itemSchema": _refer(operation.response)}
    return {LINES: whole, EVENTS: whole}


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
    schema = field_schema(field, _refer, exact=True)
    described = schema.pop("description", "")
    if place == "path":
        schema.setdefault("minLength", 1)
    shown: dict[str, Any] = {"name": name, "in": place}
    # An object in a query is JSON text, not one parameter for each of its members.
    shown |= {"content": {JSON: {"schema": schema}}} if field.kind == "json" else {"schema": schema}
    if described:
        shown["description"] = described
    if place == "path" or field.required:
        shown["required"] = True
        shown["example"] = value_example(field)
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


def _failure_responses() -> dict[str, Any]:
    """By name: the answer for each status, with the codes that it stands for."""
    codes: dict[int, list[Code]] = {}
    for code, sign in SIGNS.items():
        codes.setdefault(sign.http, []).append(code)
    shown = {}
    for status, behind in sorted(codes.items()):
        words = [f"{code.value}: {SIGNS[code].next}" for code in behind]
        shown[f"Failure{status}"] = _failure_response(status, " ".join(words), behind)
    for status, (described, code) in _ONLY_WITH_BODY.items():
        shown[f"Failure{status}"] = _failure_response(status, described, [code])
    return shown


def _failure_response(status: int, described: str, behind: list[Code]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Failure"}
    examples = {code.value: {"value": error_example(code)} for code in behind}
    shown: dict[str, Any] = {
        "description": described,
        "content": {JSON: {"schema": schema, "examples": examples}},
    }
    if status in (429, 503):
        shown["headers"] = _told("Retry-After", "RetryAfter")
    return shown


_HEADERS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "After": (AFTER_KEY.title(), "The token of an earlier answer, of any node.", {}),
    "MaxWait": (
        WAIT_KEY.title(),
        "How long to wait until this node has taken in all of it, in milliseconds.",
        {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    ),
    "Key": (
        "Idempotency-Key",
        "The same as options.request_key.",
        {"minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    ),
    "Agent": ("X-Agent-Id", "Who speaks, when no field says so.", {"pattern": "^[!-~]*$"}),
    "LastEvent": ("Last-Event-Id", "The id of the last event that was seen.", {}),
}
"""By name among the components: the header, what it is for, and what its value may be."""


def _header_parameters() -> dict[str, Any]:
    return {
        name: {
            "name": header,
            "in": "header",
            "description": described,
            "schema": {"type": "string", **bounds},
        }
        for name, (header, described, bounds) in _HEADERS.items()
    }


def _headers(operation: Operation) -> list[dict[str, Any]]:
    named = ["After", "MaxWait"]
    if operation.effect is Effect.WRITE:
        named += ["Key", "Agent"]
    if operation.streaming and any(field.name == "after" for field in operation.fields):
        named.append("LastEvent")
    return [{"$ref": f"#/components/parameters/{name}"} for name in named]
