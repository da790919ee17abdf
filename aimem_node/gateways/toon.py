"""Rows as text for an agent: one line that names the columns, then one line for each row (TOON).

    count:2|mode:keyword|tokens_used:19
    standards[1]{namespace|title|content}:
    team|House rules|Tests come with the change.
    memories[2]{id|title|tier|namespace|priority|score|tags|content}:
    4f…|Deploy day|mid|team/api|7|0.912|ops,on\\,call|Tuesdays, never on Fridays
    9a…|Old deploy day|mid|team/api|3|0.301||Mondays

What is empty in every row has no column. The number of rows stands in front of them, so that a
text that was cut is seen to be, and no row can be taken for the next table's first line. Inside
a cell a backslash, a bar and a line break are written `\\\\`, `\\|`, `\\n` and `\\r`; in a list a
comma is `\\,` and an empty text `\\0`. A cell with parts of its own is JSON, with the same escapes
around it. So everything can be read back; only decimals are rounded, and what is absent and what
is empty look alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aimem_node.contract import codec
from aimem_node.contract.facts import Field, Shape
from aimem_node.contract.shapes import SHAPES

Columns = Mapping[type[Any], Sequence[str]]

_ESCAPES = str.maketrans({"\\": "\\\\", "|": "\\|", "\n": "\\n", "\r": "\\r"})
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_EMPTY_ITEM = "\\0"
_AS_WORDS = ("string", "enum", "timestamp")


def text(answer: Mapping[str, Any], shape: Shape, rows: str, columns: Columns | None = None) -> str:
    """An answer as JSON has it: its facts on one line, what is to be read first, its rows, the
    other lists it has.

    `columns` gives those to show of a noun, by class; all that say something of one that is not
    in it. None is for everything: what the contract calls advanced is left out otherwise.
    """
    facts, tables = [], []
    for field in sorted(shape.fields, key=lambda one: (not one.first, one.name != rows)):
        value = answer.get(field.name)
        if field.name == rows:
            tables.append(_table(field, value or [], columns))
        elif _is_left_out(field, value, columns is not None):
            continue
        elif field.repeated and field.kind == "message":
            tables.append(_table(field, value or [], columns))
        else:
            facts.append(f"{field.name}:{_cell(field, value)}")
    return "\n".join((["|".join(facts)] if facts else []) + tables)


def _table(field: Field, rows: Sequence[Mapping[str, Any]], columns: Columns | None) -> str:
    assert field.message is not None
    chosen = (columns or {}).get(field.message)
    fields = {one.name: one for one in SHAPES[field.message].fields}
    said = {
        name for row in rows for name, value in row.items() if not _is_blank(fields[name], value)
    }
    shown = [fields[name] for name in (chosen or _content_last(list(fields))) if name in said]
    named = f"{{{'|'.join(one.name for one in shown)}}}" if shown else ""
    lines = [f"{field.name}[{len(rows)}]{named}:"]
    lines += ["|".join(_cell(one, row.get(one.name)) for one in shown) for row in rows]
    return "\n".join(lines)


def _content_last(names: list[str]) -> list[str]:
    """The longest column at the end, where it does not hide the others."""
    return sorted(names, key=lambda name: name == "content")


def _is_left_out(field: Field, value: Any, compact: bool) -> bool:
    if field.name == "count" and value == 0:
        return False
    return _is_blank(field, value) or (compact and field.advanced)


def _is_blank(field: Field, value: Any) -> bool:
    """Whether a value says no more than its absence does. A zero that could be absent says more."""
    if value in _EMPTY:
        return True
    return not field.presence and not field.repeated and value == 0


def _cell(field: Field, value: Any) -> str:
    if value in _EMPTY:
        return ""
    if field.repeated and field.kind in _AS_WORDS:
        items = (str(one).translate(_ESCAPES).replace(",", "\\,") or _EMPTY_ITEM for one in value)
        return ",".join(items)
    if field.repeated or field.kind in ("message", "json"):
        return codec.dumps(_slim(field, value)).translate(_ESCAPES)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return _number(value)
    return str(value).translate(_ESCAPES)


def _number(value: float) -> str:
    """Three decimals, or three digits where there would be nothing but zeros."""
    short = f"{value:.3f}".rstrip("0").rstrip(".")
    return short if short not in ("0", "-0") or value == 0 else f"{value:.3g}"


def _slim(field: Field, value: Any) -> Any:
    """The same JSON without the fields of ours that say nothing. What is free JSON stays whole."""
    if field.repeated:
        return [_slim_one(field, one) for one in value]
    return _slim_one(field, value)


def _slim_one(field: Field, value: Any) -> Any:
    if field.kind != "message" or field.message is None:
        return value
    fields = {one.name: one for one in SHAPES[field.message].fields}
    return {name: _slim(fields[name], part) for name, part in value.items() if part not in _EMPTY}
