"""Examples for the description of the HTTP surface: what a request and a refusal look like.

An example is made of the required fields alone, each with a value that its name suggests, so
that it stays right when fields are added; a test reads every one of them with the real codec.
"""

from collections.abc import Mapping
from typing import Any

from aimem_node.contract.errors import SIGNS, Code, Failure, to_json
from aimem_node.contract.facts import Field
from aimem_node.contract.operations import HttpRule, Operation
from aimem_node.contract.shapes import SHAPES

_ID, _OTHER = "0198f2c4a7d07e3c", "0198f2c4b9517a06"
_ORIGIN = "5f0c1d2e3a4b5c6d7e8f901a2b3c4d5e.0000000000000001"
_BY_NAME: Mapping[str, Any] = {
    "action": "delete",
    "agent_id": "ai:reviewer",
    "agent_type": "ai:claude",
    "alias": "the API",
    "canonical_name": "Public API",
    "content": "Tuesdays, never on Fridays.",
    "context": "when do we deploy",
    "id": _ID,
    "id_a": _ID,
    "id_b": _OTHER,
    "ids": [_ID, _OTHER],
    "namespace": "team/api",
    "payload": "The release is out.",
    "query": "deploy",
    "source_id": _ID,
    "target_agent_id": "ai:reviewer",
    "target_id": _OTHER,
    "title": "Deploy day",
    "write_id": f"{_ORIGIN}:7",
    "url": "https://hooks.example.com/aimem",
}
"""What a field of that name holds in every example."""

_MORE: Mapping[str, Mapping[str, Any]] = {
    "Forget": {"namespace": "team/api", "pattern": "deploy", "dry_run": True},
    "NamespaceSetStandard": {"id": _ID},
    "PolicySet": {"rules": [{"action": "delete", "level": "approve", "approver": "human"}]},
    "SetNamespaceCopies": {"w": 2},
}
"""By operation: optional fields without one of which it has nothing to do."""


def request_example(operation: Operation, rule: HttpRule) -> dict[str, Any]:
    """The smallest body that says something, without what the path says."""
    said = {
        field.name: value_example(field)
        for field in operation.fields
        if field.required and field.name not in rule.path_params
    }
    return {**said, **_MORE.get(operation.name, {})}


def value_example(field: Field) -> Any:
    """A value that the field takes."""
    if field.name in _BY_NAME:
        return _BY_NAME[field.name]
    if field.kind == "message":
        assert field.message is not None
        inner = SHAPES[field.message].fields
        one: Any = {f.name: value_example(f) for f in inner if f.required}
    elif field.words or field.one_of:
        one = (field.words or field.one_of)[0]
    elif field.kind == "timestamp":
        one = "2026-01-31T12:00:00Z"
    else:
        low = int(field.min or 1)
        one = {"int": low, "float": float(low), "bool": True, "json": {}}.get(field.kind, "text")
    return [one] if field.repeated else one


def error_example(code: Code) -> dict[str, Any]:
    """A failure with that code, as the node answers it."""
    path = "$.title" if code is Code.INVALID_ARGUMENT else ""
    said = "title is required" if path else _SAID.get(code, SIGNS[code].grpc.lower())
    return to_json(Failure(code, said, path))


_SAID: Mapping[Code, str] = {
    Code.UNAUTHENTICATED: "the token is not known",
    Code.PERMISSION_DENIED: "store is for writers, and user:ann is a reader",
    Code.NOT_FOUND: f"no memory '{_ID}'",
    Code.AMBIGUOUS: f"'0198' is the beginning of several ids: {_ID}, {_OTHER}",
    Code.CONFLICT: "the title 'Deploy day' is taken in team/api",
    Code.TOO_LARGE: "the body is larger than 2097152 bytes",
    Code.LIMITED: "too many calls are in progress",
    Code.NOT_WRITTEN: "2 of 3 nodes are needed, and 1 is in reach",
    Code.UNAVAILABLE: "the node is stopping",
    Code.UNKNOWN_OUTCOME: "the node stopped while the write was under way",
    Code.DEADLINE: "there was no answer in time",
    Code.STORAGE: "the disk is full",
    Code.CORRUPT: "a page of the store does not match its checksum",
    Code.DATA_LOST: "what the session has seen was on one disk only, and that is gone",
    Code.UNIMPLEMENTED: "this node does not know the operation yet",
    Code.INTERNAL: "the node made a mistake in Store (KeyError)",
}
