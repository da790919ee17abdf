"""The declared shape of every value class, for the code that walks values generically."""

from dataclasses import replace

from aimem_node.contract.facts import Field, Shape
from aimem_node.contract.operations import FACTS
from aimem_node.contract.values import ENUMS, MESSAGES


def _typed(field: Field) -> Field:
    if field.kind != "message":
        return field
    return replace(field, message=MESSAGES[field.type_name])


SHAPES: dict[type, Shape] = {
    MESSAGES[name]: replace(shape, fields=tuple(_typed(field) for field in shape.fields))
    for name, shape in FACTS.shapes.items()
}
"""By value class."""


def members_of(field: Field) -> dict[str, object]:
    """The members of an enum field's class by their words."""
    enum = ENUMS[field.type_name]
    return {word: enum(word) for word in field.words}


def numbers_of(field: Field) -> dict[str, int]:
    """The wire numbers of an enum field by their words."""
    return {word.word: word.number for word in FACTS.enums[field.type_name].words}
