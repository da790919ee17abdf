"""Every operation there is, with the facts from which all surfaces are derived.

A declaration that some surface could not honour (a write that cannot be retried, an operation
without a role or a path) stops the process here, at import, before it can reach a caller.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from aimem_node.contract import words
from aimem_node.contract.descriptors import file_set_bytes
from aimem_node.contract.facts import ContractError, Facts, Field, Method, Reader, Shape
from aimem_node.contract.values import MESSAGES, Effect, Profile, Role, WriteOptions, WriteResult

__all__ = ["FACTS", "OPERATIONS", "Effect", "Field", "HttpRule", "Operation", "Profile", "Role"]

METHODS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class HttpRule:
    """One HTTP way to an operation."""

    method: str
    "GET, PUT, POST, DELETE or PATCH."
    path: str
    "With {field} where a value of the request stands."
    body: str
    '"*" when the body is the request; empty when there is none and the query is.'
    path_params: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as every surface knows it."""

    name: str
    "The rpc's name: GetTaxonomy."
    service: str
    "aimem.v1.NamespaceTree"
    family: str
    "The proto file it stands in: namespaces."
    grpc_path: str
    "/aimem.v1.NamespaceTree/GetTaxonomy"
    request: type
    response: type
    effect: Effect
    role: Role
    profile: Profile
    destructive: bool
    idempotent: bool
    p95_ms: int
    http: tuple[HttpRule, ...]
    "The first is the one that clients of ours use."
    http_status: int
    mcp_name: str
    "memory_get_taxonomy"
    cli_name: str
    "get-taxonomy"
    cli_alias: str
    rows: str
    "Field of the response whose items are shown as rows; empty for none."
    streaming: bool
    help: str
    fields: tuple[Field, ...]
    "Of the request, in order of declaration."
    response_fields: tuple[Field, ...]


def read_operations(facts: Facts, types: Mapping[str, type]) -> Mapping[str, Operation]:
    """Operations by rpc name, in order of declaration. Raises ContractError."""
    made = {method.name: _operation(method, facts, types) for method in facts.methods}
    if len(made) != len(facts.methods):
        raise ContractError("two operations have one name")
    _check_unique(made.values())
    return MappingProxyType(made)


def _operation(method: Method, facts: Facts, types: Mapping[str, type]) -> Operation:
    nature = method.nature
    if nature is None or not (nature.effect and nature.role and nature.profile):
        raise ContractError(f"{method.name} must say its effect, its role and its profile")
    if not method.help:
        raise ContractError(f"{method.name} has no comment, so no surface could explain it")
    request, response = facts.shapes[method.request], facts.shapes[method.response]
    operation = Operation(
        name=method.name,
        service=method.service,
        family=method.family,
        grpc_path=f"/{method.service}/{method.name}",
        request=types[method.request],
        response=types[method.response],
        effect=_member(facts, Effect, nature.effect),
        role=_member(facts, Role, nature.role),
        profile=_member(facts, Profile, nature.profile),
        destructive=nature.destructive,
        idempotent=nature.idempotent,
        p95_ms=nature.p95_ms,
        http=tuple(_http_rules(method, request)),
        http_status=nature.http_status or 200,
        mcp_name="memory_" + words.snake(method.name),
        cli_name=words.kebab(method.name),
        cli_alias=nature.cli_alias,
        rows=nature.rows,
        streaming=method.streaming,
        help=method.help,
        fields=_typed(request, types),
        response_fields=_typed(response, types),
    )
    _check_operation(operation)
    return operation


def _member(facts: Facts, enum: Any, number: int) -> Any:
    declared = facts.enums[f"aimem.v1.{enum.__name__}"].words
    return enum(next(word.word for word in declared if word.number == number))


def _typed(shape: Shape, types: Mapping[str, type]) -> tuple[Field, ...]:
    return tuple(
        replace(field, message=types[field.type_name]) if field.kind == "message" else field
        for field in shape.fields
    )


def _http_rules(method: Method, request: Shape) -> Iterator[HttpRule]:
    if method.http is None:
        raise ContractError(f"{method.name} has no google.api.http annotation")
    for rule in (method.http, *method.http.additional_bindings):
        verb = rule.WhichOneof("pattern")
        if verb not in METHODS:
            raise ContractError(f"{method.name} has an HTTP rule without a method")
        if rule.body not in ("", "*"):
            raise ContractError(f"{method.name}: the body is the whole request, or nothing")
        path: str = getattr(rule, verb)
        segments = path.split("/")
        params = tuple(part.strip("{}") for part in segments if part.startswith("{"))
        for name in params:
            field = request.field(name)
            if field is None or field.repeated or field.kind == "message":
                raise ContractError(f"{method.name}: {path} names no plain field {name!r}")
        yield HttpRule(verb.upper(), path, rule.body, params)


def _check_operation(operation: Operation) -> None:
    name = operation.name
    if operation.effect == Effect.WRITE:
        if not any(f.name == "options" and f.message is WriteOptions for f in operation.fields):
            raise ContractError(f"{name} writes, so its request must have WriteOptions options")
        answered = operation.response_fields
        if not any(f.name == "write" and f.message is WriteResult for f in answered):
            raise ContractError(f"{name} writes, so its response must have WriteResult write")
    rows = next((f for f in operation.response_fields if f.name == operation.rows), None)
    if operation.rows and (rows is None or not rows.repeated):
        raise ContractError(f"{name}: the response has no rows {operation.rows!r}")


def _check_unique(operations: Any) -> None:
    seen: dict[str, str] = {}
    for operation in operations:
        aliases = [operation.cli_alias] if operation.cli_alias else []
        paths = [f"{rule.method} {rule.path}" for rule in operation.http]
        for name in (operation.cli_name, *aliases, *paths):
            if name in seen:
                raise ContractError(f"{operation.name} and {seen[name]} are both {name!r}")
            seen[name] = operation.name


FACTS = Reader(file_set_bytes()).read()
"""All that proto/ says, messages and enums too."""

OPERATIONS: Mapping[str, Operation] = read_operations(FACTS, MESSAGES)
"""Every operation by the name of its rpc."""
