"""What every made message is besides its fields: equal to its like, hashable, and readable.

A dataclass would be given these three as code of its own. There are two hundred messages, and a
node would carry a megabyte of it.
"""

from dataclasses import fields
from typing import Any


class Value:
    """A message. Its fields are declared by the made dataclass that stands on this."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        names = (field.name for field in fields(self))  # type: ignore[arg-type]
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({said})"

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
