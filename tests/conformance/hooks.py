"""What Schemathesis must know of our API that OpenAPI cannot say.

Loaded by its command line. Two things: which requests are not worth sending, and a check of
ours in place of its own for valid data. Its own wants every request that fits the schema to be
taken; but some values only mean something in relation to others, so ours takes a refusal that
points at a field of which that is known, and no other.
"""

import json
import re
from typing import Any

import schemathesis

WORDED = {
    "action": "an operation, or an effect",
    "actions": "operations, or effects",
    "after": "the token of an event that was",
    "agent_type": "human, system, or ai: and a name",
    "aliases": "no more with those that are there than an entity may have",
    "approver": "human, admin, agent: and an id, or consensus: and a number",
    "clear_expiry": "not true beside a time",
    "cursor": "the cursor of a page that was",
    "expires_at": "a time that is still to come",
    "holders": "members, or none, or all",
    "level": "one that leaves somebody who may change it",
    "loser_id": "another one than the winner",
    "namespace": "a namespace, or a pattern such as a/b/*, or * alone: several shapes in one field",
    "parent": "a namespace that does not inherit from this one",
    "principals": "name@node, of a node that is a member",
    "since": "a time before until",
    "source_id": "another one than the target",
    "tags": "no more with those that are there than a memory may have",
    "target_id": "another one than the source",
    "to_namespace": "an ancestor of where it is",
    "until": "a time after since",
    "url": "https, and a host outside",
    "valid_until": "a time after valid_from",
    "write_id": "the number of a write that was",
}
"""Fields whose values no schema can tell good from bad: what a good one is."""

KNOWN_ID = "0198f2c4a7d07e3c"
"""Of a memory that is there before anything is asked, and in the examples of OpenAPI."""

NOUNS = ("$.memories[", "$.links[")
"""Where requests hold what answers hold too. An answer may have empty fields that a request may
not, so their schema says little of text."""

WORDED_OPERATIONS = {
    "FindSimilar": "needs the id of a memory or a text, and not both",
    "Forget": "needs one of three filters",
    "NamespaceSetStandard": "needs the id of a memory or the content of a new one",
    "PolicySet": "needs one of four settings, and rules that can be read",
    "SetNamespaceCopies": "needs one of two settings",
}
"""Operations that want one of several fields, and so point at none, or at the first."""


@schemathesis.hook
def before_load_schema(_context: Any, raw: dict[str, Any]) -> None:
    """Leave out headers: sessions have tests of their own, and two request keys never agree."""
    for methods in raw["paths"].values():
        for described in methods.values():
            kept = [one for one in described.get("parameters", ()) if "$ref" not in one]
            described["parameters"] = kept


@schemathesis.hook
def filter_body(_context: Any, body: Any) -> bool:
    """Leave out the liberties that the node takes and does not describe."""
    return not _liberal(body)


@schemathesis.hook
def map_path_parameters(context: Any, given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Let every other id be one that exists."""
    name = (given or {}).get("id")
    if isinstance(name, str) and len(name) % 2 and context.operation.method != "delete":
        return {**(given or {}), "id": KNOWN_ID}
    return given


def _liberal(value: Any) -> bool:
    """Whether there is a null or a Windows line end in it."""
    if isinstance(value, str):
        return "\r" in value
    if isinstance(value, dict):
        return any(map(_liberal, value.values()))
    return any(map(_liberal, value)) if isinstance(value, list) else value is None


@schemathesis.check
def valid_data_is_refused_for_a_known_reason(_context: Any, response: Any, case: Any) -> None:
    """A request that fits the schema is refused as wrong only where no schema can tell."""
    if response.status_code != 400 or not case.meta.generation.mode.is_positive:
        return
    failure = json.loads(response.content)
    field = re.sub(r"\[\d+\]", "", failure["path"]).rpartition(".")[2]
    operation = case.operation.definition.raw["operationId"].partition("_")[0]
    known = field in WORDED or operation in WORDED_OPERATIONS
    if not known and not failure["path"].startswith(NOUNS):
        where, why = failure["path"], failure["error"]
        raise AssertionError(f"{operation} refuses valid data at {where}: {why}")
