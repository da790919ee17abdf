"""What a doctor finds: how bad it is, what it is, how to mend it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Grade(IntEnum):
    """How bad. The numbers are the exit codes of `aimem-node doctor`."""

    OK = 0
    "As it should be."
    WARNING = 1
    "Works now, and will trouble someone."
    ERROR = 2
    "Keeps the node from doing its work."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """Which check, in one word."""
    grade: Grade
    said: str
    mend: str = ""
    """What to do. Never empty unless the grade is OK."""

    def __post_init__(self) -> None:
        assert self.mend or self.grade is Grade.OK

    def to_json(self) -> Mapping[str, Any]:
        """As JSON."""
        return {
            "check": self.check,
            "grade": self.grade.name.lower(),
            "said": self.said,
            "mend": self.mend,
        }


def ok(check: str, said: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Grade.OK, said)


def warning(check: str, said: str, mend: str) -> Finding:
    """Works, but see to it."""
    return Finding(check, Grade.WARNING, said, mend)


def error(check: str, said: str, mend: str) -> Finding:
    """Does not work."""
    return Finding(check, Grade.ERROR, said, mend)
