"""Text values of a path or a query, as the JSON that they stand for.

They become JSON and not values at once, because a body may hold the other half of the same
request. Whatever does not look like its field's kind stays text: the codec that reads the
whole then says what is wrong with it, and where.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.facts import Field
from aimem_node.contract.shapes import SHAPES

_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_AS_JSON = frozenset({"int", "float", "json", "message"})


def from_texts(fields: Sequence[Field], pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The JSON object of `?limit=5&tags=a&tags=b&options.request_key=k`.

    A field that is a list may come many times. Raises Failure for another one that does.
    """
    given: dict[str, Any] = {}
    for name, text in pairs:
        _put(fields, given, name, text, "$")
    return given


def _put(fields: Sequence[Field], given: dict[str, Any], name: str, text: str, path: str) -> None:
    first, dot, rest = name.partition(".")
    field = next((known for known in fields if known.name == first), None)
    if field is not None and dot and field.message is not None and not field.repeated:
        inner = given.setdefault(first, {})
        if isinstance(inner, dict):
            _put(SHAPES[field.message].fields, inner, rest, text, f"{path}.{first}")
            return
    if field is not None and field.repeated:
        given.setdefault(first, []).append(_value(field, text))
        return
    if name in given:
        raise Failure(Code.INVALID_ARGUMENT, f"{name} is given twice", f"{path}.{name}")
    given[name] = text if field is None or dot else _value(field, text)


def _value(field: Field, text: str) -> Any:
    if field.kind == "bool":
        return _TRUTHS.get(text.lower(), text)
    if field.kind in _AS_JSON:
        try:
            value = codec.loads(text)
        except Failure:
            return text
        # In a body null is a field left out; in a query it is somebody's mistake.
        return text if value is None else value
    return text
