"""What a new wire contract has lost against a released one. It may only grow.

A node of the next version speaks with nodes and clients of this one for as long as an upgrade
takes, and reads the log of this one for ever.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2

Promises = dict[str, str]
"""What was promised by what it is about. A promise is kept when it is still there, unchanged."""


def losses(released: bytes, new: bytes) -> list[str]:
    """One line for each promise that is broken; empty when the contract only grew.

    Both are serialised FileDescriptorSets.
    """
    old, now = _promises(released), _promises(new)
    broken = []
    for subject, promise in sorted(old.items()):
        if subject not in now:
            broken.append(f"{subject} is gone; it was {promise}")
        elif now[subject] != promise:
            broken.append(f"{subject} was {promise} and is {now[subject]}")
    return broken


def _promises(file_set: bytes) -> Promises:
    made: Promises = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(file_set).file:
        for message in file.message_type:
            made.update(_message(message, file.package))
        for enum in file.enum_type:
            made.update(_enum(enum, file.package))
        for service in file.service:
            made.update(_methods(service, file.package))
    return made


def _message(message: Any, outside: str) -> Iterator[tuple[str, str]]:
    name = f"{outside}.{message.name}"
    yield f"message {name}", "a message"
    for field in message.field:
        kind = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)
        label = descriptor_pb2.FieldDescriptorProto.Label.Name(field.label)
        presence = " with presence" if field.proto3_optional else ""
        promise = f"{field.name}: {label} {kind} {field.type_name}".rstrip() + presence
        yield f"field {field.number} of {name}", promise
    for nested in message.nested_type:
        yield from _message(nested, name)
    for enum in message.enum_type:
        yield from _enum(enum, name)


def _enum(enum: Any, outside: str) -> Iterator[tuple[str, str]]:
    name = f"{outside}.{enum.name}"
    yield f"enum {name}", "an enum"
    for value in enum.value:
        yield f"value {value.number} of {name}", value.name


def _methods(service: Any, outside: str) -> Iterator[tuple[str, str]]:
    for method in service.method:
        asked = "a stream of " if method.client_streaming else ""
        stream = "a stream of " if method.server_streaming else ""
        promise = f"{asked}{method.input_type} answered with {stream}{method.output_type}"
        yield f"method {outside}.{service.name}/{method.name}", promise
