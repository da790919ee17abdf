"""Any value of any message, for properties that must hold for all of them."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from aimem_node.contract.errors import Failure
from aimem_node.contract.facts import Field
from aimem_node.contract.shapes import SHAPES, members_of
from aimem_node.contract.times import TIME_US_MAX, TIME_US_MIN

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
ANY_MESSAGE = st.sampled_from(sorted(SHAPES, key=lambda cls: cls.__name__))


def one(field: Field, depth: int) -> st.SearchStrategy[Any]:
    if field.kind == "message":
        return values(field.message, depth - 1)
    if field.kind == "enum":
        return st.sampled_from(list(members_of(field).values()))
    bound = 1 << (field.bits - 1) if field.bits else 0
    return {
        "string": TEXT,
        "int": st.integers(-bound, bound - 1),
        "float": st.floats(allow_nan=False, allow_infinity=False),
        "bool": st.booleans(),
        "timestamp": st.integers(TIME_US_MIN, TIME_US_MAX),
        "json": st.dictionaries(TEXT, JSON, max_size=3),
    }[field.kind]


def of_field(field: Field, depth: int) -> st.SearchStrategy[Any]:
    if field.kind == "message" and depth <= 0:
        return st.just(() if field.repeated else None)
    inner = one(field, depth)
    if field.repeated:
        return st.lists(inner, max_size=2).map(tuple)
    may_be_absent = field.presence or field.kind in ("enum", "timestamp", "message")
    if field.required or field.default is not None or not may_be_absent:
        return inner
    return st.none() | inner


def values(cls: type, depth: int = 2) -> st.SearchStrategy[Any]:
    fields = {field.attribute: of_field(field, depth) for field in SHAPES[cls].fields}
    return st.fixed_dictionaries(fields).map(lambda given: cls(**given))


def outcome(call: Callable[..., Any], *given: Any) -> Any:
    """What a call answers, or the Failure it raises. Anything else it raises is a bug."""
    try:
        return call(*given)
    except Failure as failure:
        return failure
