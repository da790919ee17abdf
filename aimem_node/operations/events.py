"""What an op means to someone who follows the log, and who may be told of it.

An event says who did what to which record, and never what it says. It is told to whoever sees the
record as it stands now: of a memory that is out of sight nothing is heard, not even that it is
there. What was erased is no more than an id, which only those hear of who are bounded by no place.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Event
from aimem_node.operations.identity import AGENT, REGISTERED, principal_of
from aimem_node.operations.sight_of import concerns
from aimem_node.store.listing import Filter
from aimem_node.store.rows import PlacedOp
from aimem_node.store.sight import MESSAGES, Sight, lies_below
from aimem_node.store.view import View
from aimem_sync.op import Kind, Op

UPKEEP = frozenset({"accessed_at", "tier", "expires_at", "priority"})
"""What a flush of recalls writes. It is nobody's edit and makes no event."""
BOOKKEEPING: Final = frozenset({"told", "sealed"})
"""What the deliverer of a subscription writes."""
PURGED: Final = "record_purged"
OF_NAMESPACES: Final = frozenset({"policy", "standard", "copies"})
"""Kinds of records that are named after the namespace they are about."""
OF_ALL: Final = frozenset({"pending", "step"})
"""Kinds of records, named after nothing, that concern whoever is bounded by no place."""
EVENTS: Final = frozenset(
    {
        "memory_stored", "memory_updated", "memory_archived", "memory_deleted", PURGED,
        "message_sent", "message_read", "message_unread",
        "link_added", "link_changed", "link_invalidated", "link_archived", "link_deleted",
        "entity_registered", "entity_updated",
        "agent_registered", "agent_updated",
        "standard_set", "policy_set", "copies_set",
        "pending_requested", "pending_voted", "pending_decided",
        "subscription_added", "subscription_updated", "subscription_deleted",
        "curation_done", "curation_undone",
    }
)  # fmt: skip
"""Every event that can happen."""


def event_of(
    view: View, placed: PlacedOp, wanted: Filter, sight: Sight | None = None
) -> Event | None:
    """The event that an op is; None if it is of no interest, lies elsewhere or is out of sight."""
    op = placed.op
    said = said_in(op)
    name = _name(op, said)
    if name is None:
        return None
    namespace, is_seen = place_of(view, op, said, sight)
    if not is_seen or not lies_in(namespace, wanted):
        return None
    return Event(
        token=str(placed.pos), event=name, id=op.record_id, namespace=namespace, author=op.author,
        happened_at=op.wall_us, agent_id=agent_in(said),
    )  # fmt: skip


def event_name(op: Op) -> str | None:
    """memory_stored, memory_updated, link_added and so on, of EVENTS; None for upkeep."""
    return _name(op, said_in(op))


def event_names(text: str | None, path: str = "$.events") -> frozenset[str]:
    """Names of events as callers write them, joined by commas; none for all.

    Raises INVALID_ARGUMENT for one that never happens.
    """
    names = {name.strip() for name in (text or "").split(",") if name.strip()}
    for name in sorted(names - {"*"}):
        if name not in EVENTS:
            raise Failure(
                Code.INVALID_ARGUMENT,
                f"there is no event {name!r}",
                path=path,
                next=f"Choose from {', '.join(sorted(EVENTS))}, or give *.",
            )
    return frozenset() if "*" in names else frozenset(names)


def lies_in(namespace: str, wanted: Filter) -> bool:
    """Whether a namespace is one of those that a place filter names."""
    if wanted.below:
        return lies_below(namespace, wanted.below)
    return not wanted.namespaces or namespace in wanted.namespaces


def said_in(op: Op) -> Mapping[str, Any]:
    """What an edit says; nothing if its body is not here, or is no edit."""
    if op.kind != Kind.EDIT or op.body is None:
        return {}
    try:
        said = json.loads(op.body)
    except ValueError:  # damaged here; an audit says so
        return {}
    return said if isinstance(said, dict) else {}


def _name(op: Op, said: Mapping[str, Any]) -> str | None:
    if op.kind == Kind.PURGE:
        return PURGED
    if not said:
        return None
    kind, registers = str(said.get("type", "")), said.get("set", {})
    is_first = "over" not in said  # it replaces nothing: the first of its record
    life = registers.get("life")
    word = life.get("is") if isinstance(life, dict) else ""
    if kind == "memory":
        return _of_memory(said, registers, word, is_first)
    if kind == "dead":
        return None
    if kind != "step" and word in ("archived", "deleted") and f"{kind}_{word}" in EVENTS:
        return f"{kind}_{word}"
    return _of_other(kind, registers, is_first)


def _of_memory(
    said: Mapping[str, Any], registers: Mapping[str, Any], word: Any, is_first: bool
) -> str | None:
    if word in ("archived", "deleted"):
        return f"memory_{word}"
    if "facts" in registers and is_first:
        is_message = lies_below(str(registers.get("namespace", "")), MESSAGES)
        return "message_sent" if is_message else "memory_stored"
    if "read" in registers:
        return "message_unread" if registers["read"] is None else "message_read"
    if set(registers) <= UPKEEP and not said.get("tag") and not said.get("untag"):
        return None
    return "memory_updated"


def _of_other(kind: str, registers: Mapping[str, Any], is_first: bool) -> str | None:
    """Of records that are no memories. One of a kind that this version does not know is none."""
    if kind == "link":
        if "body" in registers:
            return "link_added"
        return "link_changed" if registers.get("valid_until") is None else "link_invalidated"
    if kind == "subscription":
        if set(registers) <= BOOKKEEPING:
            return None
        return "subscription_added" if is_first else "subscription_updated"
    if kind == "pending":
        if "decided" in registers:
            return "pending_decided"
        return "pending_requested" if is_first else "pending_voted"
    if kind == AGENT:
        return "agent_registered" if REGISTERED in registers else "agent_updated"
    if kind == "entity":
        return "entity_registered" if is_first else "entity_updated"
    if kind == "step":
        return "curation_done" if is_first else "curation_undone"
    return f"{kind}_set" if kind in OF_NAMESPACES else None


def place_of(view: View, op: Op, said: Mapping[str, Any], sight: Sight | None) -> tuple[str, bool]:
    """The namespace that an event belongs to, empty for none, and whether it may be told."""
    kind, _, name = op.record_id.partition(":")
    link = view.link(op.record_id)
    ids = [op.record_id] if link is None else [link.source_id, link.target_id]
    if link is None and kind == "entity" and said:
        ids = [name]
    rows = [row for row in map(view.memory, ids) if row is not None]
    if rows:
        seen = sight is None or (len(rows) == len(ids) and all(map(sight.sees, rows)))
        return rows[0].namespace, seen
    if sight is None:
        return name if kind in OF_NAMESPACES and name != "*" else "", True
    if kind == AGENT:
        return "", True
    if kind in OF_NAMESPACES:
        within = concerns(sight.place, name)
        return "" if name == "*" else name, within and not sight.narrowed_to
    if principal_of(op.author, op.dot) in sight.own:
        return "", True
    # What others have set up, as a subscription, is theirs.
    return "", not sight.narrows and (op.kind == Kind.PURGE or kind in OF_ALL)


def agent_in(said: Mapping[str, Any]) -> str:
    """Who spoke, where the op says so: a memory's first op, a link, a message."""
    registers = said.get("set", {})
    for register, name in (("facts", "agent_id"), ("body", "observed_by")):
        value = registers.get(register)
        if isinstance(value, dict) and isinstance(value.get(name), str):
            return str(value[name])
    return ""
