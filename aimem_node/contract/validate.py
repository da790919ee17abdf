"""Hold a value against the rules of its fields, once per call, for every surface alike.

What comes back is the value as it is to be used: titles, namespaces and tags trimmed, limits
lowered to their caps. It is the same object when nothing had to change.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from aimem_node.contract import formats
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.facts import Field
from aimem_node.contract.json_text import check_unicode, dumps
from aimem_node.contract.shapes import SHAPES
from aimem_node.contract.times import check_time

Check = Callable[[Any], Any]
"""Returns the item as it is to be used, or raises Failure with a path from the item on."""


def check(value: Any) -> Any:
    """The value as it is to be used. Raises Failure INVALID_ARGUMENT with the JSON path."""
    cls: type = type(value)
    return _checker(cls)(value)


@cache
def _checker(cls: type) -> Check:
    plan = []
    for field in SHAPES[cls].fields:
        test = _check_field(field)
        if test is not None or field.required:
            plan.append((field.name, field.attribute, test, field.required))
    steps = tuple(plan)

    def run(value: Any) -> Any:
        changed = {}
        for name, attribute, test, required in steps:
            item = getattr(value, attribute)
            if item is None or item in ((), ""):
                if required:
                    raise Failure(Code.INVALID_ARGUMENT, f"{name} is required", f"$.{name}")
                if item is None:
                    continue
            if test is None:
                continue
            try:
                kept = test(item)
            except Failure as failure:
                raise failure.under(f"$.{name}") from None
            if kept is not item:
                changed[attribute] = kept
        return replace(value, **changed) if changed else value

    return run


def _check_field(field: Field) -> Check | None:
    one = _check_one(field)
    if not field.repeated:
        return one
    if one is None and not field.items_max:
        return None

    def check_all(items: tuple[Any, ...]) -> tuple[Any, ...]:
        if field.items_max and len(items) > field.items_max:
            raise formats.refused(
                f"{field.name} has {len(items)} items; at most {field.items_max} are allowed"
            )
        if one is None:
            return items
        kept = []
        for index, item in enumerate(items):
            try:
                kept.append(one(item))
            except Failure as failure:
                raise failure.under(f"$[{index}]") from None
        same = all(new is old for new, old in zip(kept, items, strict=True))
        return items if same else tuple(kept)

    return check_all


def _check_one(field: Field) -> Check | None:
    if field.kind == "message":
        cls = field.message
        assert cls is not None
        return lambda item: _checker(cls)(item)  # noqa: PLW0108 - a message may hold itself
    if field.kind in ("int", "float"):
        return _check_number(field)
    if field.kind == "string":
        return _check_string(field)
    if field.kind == "json":
        return _check_object(field)
    if field.kind == "timestamp":
        return _named(field, check_time)
    return None


def _check_number(field: Field) -> Check:
    low, high = field.min, field.max

    def run(item: Any) -> Any:
        if not math.isfinite(item):
            raise formats.refused(f"{field.name} must be a finite number")
        if high is not None and item > high and field.capped:
            return type(item)(high)
        if (low is not None and item < low) or (high is not None and item > high):
            raise formats.refused(f"{field.name} must be {_range(low, high)}, not {item}")
        return item

    return run


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"between {_number(low)} and {_number(high)}"
    return f"at least {_number(low)}" if low is not None else f"at most {_number(high or 0)}"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def _check_string(field: Field) -> Check:
    shaped = formats.FORMATS.get(field.format)
    # A plain field says "absent" with empty text, so empty text of any format passes there.
    absent_is_empty = not field.presence and not field.repeated

    def run(item: str) -> str:
        if item == "" and absent_is_empty:
            return item
        check_unicode(item)
        kept: str = item if shaped is None else shaped(item)
        if field.chars_max and len(kept) > field.chars_max:
            raise formats.refused(f"is longer than {field.chars_max} characters ({len(kept)})")
        if field.bytes_max and len(kept) * 4 > field.bytes_max:
            size = len(kept.encode())
            if size > field.bytes_max:
                raise formats.refused(f"is longer than {field.bytes_max} bytes ({size})")
        if field.one_of and kept not in field.one_of:
            raise formats.refused(f"must be one of {', '.join(field.one_of)}")
        return kept

    return _named(field, run)


def _check_object(field: Field) -> Check:
    def run(item: Any) -> Any:
        formats.json_object(item)
        if field.bytes_max:
            size = len(dumps(item).encode())
            if size > field.bytes_max:
                raise formats.refused(f"is longer than {field.bytes_max} bytes as JSON ({size})")
        return item

    return _named(field, run)


def _named(field: Field, run: Check) -> Check:
    """The same check, with the field's name in front of what it says."""

    def named(item: Any) -> Any:
        try:
            return run(item)
        except Failure as failure:
            message = f"{field.name} {failure.message}"
            if failure.message.startswith(("the ", "not ")):
                message = f"{field.name}: {failure.message}"
            raise Failure(failure.code, message, failure.path, failure.next) from None

    return named


@dataclass(frozen=True, slots=True)
class NamespaceFilter:
    """Which namespaces are meant."""

    name: str
    'Empty for the root: with `subtree`, everything ("*").'
    subtree: bool
    "True: this namespace and everything below it. False: exactly this one."

    @property
    def exact(self) -> bool:
        """Whether only the namespace itself is meant."""
        return not self.subtree

    def covers(self, namespace: str) -> bool:
        """Whether a namespace is meant."""
        if namespace == self.name:
            return True
        return self.subtree and (not self.name or namespace.startswith(self.name + "/"))


def namespace_filter(text: str, path: str = "$.namespace") -> NamespaceFilter:
    """What callers write: a/b for exactly that, a/b/* for it and all below, * for everything.

    Raises Failure INVALID_ARGUMENT with the path.
    """
    asked = text.strip()
    if asked in ("*", "/*"):
        return NamespaceFilter(name="", subtree=True)
    try:
        name = formats.namespace(asked.removesuffix("/*"))
    except Failure as failure:
        raise Failure(
            failure.code,
            f"the namespace {failure.message}",
            path,
            next="Write a/b for one namespace, a/b/* for it and everything below, * for all.",
        ) from None
    return NamespaceFilter(name=name, subtree=asked.endswith("/*"))
