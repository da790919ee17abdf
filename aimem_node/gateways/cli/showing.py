"""Answers for people. What a thing looks like follows from its shape, never from the operation.

A thing with an id and a title is a memory and becomes a block; a version of one becomes an entry
of a timeline; other rows become a table, or blocks where a table would be too wide; a thing with
children becomes a tree; the rest is one `name  value` a line. What only programs want is left
to --json.
"""

from __future__ import annotations

import json

from aimem_node.gateways.cli import facts, ruling, timeline
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.look import (
    EMPTY,
    Look,
    cells,
    cut,
    moment,
    outcome,
    padded,
    plain,
    short,
    wrapped,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

ROW_CONTENT_LINES_MAX = 3
FIRST = (
    "memory",
    "total",
    "status",
    "state",
    "ok",
    "id",
    "canonical_name",
    "agent_id",
    "name",
    "title",
    "namespace",
    "source_id",
    "relation",
    "target_id",
)
"""What names a thing comes before what else is known of it. JSON has the names in any order."""
CELL_CELLS_MAX = 72
SHORT_ID_CHARS = 8
"""Enough of an id to give it to a command."""
ALWAYS_TOLD = ("left_out", "truncated")
"""What must not be missed about rows; the rest is for --explain and --json."""
DONE = (
    "updated", "deleted", "linked", "promoted", "restored", "superseded", "resolved", "reversed",
    "registered", "set", "cleared", "cancelled", "rejected", "approved",
)  # fmt: skip
"""Answers of a write that are its verb."""
WAYS = {"mode", "rerank", "expand", "context_tokens"}
"""How to look: who says so wants to hear when it could not be done."""
NOT_FILTERS = ("limit", "explain", "cursor", *WAYS, "id", "text")
LABELS = {
    "total": "live memories", "ops": "writes in the log", "db_size_bytes": "size on disk",
    "links_count": "links", "expiring_soon": "ending within 1 h", "conflicts": "in conflict",
    "wal_size_bytes": "its log", "resident_bytes": "memory", "disk_free_bytes": "disk free",
    "uptime_secs": "up for", "potential_contradictions": "similar titles",
    "agent_id": "said by", "author": "written by", "updated_at": "changed",
    "last_accessed_at": "last recalled", "access_count": "times recalled",
    "step_id": "undone by rollback of", "secret": "secret, shown only now",
    "dispatch_count": "sent", "failure_count": "failed", "dead": "given up",
}  # fmt: skip
"""Names that people would not understand as they stand in JSON."""
NOTHING = {
    "Recall": "Try other words, or look around: aimem list",
    "Search": "All words must occur. In natural words: aimem recall",
    "List": 'Store the first one: aimem store "A title" "What is worth remembering."',
    "Namespaces": 'Store the first memory: aimem store "A title" "What is worth remembering."',
    "GetLinks": "Link it to another: aimem link ID ID",
    "KgTimeline": "Link it to another: aimem link ID ID",
    "AgentList": "Register one: aimem help agent-register",
    "PolicyGet": "Whoever may write may do everything. Set a rule: aimem help policy set",
    "ListSubscriptions": "Have events sent to a URL: aimem help subscribe",
}
"""What to do when there is nothing, by operation."""
ROW_DEFAULTS = {"life": "live", "scope": "private", "confidence": 1, "access_count": 0}
"""Facts of a memory that are worth a line only when they are otherwise."""
IN_A_BLOCK = {
    "title", "content", "namespace", "tier", "priority", "score", "conflicts", "created_at",
    "tags", "id", "expires_at", "life", "order", "write_id", "pending",
}  # fmt: skip
"""Facts that a block shows anyway, or that only programs want."""


def answer(
    operation: Mapping[str, Any], value: Any, look: Look, asked: Mapping[str, Any] | None = None
) -> str:
    """A whole answer. `asked` is what was typed, for what to try when nothing is found."""
    asked = asked or {}
    rows_name = operation.get("rows")
    if not rows_name:
        return "\n".join(_thing(value, look, whole=True)) + "\n"
    rows = value.get(rows_name) or []
    if not rows:
        beside = "".join(f"{line}\n" for line in _read_first(operation, value, look))
        without = [plain(f"without {one}") for one in value.get("unavailable") or ()]
        return beside + _nothing(operation, look, asked, without)
    reasons = {one["id"]: one["factors"] for one in value.get("reasons") or ()}
    if reasons:
        rows = [row | {"why": reasons.get(row["id"])} for row in rows]
    lines = _read_first(operation, value, look)
    lines += _rows(rows, look, value)
    told_always = (*ALWAYS_TOLD, "unavailable") if WAYS & asked.keys() else ALWAYS_TOLD
    rest = {
        name: said for name, said in value.items()
        if name not in (rows_name, "count", "next_cursor", "reasons") and said not in (*EMPTY, 0)
        and (name in told_always or asked.get("explain"))
    }  # fmt: skip
    told = [f"{len(rows)} found"]
    told += [f"{_label(name)} {short(said, name)}" for name, said in rest.items()]
    footer = wrapped(" · ".join(told), look.width)
    if value.get("next_cursor"):
        footer.append(f"more: the same with --cursor {value['next_cursor']}")
    return "\n".join([*lines, "", *(look.paint("dim", line) for line in footer)]) + "\n"


def item(operation: dict[str, Any], line: bytes, look: Look) -> str:
    """One item of a stream, on one line."""
    del operation
    value = json.loads(line)
    if isinstance(value, dict) and "event" in value:
        when = look.paint("dim", moment(value.get("happened_at"), seconds=True))
        said = [plain(value.get("id") or "")[:SHORT_ID_CHARS]]
        said += [plain(value.get(name) or "") for name in ("namespace", "author")]
        mark = look.paint("dim", f"token {plain(value.get('token'))}")
        return "  ".join([when, plain(value["event"]).ljust(15), *said, mark]) + "\n"
    parts = [short(value[name], name) for name in _ordered(value) if value[name] not in EMPTY]
    return look.paint("dim", parts[0]) + "  " + "  ".join(parts[1:]) + "\n" if parts else ""


def _read_first(operation: Mapping[str, Any], value: Mapping[str, Any], look: Look) -> list[str]:
    """What holds for whoever reads the rest, such as standards: whole, for a rule that is cut off
    is another rule."""
    lines: list[str] = []
    for name in operation.get("first", ()):
        for one in value.get(name) or ():
            where = f" of {plain(one['namespace'])}" if one.get("namespace") else ""
            mark = f"{_label(name).removesuffix('s')}{where}: "
            lines.append(look.paint("bold", mark + plain(one.get("title") or "")))
            lines += [*wrapped(plain(one.get("content") or ""), look.width, "   "), ""]
    return lines


def _nothing(
    operation: Mapping[str, Any], look: Look, asked: Mapping[str, Any], unavailable: Sequence[str]
) -> str:
    """What is said when nothing is found: what was not looked for, and what else to try."""
    filters = [
        surfaces.flag_of(field) for field in operation.get("fields", ())
        if field["name"] in asked and not field.get("positional")
        and field["name"] not in NOT_FILTERS
    ]  # fmt: skip
    hint = str(operation.get("nothing") or NOTHING.get(str(operation.get("rpc")), ""))
    if filters:
        hint = f"Try without {' and '.join(filters)}."
    lines = [look.paint("dim", line) for line in ("nothing found", *unavailable)]
    return "\n".join(lines + ([f"next: {hint}"] if hint else [])) + "\n"


def _rows(rows: list[Any], look: Look, around: Mapping[str, Any]) -> list[str]:
    """Rows, each as what it is. `around` is the answer they are part of."""
    if not all(isinstance(row, dict) for row in rows):
        return wrapped(", ".join(plain(row) for row in rows), look.width)
    if all("title" in row and "id" in row for row in rows):
        return _numbered(rows, look, _memory)
    if all("action_type" in row and "asking_rule" in row for row in rows):
        return _numbered(rows, look, ruling.waiting)
    if all("rules" in row and "namespace" in row for row in rows):
        return [line for row in rows for line in ruling.policy(row, look)]
    if all("write_id" in row and "change" in row for row in rows):
        return timeline.lines(rows, look, bool(around.get("next_cursor")))
    if all(facts.is_fact(row) for row in rows):
        return facts.lines(rows, look, around)
    if all(facts.is_pair(row) for row in rows):
        return [facts.pair(row, look) for row in rows]
    if all(facts.is_step(row) for row in rows):
        return [line for row in rows for line in facts.step(row, look)]
    if all(len(row) == 2 and "count" in row for row in rows):
        return _counts(rows)
    return _table(rows, look)


def _numbered(
    rows: list[dict[str, Any]], look: Look, block: Callable[[dict[str, Any], Look, str], list[str]]
) -> list[str]:
    lines: list[str] = []
    for number, row in enumerate(rows, 1):
        lines += ([""] if lines else []) + block(row, look, f"{number}. ")
    return lines


def _memory(row: dict[str, Any], look: Look, mark: str = "") -> list[str]:
    indent = " " * len(mark)
    lines = [mark + look.paint("bold", plain(row["title"]))]
    said = row.get("content") or row.get("payload") or ""
    content = wrapped(plain(said), look.width, indent)
    if mark and len(content) > ROW_CONTENT_LINES_MAX:
        content = content[:ROW_CONTENT_LINES_MAX]
        content[-1] += " …"
    lines += content if mark else ["", *content, ""]
    known = wrapped(" · ".join(_facts(row)), look.width, indent)
    lines += [look.paint("dim", line) for line in known]
    tags = " ".join("#" + plain(tag) for tag in row.get("tags") or [])
    identity = look.paint("dim", plain(row["id"]))
    lines.append(indent + (look.paint("tag", tags) + "  " if tags else "") + identity)
    if row.get("why"):
        why = " · ".join(f"{name} {short(said)}" for name, said in row["why"].items())
        lines += wrapped("why: " + plain(why), look.width, indent)
    if row.get("conflicts"):
        said = f"{row['conflicts']} other version stands beside this one"
        said = said if row["conflicts"] == 1 else said.replace("version stands", "versions stand")
        said += f": aimem history {str(row['id'])[:SHORT_ID_CHARS]}"
        lines.append(indent + look.paint("warn", said))
    return lines


def _facts(row: dict[str, Any]) -> list[str]:
    until = moment(row.get("expires_at"))
    life = row.get("life")
    known = [
        f"from {row['from']}" if row.get("from") else "",
        "unread" if row.get("read") is False else "",
        str(row.get("namespace") or ""),
        str(row.get("tier") or "") + (f", until {until}" if until and life != "archived" else ""),
        f"priority {row['priority']}" if row.get("priority") else "",
        f"{row['similarity']:.0%} alike" if row.get("similarity") else "",
        f"score {row['score']:.3f}" if isinstance(row.get("score"), (int, float)) else "",
        str(life) if life not in (None, "live") else "",
        "not yet on enough nodes" if row.get("pending") else "",
        moment(row.get("created_at")),
    ]
    return [plain(fact) for fact in known if fact]


def _whole_memory(row: dict[str, Any], look: Look) -> list[str]:
    """A memory with everything that is known of it."""
    rest = {
        name: said for name, said in row.items()
        if name not in IN_A_BLOCK and said != ROW_DEFAULTS.get(name)
    }  # fmt: skip
    if rest.get("author") == rest.get("agent_id"):
        rest.pop("author", None)
    return [*_memory(row, look), "", *_pairs(rest, look)]


def _counts(rows: list[dict[str, Any]]) -> list[str]:
    named = [
        (plain(next(said for name, said in row.items() if name != "count")), row["count"])
        for row in rows
    ]
    width = max(cells(name) for name, _ in named)
    digits = max(len(f"{count:,}") for _, count in named)
    return [f"{padded(name, width)}  {count:>{digits},}" for name, count in named]


def _table(rows: list[dict[str, Any]], look: Look) -> list[str]:
    names = [name for name in _ordered(rows[0]) if any(row.get(name) not in EMPTY for row in rows)]
    shown = [[cut(short(row.get(name), name), CELL_CELLS_MAX) for name in names] for row in rows]
    heads = [_label(name, rows[0]) for name in names]
    widths = [max(cells(head), *(cells(row[i]) for row in shown)) for i, head in enumerate(heads)]
    if sum(widths) + 2 * (len(widths) - 1) > look.width:
        blocks = [[*_pairs(row, look), ""] for row in rows]
        return [line for block in blocks for line in block][:-1]
    lines = ["  ".join(padded(c, w) for c, w in zip(row, widths, strict=True)) for row in shown]
    head = "  ".join(padded(h, w) for h, w in zip(heads, widths, strict=True)).rstrip()
    return [look.paint("dim", head), *(line.rstrip() for line in lines)]


def _thing(value: Any, look: Look, whole: bool) -> list[str]:
    if not isinstance(value, dict):
        return wrapped(short(value), look.width)
    if "title" in value and "content" in value and "id" in value:
        return _whole_memory(value, look) if whole else _memory(value, look)
    if "write" in value:
        return _written(value, look)
    if "verdict" in value and "rules" in value:
        return ruling.verdict(value, look)
    if "rules" in value and "namespace" in value:
        return ruling.policy(value, look)
    if isinstance(value.get("tree"), dict):
        cut_off = ["", "Some were left out; --limit takes more."] if value.get("truncated") else []
        return _tree(value["tree"], look) + cut_off
    return _pairs(value, look)


def _written(value: dict[str, Any], look: Look) -> list[str]:
    """The answer to a write: what was done first, and nothing of what was not."""
    rest = {
        name: said for name, said in value.items()
        if (said is not False or name == "found")
        and not (name.startswith("would_") and not value.get("dry_run"))
    }  # fmt: skip
    if value.get("dry_run"):
        del rest["write"]
        if "would_delete" in rest:
            rest = {"would_delete": rest["would_delete"], "dry_run": True}
    if "title" in rest and "id" in rest and isinstance(rest.get("write"), dict):
        verb = "updated" if rest.pop("duplicate", False) else "stored"
        told = " · ".join([*_facts(rest), outcome(rest["write"])])
        head = [f"{verb}  " + look.paint("bold", plain(rest["title"]))]
        head += [look.paint("dim", line) for line in wrapped(told, look.width)]
        head.append(look.paint("dim", plain(rest["id"])))
        known = {"title", "id", "namespace", "tier", "expires_at", "agent_id", "write"}
        return head + _pairs({n: said for n, said in rest.items() if n not in known}, look)
    verb = next((name for name in DONE if rest.get(name) is True), "")
    memory = rest.pop("memory", None)
    link = facts.lines([rest], look, {}) if facts.is_fact(rest) and rest.get("found", True) else []
    if link:
        rest = {name: part for name, part in rest.items() if name in ("id", "write", verb)}
    if not verb and memory is None and not link:
        return _pairs(rest, look)
    said = outcome(rest.pop("write")) if "write" in rest else ""
    head = [look.paint("bold", verb), look.paint("dim", said)]
    rest.pop(verb, None)
    lines = ["  ".join(part for part in head if part), *link, *_pairs(rest, look)]
    return [*lines, "", *_memory(memory, look)] if memory else lines


def _pairs(value: dict[str, Any], look: Look) -> list[str]:
    """`name  value` a line, with what is large below it. Absent and empty things are left out."""
    told = [*EMPTY, *(one for part in value.values() if isinstance(part, list) for one in part
                      if isinstance(one, dict))]  # fmt: skip
    shown = {name: value[name] for name in _ordered(value) if value[name] not in told}
    small = {name: said for name, said in shown.items() if _is_small(said)}
    width = max((len(_label(name, value)) for name in small), default=0)
    before: list[str] = []
    lines: list[str] = []
    for name, said in small.items():
        first, *more = wrapped(short(said, name), look.width - width - 2) or [""]
        lines.append(f"{look.paint('dim', _label(name, value).ljust(width))}  {first}".rstrip())
        lines += [" " * (width + 2) + line for line in more]
    for name, said in shown.items():
        if name in small:
            continue
        if name == "memory":
            before = [*_thing(said, look, whole=True), *([""] if lines else [])]
            continue
        lines += [""] if lines or before else []
        if isinstance(said, dict) and "children" in said:
            lines += _tree(said, look)
        elif isinstance(said, list):
            inner = Look(look.colours, look.width - 2)
            lines.append(look.paint("dim", _label(name)))
            lines += [f"  {line}".rstrip() for line in _rows(said, inner, value)]
        else:
            lines += _thing(said, look, whole=True)
    return before + lines


def _label(name: str, beside: Mapping[str, Any] | None = None) -> str:
    """What people call it. `beside` is the thing that it is a fact of."""
    if name == "agent_id" and beside and "agent_type" in beside:
        return "agent"
    return LABELS.get(name, name.replace("_", " "))


def _ordered(value: dict[str, Any]) -> list[str]:
    return [name for name in FIRST if name in value] + [name for name in value if name not in FIRST]


def _is_small(value: Any) -> bool:
    if isinstance(value, list):
        return all(not isinstance(part, dict) for part in value) and len(value) <= 8
    if isinstance(value, dict):
        named = value.keys() <= {"id", "title"}
        return named or not {"children", "title", "rules"} & value.keys()
    return True


def _tree(node: dict[str, Any], look: Look, lead: str = "", branch: str = "") -> list[str]:
    name = plain(node.get("namespace" if not branch else "name") or "")
    count = int(node.get("count") or 0)
    below = int(node.get("subtree_count") or 0) - count
    if not name:
        name, count, below = "all", count + below, 0
    told = [f"{count:,}"] if count else []
    told += [look.paint("dim", f"{below:,} below")] if below > 0 else []
    lines = [f"{lead}{branch}{name}  {', '.join(told)}".rstrip()]
    inner = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
    children = node["children"]
    for child in children:
        lines += _tree(child, look, inner, "└─ " if child is children[-1] else "├─ ")
    return lines
