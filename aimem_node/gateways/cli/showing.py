"""Answers for people. What a thing looks like follows from its shape, never from the operation.

A thing with an id and a title is a memory and becomes a block; other rows become a table; a
thing with children becomes a tree; the rest is one `name  value` a line. Stored text may hold
terminal escapes, so control characters are shown and never sent.
"""

from __future__ import annotations

import json
import os
import shutil
import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

ROW_CONTENT_LINES_MAX = 3
WIDTH_MAX = 100
FIRST = ("id", "name", "title", "namespace", "source_id", "relation", "target_id")
"""What names a thing comes before what else is known of it. JSON has the names in any order."""
CELL_CHARS_MAX = 72
_STYLES = {"bold": "1", "dim": "2", "tag": "36", "good": "32", "warn": "33"}


class Look:
    """How a terminal wants it: colours, width."""

    def __init__(self, colours: bool = False, width: int = 80) -> None:
        self.colours = colours
        self.width = width

    @classmethod
    def of(cls, out: TextIO) -> Look:
        """The look for a stream: colours only on a terminal, and not if NO_COLOR is set."""
        on_terminal = out.isatty()
        colours = (
            on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        width = min(shutil.get_terminal_size((WIDTH_MAX, 24)).columns, WIDTH_MAX)
        return cls(colours, width if on_terminal else WIDTH_MAX)

    def paint(self, style: str, text: str) -> str:
        """Text in a style, if there are colours."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colours and text else text


def plain(text: Any) -> str:
    """Text without control characters except newline and tab."""
    return "".join(
        char if char in "\n\t" or (ord(char) >= 32 and not 127 <= ord(char) < 160) else "\ufffd"
        for char in str(text)
    )


def answer(operation: dict[str, Any], value: Any, look: Look) -> str:
    """A whole answer."""
    rows_name = operation.get("rows")
    if not rows_name:
        return "\n".join(_thing(value, look, whole=True)) + "\n"
    rows = value.get(rows_name) or []
    lines = _rows(rows, look) if rows else [look.paint("dim", "nothing found")]
    rest = {
        name: said for name, said in value.items()
        if name not in (rows_name, "count", "next_cursor") and said not in ("", [], {}, None, 0)
    }  # fmt: skip
    told = [f"{len(rows)} found"] if rows else []
    told += [f"{name.replace('_', ' ')} {_short(said)}" for name, said in rest.items()]
    lines += ["", look.paint("dim", " · ".join(told))] if told else []
    if value.get("next_cursor"):
        lines.append(look.paint("dim", f"more: --cursor {value['next_cursor']}"))
    return "\n".join(lines) + "\n"


def item(operation: dict[str, Any], line: bytes, look: Look) -> str:
    """One item of a stream, on one line."""
    del operation
    value = json.loads(line)
    parts = [value[name] for name in _ordered(value)]
    said = [_short(part) for part in parts if part not in ("", None, [], {})]
    return look.paint("dim", said[0]) + "  " + "  ".join(said[1:]) + "\n" if said else ""


def _rows(rows: list[Any], look: Look) -> list[str]:
    if all(isinstance(row, dict) and "title" in row and "id" in row for row in rows):
        lines: list[str] = []
        for number, row in enumerate(rows, 1):
            lines += ([""] if lines else []) + _memory(row, look, f"{number}. ")
        return lines
    if all(isinstance(row, dict) for row in rows):
        return _table(rows, look)
    return [plain(row) for row in rows]


def _memory(row: dict[str, Any], look: Look, mark: str = "", whole: bool = False) -> list[str]:
    facts = [
        str(row.get("namespace") or ""), str(row.get("tier") or ""),
        f"priority {row['priority']}" if row.get("priority") else "",
        f"score {row['score']:.3f}" if isinstance(row.get("score"), (int, float)) else "",
        f"{row['conflicts']} conflicting" if row.get("conflicts") else "",
        str(row.get("life")) if row.get("life") not in (None, "live") else "",
        _moment(row.get("created_at")),
    ]  # fmt: skip
    indent = " " * len(mark)
    lines = [mark + look.paint("bold", plain(row["title"]))]
    lines += _content(plain(row.get("content") or ""), indent, look, whole)
    shown = " · ".join(plain(fact) for fact in facts if fact)
    lines.append(indent + look.paint("dim", shown))
    tags = " ".join("#" + plain(tag) for tag in row.get("tags") or [])
    identity = look.paint("dim", plain(row["id"]))
    lines.append(indent + (look.paint("tag", tags) + "  " if tags else "") + identity)
    if whole:
        known = {"title", "content", "namespace", "tier", "priority", "score", "conflicts",
                 "created_at", "tags", "id"}  # fmt: skip
        rest = {name: said for name, said in row.items() if name not in known}
        lines += ["", *_pairs(rest, look)]
    return lines


def _content(text: str, indent: str, look: Look, whole: bool) -> list[str]:
    lines: list[str] = []
    for part in text.splitlines():
        lines += textwrap.wrap(
            part, max(20, look.width), initial_indent=indent, subsequent_indent=indent,
            break_long_words=False, break_on_hyphens=False,
        ) or [""]  # fmt: skip
    if whole or len(lines) <= ROW_CONTENT_LINES_MAX:
        return lines
    return [*lines[: ROW_CONTENT_LINES_MAX - 1], lines[ROW_CONTENT_LINES_MAX - 1] + " …"]


def _table(rows: list[dict[str, Any]], look: Look) -> list[str]:
    names = [
        name
        for name in _ordered(rows[0])
        if any(row.get(name) not in ("", None, [], {}) for row in rows)
    ]
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(names)]
    head = "  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True))
    lines = [look.paint("dim", head.rstrip())]
    padded = ([c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in cells)
    return lines + ["  ".join(row).rstrip() for row in padded]


def _cell(value: Any) -> str:
    text = " ".join(_short(value).split())
    return text if len(text) <= CELL_CHARS_MAX else text[: CELL_CHARS_MAX - 1] + "…"


def _thing(value: Any, look: Look, whole: bool) -> list[str]:
    if not isinstance(value, dict):
        return [_short(value)]
    if "title" in value and "content" in value and "id" in value:
        return _memory(value, look, whole=whole)
    return _pairs(value, look)


def _pairs(value: dict[str, Any], look: Look) -> list[str]:
    """`name  value` a line, with what is large below it. Absent and empty things are left out."""
    shown = {name: value[name] for name in _ordered(value) if value[name] not in ("", None, [], {})}
    small = {name: said for name, said in shown.items() if _is_small(said)}
    width = max((len(name) for name in small), default=0)
    lines = [
        f"{look.paint('dim', name.ljust(width))}  {_short(said)}" for name, said in small.items()
    ]
    for name, said in shown.items():
        if name in small:
            continue
        lines += [""] if lines else []
        if isinstance(said, dict) and "children" in said:
            lines += _tree(said, look, 0)
        elif isinstance(said, list):
            lines += [look.paint("dim", name), *_rows(said, look)]
        else:
            lines += _thing(said, look, whole=True)
    return lines


def _ordered(value: dict[str, Any]) -> list[str]:
    return [name for name in FIRST if name in value] + [name for name in value if name not in FIRST]


def _is_small(value: Any) -> bool:
    if isinstance(value, list):
        return all(not isinstance(part, dict) for part in value) and len(value) <= 8
    if isinstance(value, dict):
        return "children" not in value and "title" not in value and len(value) <= 6
    return True


def _tree(node: dict[str, Any], look: Look, depth: int) -> list[str]:
    name = plain(node.get("name") or node.get("namespace") or "(all)")
    counts = {key: said for key, said in node.items() if isinstance(said, int) and said}
    told = ", ".join(f"{key.replace('_', ' ')} {said}" for key, said in counts.items())
    lines = ["  " * depth + name + ("  " + look.paint("dim", told) if told else "")]
    for child in node["children"]:
        lines += _tree(child, look, depth + 1)
    return lines


def _short(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return _moment(value) or plain(value)
    if isinstance(value, list):
        return ", ".join(_short(part) for part in value)
    if isinstance(value, dict):
        if "outcome" in value:
            return _outcome(value)
        said = {name: part for name, part in value.items() if part not in ("", None, [], {})}
        return " ".join(f"{name}={_short(part)}" for name, part in said.items())
    return plain(value)


def _outcome(write: dict[str, Any]) -> str:
    replayed = ", already done before" if write.get("replayed") else ""
    return (
        f"{write['outcome']}, on {write.get('acks', 0)} of {write.get('needed', 0)} disks{replayed}"
    )


def _moment(value: Any) -> str:
    """2026-11-22T18:00:31.5Z as 2026-11-22 18:00; "" for what is not a time."""
    text = str(value or "")
    if len(text) >= 20 and text[4] == text[7] == "-" and text[10] == "T" and text.endswith("Z"):
        return text[:10] + " " + text[11:16]
    return ""
