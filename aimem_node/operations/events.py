"""What an op means to someone who follows the log."""

import json

from aimem_node.contract.values import Event
from aimem_node.store.listing import Filter
from aimem_node.store.rows import PlacedOp
from aimem_node.store.view import View
from aimem_sync.op import Kind, Op

UPKEEP = frozenset({"accessed_at", "tier", "expires_at", "priority"})
"""What a flush of recalls writes. It is nobody's edit and makes no event."""


def event_of(view: View, placed: PlacedOp, wanted: Filter) -> Event | None:
    """The event that an op is, or None if it is of no interest or lies elsewhere."""
    op = placed.op
    name = event_name(op)
    if name is None:
        return None
    namespace = _namespace(view, op.record_id)
    if not lies_in(namespace, wanted):
        return None
    return Event(
        token=str(placed.pos), event=name, id=op.record_id, namespace=namespace, author=op.author,
        happened_at=op.wall_us,
    )  # fmt: skip


def event_name(op: Op) -> str | None:
    """memory_stored, memory_updated, link_added and so on; None for upkeep."""
    if op.kind == Kind.PURGE:
        return "record_purged"
    if op.kind != Kind.EDIT or op.body is None:
        return None
    said = json.loads(op.body)
    registers = said.get("set", {})
    kind = said.get("type", "")
    life = registers.get("life")
    if isinstance(life, dict) and life.get("is") in ("archived", "deleted"):
        return f"{kind}_{life['is']}"
    if kind == "link":
        return "link_added" if "body" in registers else "link_changed"
    if "facts" in registers and "over" not in said:  # it replaces nothing: the first of its record
        return f"{kind}_stored"
    if set(registers) <= UPKEEP and not said.get("tag") and not said.get("untag"):
        return None
    return f"{kind}_updated"


def _namespace(view: View, record_id: str) -> str:
    """Where a memory lies, or the source of a link; empty for what is gone."""
    link = view.link(record_id)
    row = view.memory(record_id if link is None else link.source_id)
    return "" if row is None else row.namespace


def lies_in(namespace: str, wanted: Filter) -> bool:
    """Whether a namespace is one of those that a place filter names."""
    if wanted.below:
        return namespace == wanted.below or namespace.startswith(wanted.below + "/")
    return not wanted.namespaces or namespace in wanted.namespaces
