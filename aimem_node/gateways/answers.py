"""Write an answer as the text that an agent reads, in as few tokens as say everything.

Rows are written as a table, one line each, after one line that names the columns (TOON). What
is empty in every row has no column, and unlike in ai-memory the content is always there: an
agent that must ask again for every hit has saved nothing.

    count:2|mode:keyword|tokens_used:19
    memories[id|title|tier|namespace|priority|score|content]:
    4f…|Deploy day|mid|team/api|7|0.912|Tuesdays, never on Fridays
    9a…|Old deploy day|mid|team/api|3|0.301|Mondays

Inside a cell a backslash, a bar and a line break are written `\\\\`, `\\|`, `\\n` and `\\r`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Operation
from aimem_node.contract.values import Memory, Outcome, WriteResult


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
    )
}
"""What a compact row shows of a noun. Other nouns show everything they have."""

_ESCAPES = str.maketrans({"\\": "\\\\", "|": "\\|", "\n": "\\n", "\r": "\\r"})
_EMPTY: tuple[Any, ...] = (None, "", [], {})


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
    values = getattr(response, operation.rows)
    columns = None
    if wanted is Format.TOON_COMPACT and values:
        columns = COMPACT_COLUMNS.get(type(values[0]))
    return _tables(answer, operation.rows, columns)


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
    """One line about a write that is not yet on enough nodes; empty for every other answer."""
    write = getattr(response, "write", None)
    if not isinstance(write, WriteResult) or write.outcome is not Outcome.PENDING:
        return ""
    away = [codec.to_json(one) for one in write.peers if one.state != "holds"]
    why = _peers_text(away) or write.reason or "nothing is known of the others"
    return (
        f"stored, but only on {write.acks} of {write.needed} nodes so far: {_sentence(why)} "
        "It spreads by itself as soon as they are in reach: there is no need to send it again."
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


def _tables(answer: Mapping[str, Any], rows: str, columns: tuple[str, ...] | None) -> str:
    facts, tables = [], [_table(rows, answer[rows], columns)]
    for name, value in answer.items():
        if name == rows or value in _EMPTY or (value == 0 and name != "count"):
            continue
        if isinstance(value, list) and isinstance(value[0], dict):
            tables.append(_table(name, value, None))
        else:
            facts.append(f"{name}:{_cell(value)}")
    return "\n".join((["|".join(facts)] if facts else []) + tables)


def _table(name: str, rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...] | None) -> str:
    seen: dict[str, None] = {}
    for row in rows:
        seen.update(dict.fromkeys(key for key, value in row.items() if not _blank(value)))
    shown = [key for key in (columns or _content_last(list(seen))) if key in seen]
    lines = [f"{name}[{'|'.join(shown)}]:"]
    lines += ["|".join(_cell(row.get(key)) for key in shown) for row in rows]
    return "\n".join(lines)


def _content_last(names: list[str]) -> list[str]:
    """The longest column at the end, where it does not hide the others."""
    return sorted(names, key=lambda name: name == "content")


def _blank(value: Any) -> bool:
    return value in _EMPTY or value == 0  # no is what the absence of a column says


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case float():
            return f"{value:.3f}".rstrip("0").rstrip(".")
        case str():
            return value.translate(_ESCAPES)
        case list() if all(isinstance(part, str) for part in value):
            return ",".join(value).translate(_ESCAPES)
        case dict() | list():
            return codec.dumps(_without_empty(value)).translate(_ESCAPES) if value else ""
        case _:
            return str(value)


def _without_empty(value: Any) -> Any:
    """The same JSON without the fields that say nothing; zero and false say something."""
    if isinstance(value, dict):
        kept = {key: _without_empty(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in _EMPTY}
    if isinstance(value, list):
        return [_without_empty(part) for part in value]
    return value
