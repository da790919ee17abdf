"""Values to and from protobuf bytes.

Each value class gets a plan the first time it is seen: for every field how to move it, decided
once from its declaration. A plan is a list of small functions over protobuf's C messages, which
is five times faster than asking the descriptors again for every value.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from google.protobuf.message import DecodeError

from aimem_node.contract.descriptors import contract_pool, message_class
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.facts import Field
from aimem_node.contract.json_text import check_json, dumps, loads
from aimem_node.contract.shapes import SHAPES, members_of, numbers_of
from aimem_node.contract.times import check_time

Fill = Callable[[Any, Any], None]
"""Moves a value into a protobuf message."""
Take = Callable[[Any], Any]
"""Makes a value of what a protobuf field holds; None when it counts as absent."""

_ZEROS: Mapping[str, Any] = {"string": "", "int": 0, "float": 0.0, "bool": False}


def to_wire(value: Any) -> bytes:
    """The protobuf bytes of a value. Raises Failure for a value that its types do not allow."""
    cls: type = type(value)
    message = _class_of(cls)()
    try:
        _filler(cls)(message, value)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        name = cls.__name__
        raise Failure(Code.INVALID_ARGUMENT, f"{name} cannot be sent: {error}", "$") from error
    wire: bytes = message.SerializeToString(deterministic=True)
    return wire


def from_wire(cls: type, wire: bytes) -> Any:
    """The value of type cls that protobuf bytes hold. Unknown fields are left out.

    A required field that is absent is zero: validate refuses it. Raises Failure.
    """
    try:
        message = _class_of(cls).FromString(wire)
    except DecodeError as error:
        name = cls.__name__
        raise Failure(Code.INVALID_ARGUMENT, f"these bytes are no {name}", "$") from error
    return _taker(cls)(message)


@cache
def _class_of(cls: type) -> Any:
    return message_class(contract_pool(), SHAPES[cls].full_name)


@cache
def _filler(cls: type) -> Fill:
    plan = tuple((f.name, f.attribute, _fill_field(f)) for f in SHAPES[cls].fields)

    def fill(message: Any, value: Any) -> None:
        for name, attribute, put in plan:
            item = getattr(value, attribute)
            if item is None:
                continue
            if put is None:
                setattr(message, name, item)
            else:
                put(message, item)

    return fill


def _fill_field(field: Field) -> Fill | None:
    """How to set one field; None when protobuf takes the value as it is."""
    if field.repeated:
        return _fill_repeated(field)
    name = field.name
    if field.kind == "enum":
        numbers = numbers_of(field)
        return lambda message, item: setattr(message, name, numbers[item._value_])
    if field.kind == "json":
        return lambda message, item: setattr(
            message, name, dumps(item) if item or field.presence else ""
        )
    if field.kind == "timestamp":
        return lambda message, item: _fill_time(getattr(message, name), item)
    if field.kind == "message":
        return _fill_message(field)
    return None


def _fill_message(field: Field) -> Fill:
    name, cls = field.name, field.message
    assert cls is not None

    def put(message: Any, item: Any) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        _filler(cls)(inner, item)

    return put


def _fill_repeated(field: Field) -> Fill:
    name, cls = field.name, field.message
    if cls is not None:

        def put_messages(message: Any, items: Any) -> None:
            room, fill = getattr(message, name), _filler(cls)
            for item in items:
                fill(room.add(), item)

        return put_messages
    if field.kind == "timestamp":

        def put_times(message: Any, items: Any) -> None:
            room = getattr(message, name)
            for item in items:
                _fill_time(room.add(), item)

        return put_times
    if field.kind == "enum":
        numbers = numbers_of(field)
        return lambda message, items: getattr(message, name).extend(
            numbers[item._value_] for item in items
        )
    if field.kind == "json":
        return lambda message, items: getattr(message, name).extend(dumps(item) for item in items)
    return lambda message, items: getattr(message, name).extend(items)


def _fill_time(stamp: Any, time_us: int) -> None:
    stamp.seconds, micros = divmod(time_us, 1_000_000)
    stamp.nanos = micros * 1000


@cache
def _taker(cls: type) -> Take:
    fields = SHAPES[cls].fields
    plan = {field.number: (field.attribute, _take_field(field)) for field in fields}
    zeros = {
        field.attribute: () if field.repeated else _ZEROS.get(field.kind)
        for field in fields
        if field.required
    }

    def take(message: Any) -> Any:
        given = zeros.copy()
        for described, item in message.ListFields():
            name, read = plan[described.number]
            if read is None:
                given[name] = item
                continue
            try:
                made = read(item)
            except Failure as failure:
                raise failure.under(f"$.{name}") from None
            if made is not None:
                given[name] = made
        return cls(**given)

    return take


def _take_field(field: Field) -> Take | None:
    """How to read one field; None when protobuf's value is ours."""
    one = _take_one(field)
    if not field.repeated:
        return one
    if one is None:
        return tuple

    def take_all(items: Any) -> Any:
        made = []
        for index, item in enumerate(items):
            try:
                made.append(one(item))
            except Failure as failure:
                raise failure.under(f"$[{index}]") from None
        return tuple(item for item in made if item is not None)

    return take_all


def _take_one(field: Field) -> Take | None:
    if field.kind == "enum":
        return _take_enum(field)
    if field.kind == "json":
        return _take_json
    if field.kind == "timestamp":
        return _take_time
    if field.kind == "message":
        cls = field.message
        assert cls is not None
        return lambda item: _taker(cls)(item)  # noqa: PLW0108 - a message may hold itself
    return None


def _take_enum(field: Field) -> Take:
    members, numbers = members_of(field), numbers_of(field)
    by_number: dict[int, Any] = {number: members[word] for word, number in numbers.items()}
    by_number[0] = None

    def take(number: int) -> Any:
        if number not in by_number:
            raise Failure(
                Code.INVALID_ARGUMENT, f"this version knows no value {number} of {field.name}", "$"
            )
        return by_number[number]

    return take


def _take_json(text: str) -> Any:
    if text in ("", "{}"):
        return {}
    value = loads(text)
    if not isinstance(value, dict):
        raise Failure(Code.INVALID_ARGUMENT, "must be a JSON object", "$")
    check_json(value)
    return value


def _take_time(stamp: Any) -> int:
    return check_time(stamp.seconds * 1_000_000 + stamp.nanos // 1000)
