"""What a row of the promises is. The rows themselves are in requirements.py."""

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How far a promise is kept."""

    TESTED = "tested"
    "Every test it names exists and must pass."
    PARTLY = "partly"
    "What is there is tested; the rest comes with the issue that it names."
    PLANNED = "planned"
    "In reach of the present work: some of the tests it names are still to be written."
    LATER = "later"
    "Comes with the issue that it names."


@dataclass(frozen=True, slots=True)
class Promise:
    """One row."""

    text: str
    """What must always be true."""
    status: Status
    tests: tuple[str, ...] = ()
    """As pytest names them: path::function, or a path for all of a file."""
    issue: int = 0
    """Which later piece of work brings the proof, or the rest of it; 0 when none is needed."""


def tested(text: str, *tests: str) -> Promise:
    """A promise whose tests exist."""
    return Promise(text, Status.TESTED, tests)


def partly(text: str, issue: int, *tests: str) -> Promise:
    """A promise of which a share is tested."""
    return Promise(text, Status.PARTLY, tests, issue)


def planned(text: str, *tests: str, issue: int = 0) -> Promise:
    """A promise within reach, some of whose tests are still to be written, under these names."""
    return Promise(text, Status.PLANNED, tests, issue)


def later(issue: int, text: str) -> Promise:
    """A promise that a later issue makes."""
    return Promise(text, Status.LATER, (), issue)
