"""Write an answer as the text that an agent reads, in as few tokens as say everything.

Rows are written as a table (see toon), and unlike in ai-memory the content is always there: an
agent that must ask again for every hit has saved nothing.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Operation
from aimem_node.contract.shapes import SHAPES
from aimem_node.contract.values import Awaiting, KgNode, Memory, Outcome, WriteResult
from aimem_node.gateways import toon


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    "Every field, as JSON."
    TOON = "toon"
    "A table of every column that is not empty."
    TOON_COMPACT = "toon_compact"
    "A table of the columns that an agent works with."


COMPACT_COLUMNS: Mapping[type[Any], tuple[str, ...]] = {
    Memory: (
        "id",
        "title",
        "tier",
        "namespace",
        "priority",
        "score",
        "tags",
        "agent_id",
        "happened_at",
        "created_at",
        "archived_at",
        "archive_reason",
        "conflicts",
        "pending",
        "content",
    ),
    KgNode: (
        "target_id",
        "title",
        "target_namespace",
        "relation",
        "direction",
        "source_id",
        "depth",
        "valid_from",
        "valid_until",
        "observed_by",
        "observed_at",
    ),
}
"""What a compact row shows of a noun. Other nouns show everything they have."""


def read_format(value: Any) -> Format:
    """The format a caller asked for; raises Failure for one that does not exist."""
    try:
        return Format(value)
    except ValueError:
        words = ", ".join(Format)
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"{value!r} is not a format",
            "$.format",
            next=f"Use one of {words}.",
        ) from None


def answer_text(operation: Operation, response: Any, wanted: Format) -> str:
    """One response as text. Only operations that answer with rows have tables."""
    answer = codec.to_json(response)
    if not operation.rows or wanted is Format.JSON:
        return codec.dumps(answer)
    shape = SHAPES[type(response)]
    columns = COMPACT_COLUMNS if wanted is Format.TOON_COMPACT else None
    return toon.text(answer, shape, operation.rows, columns)


def items_text(items: Sequence[Any], more: bool) -> str:
    """The first items of a stream as JSON; `more` says that there are others."""
    shown = [codec.to_json(item) for item in items]
    return codec.dumps({"items": shown, "count": len(shown), "more": more})


def failure_text(failure: Failure) -> str:
    """`CODE at $.path: message (peer: why). Next: what to do.`"""
    place = f" at {failure.path}" if failure.path else ""
    told = failure.details.get("peers")
    peers = [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
    said = f" ({_peers_text(peers)})" if peers else ""
    text = f"{failure.code}{place}: {_sentence(failure.message.rstrip('.') + said)}"
    return f"{text} Next: {_sentence(failure.next)}" if failure.next else text


def pending_text(response: Any) -> str:
    """One line about a write that is not yet on enough nodes, or waits for approval; empty for
    every other answer."""
    write = getattr(response, "write", None)
    if isinstance(write, WriteResult) and write.outcome is Outcome.AWAITING_APPROVAL:
        return _awaiting_text(write.awaiting)
    if not isinstance(write, WriteResult) or write.outcome is not Outcome.PENDING:
        return ""
    away = [codec.to_json(one) for one in write.peers if one.state != "holds"]
    why = _peers_text(away) or write.reason or "nothing is known of the others"
    return (
        f"stored, but only on {write.acks} of {write.needed} nodes so far: {_sentence(why)} "
        "It spreads by itself as soon as they are in reach: there is no need to send it again."
    )


def _awaiting_text(awaiting: Awaiting | None) -> str:
    if awaiting is None:
        return "nothing was done yet: it waits for approval."
    return (
        f"nothing was done yet: {awaiting.reason}, says the rule {awaiting.rule!r} set at"
        f" {awaiting.set_at}. It waits under the id {awaiting.pending_id}: tell the user, and do"
        " not send it again."
    )


def _peers_text(peers: Sequence[Mapping[str, Any]]) -> str:
    """`lab-2: unreachable, silent for 3 s; lab-3: behind`."""
    return "; ".join(
        f"{one.get('name') or str(one.get('node_id', ''))[:8]}: "
        + ", ".join(str(one[part]) for part in ("state", "reason") if one.get(part))
        for one in peers
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
