"""Values to and from JSON, as every text surface has it: HTTP, MCP, the command line, exports.

Reading is strict and says where: a field that does not exist, a number that is text, a word
that is no word of its enum each come back with a path such as $.memories[3].tier. Writing
leaves out what is absent and nothing else, so that the shape of an answer never depends on
what is in it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.facts import Field
from aimem_node.contract.json_text import check_json, check_unicode, loads
from aimem_node.contract.shapes import SHAPES, members_of
from aimem_node.contract.times import read_time, show_time

Show = Callable[[Any], Any]
Read = Callable[[Any], Any]

_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def to_json(value: Any) -> dict[str, Any]:
    """A value as JSON has it: enums as words, times as RFC 3339, absent fields left out."""
    cls: type = type(value)
    shown: dict[str, Any] = _shower(cls)(value)
    return shown


@cache
def _shower(cls: type) -> Show:
    plan = tuple((f.name, f.attribute, _show_field(f)) for f in SHAPES[cls].fields)

    def show(value: Any) -> dict[str, Any]:
        shown = {}
        for name, attribute, convert in plan:
            item = getattr(value, attribute)
            if item is not None:
                shown[name] = item if convert is None else convert(item)
        return shown

    return show


def _show_field(field: Field) -> Show | None:
    one = _show_one(field)
    if not field.repeated:
        return one
    if one is None:
        return list
    return lambda items: [one(item) for item in items]


def _show_one(field: Field) -> Show | None:
    if field.kind == "enum":
        return attrgetter("_value_")
    if field.kind == "timestamp":
        return show_time
    if field.kind == "json":
        return dict
    if field.kind == "message":
        cls = field.message
        assert cls is not None
        return lambda item: _shower(cls)(item)  # noqa: PLW0108 - a message may hold itself
    return None


def from_json(cls: type, obj: Any, path: str = "$") -> Any:
    """The value of type cls that a JSON object says. Raises Failure INVALID_ARGUMENT with path."""
    try:
        return _reader(cls)(obj)
    except Failure as failure:
        raise failure.under(path) from None


@cache
def _reader(cls: type) -> Read:
    fields = SHAPES[cls].fields
    plan = {field.name: (field.attribute, _read_field(field)) for field in fields}
    required = tuple((field.name, field.attribute) for field in fields if field.required)

    def read(obj: Any) -> Any:
        if not isinstance(obj, Mapping):
            raise _wrong("an object", obj)
        given = {}
        for name, item in obj.items():
            known = plan.get(name)
            if known is None:
                raise _unknown(name, plan)
            if item is None:
                continue
            attribute, take = known
            try:
                given[attribute] = take(item)
            except Failure as failure:
                raise failure.under(f"$.{name}") from None
        for name, attribute in required:
            if attribute not in given:
                raise Failure(Code.INVALID_ARGUMENT, f"{name} is required", f"$.{name}")
        return cls(**given)

    return read


def _read_field(field: Field) -> Read:
    one = _read_one(field)
    if not field.repeated:
        return one

    def read_all(items: Any) -> tuple[Any, ...]:
        if isinstance(items, str) and field.kind in ("string", "enum", "timestamp"):
            items = (items,)
        if not isinstance(items, (list, tuple)):
            raise _wrong("a list", items)
        made = []
        for index, item in enumerate(items):
            try:
                made.append(one(item))
            except Failure as failure:
                raise failure.under(f"$[{index}]") from None
        return tuple(made)

    return read_all


def _read_one(field: Field) -> Read:
    if field.kind == "int":
        return _read_int(field)
    if field.kind == "enum":
        return _read_enum(field)
    if field.kind == "message":
        cls = field.message
        assert cls is not None
        return lambda item: _reader(cls)(item)  # noqa: PLW0108 - a message may hold itself
    return _READERS[field.kind]


def _read_string(item: Any) -> str:
    if not isinstance(item, str):
        raise _wrong("text", item)
    return check_unicode(item)


def _read_bool(item: Any) -> bool:
    if not isinstance(item, bool):
        raise _wrong("true or false", item)
    return item


def _read_float(item: Any) -> float:
    if isinstance(item, bool) or not isinstance(item, (int, float)):
        raise _wrong("a number", item)
    try:
        value = float(item)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Failure(Code.INVALID_ARGUMENT, "must be a finite number", "$")
    return value


def _read_int(field: Field) -> Read:
    bound = 1 << (field.bits - 1)

    def read(item: Any) -> int:
        if isinstance(item, float) and item.is_integer():
            item = int(item)
        if isinstance(item, bool) or not isinstance(item, int):
            raise _wrong("a whole number", item)
        if not -bound <= item < bound:
            raise Failure(
                Code.INVALID_ARGUMENT, f"the number does not fit into {field.bits} bits", "$"
            )
        return item

    return read


def _read_enum(field: Field) -> Read:
    members = members_of(field)

    def read(item: Any) -> Any:
        if not isinstance(item, str):
            raise _wrong("one of " + ", ".join(field.words), item)
        member = members.get(item)
        if member is None:
            raise Failure(
                Code.INVALID_ARGUMENT,
                f"{_shown(item)} is not one of {', '.join(field.words)}{_hint(item, members)}",
                "$",
            )
        return member

    return read


def _read_time(item: Any) -> int:
    if not isinstance(item, str):
        raise _wrong("an RFC 3339 time such as 2026-01-31T12:00:00Z", item)
    return read_time(item)


def _read_object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _wrong("a JSON object", item)
    check_json(item)
    return item


_READERS: Mapping[str, Read] = {
    "string": _read_string,
    "bool": _read_bool,
    "float": _read_float,
    "timestamp": _read_time,
    "json": _read_object,
}


def from_query(cls: type, pairs: Iterable[tuple[str, str]]) -> Any:
    """The value of type cls that text values say, as in ?limit=5&tags=a&tags=b&options.request_key=k.

    A field of a list may come many times, another one once. Raises Failure with the path.
    """  # noqa: E501 - a query is not to be broken
    said: dict[str, Any] = {}
    for name, text in pairs:
        _say(cls, said, name.split("."), text, "$")
    return from_json(cls, said)


def _say(cls: type, said: dict[str, Any], names: Sequence[str], text: str, path: str) -> None:
    """Put one text value into its place among what was said before."""
    name, rest = names[0], names[1:]
    shape = SHAPES[cls]
    field = shape.field(name)
    if field is None or (rest and (field.message is None or field.repeated)):
        known = [field.name for field in shape.fields]
        raise _unknown(".".join(names), known).under(path)
    here = f"{path}.{name}"
    if rest:
        assert field.message is not None
        _say(field.message, said.setdefault(name, {}), rest, text, here)
    elif field.repeated:
        said.setdefault(name, []).append(_from_text(field, text, here))
    elif name in said:
        raise Failure(Code.INVALID_ARGUMENT, f"{name} is given twice", here)
    else:
        said[name] = _from_text(field, text, here)


def _from_text(field: Field, text: str, path: str) -> Any:
    """Text as the JSON value that its field wants."""
    try:
        if field.kind == "int":
            return int(text) if _is_plain_number(text) else float(text)
        if field.kind == "float":
            return float(text)
    except ValueError:
        wanted = "a whole number" if field.kind == "int" else "a number"
        raise Failure(
            Code.INVALID_ARGUMENT, f"must be {wanted}, not {_shown(text)}", path
        ) from None
    if field.kind == "bool":
        if text.lower() not in _TRUTHS:
            raise Failure(Code.INVALID_ARGUMENT, f"must be true or false, not {_shown(text)}", path)
        return _TRUTHS[text.lower()]
    if field.kind in ("json", "message"):
        try:
            return loads(text)
        except Failure as failure:
            raise failure.under(path) from None
    return text


def _is_plain_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) <= 30


def _wrong(wanted: str, item: Any) -> Failure:
    return Failure(Code.INVALID_ARGUMENT, f"must be {wanted}, not {_kind_of(item)}", "$")


def _kind_of(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, (int, float)):
        return f"the number {item!r}" if abs(item) < 1e15 else "a very large number"
    names = {str: "text", list: "a list", tuple: "a list", type(None): "null"}
    return names.get(type(item)) or ("an object" if isinstance(item, dict) else "that")


def _unknown(name: Any, known: Iterable[str]) -> Failure:
    known = list(known)
    shown = _shown(str(name)).strip("'")
    import difflib  # only where somebody mistyped

    close = difflib.get_close_matches(str(name)[:60], known, n=1, cutoff=0.5)
    fields = ", ".join(known) if known else "none at all"
    return Failure(
        Code.INVALID_ARGUMENT,
        f"there is no field {shown!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
        f"$.{shown}",
        next=f"Fields are: {fields}.",
    )


def _hint(word: str, known: Iterable[str]) -> str:
    import difflib  # only where somebody mistyped

    close = difflib.get_close_matches(word[:60].lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _shown(text: str) -> str:
    """Text from outside in quotes: short, and printable everywhere."""
    return repr(text[:60].encode("utf-8", "replace").decode())
