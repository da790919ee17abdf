"""The promises and their tests, checked both ways."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.promise import Status
from tests.requirements import PROMISES

ROOT = Path(__file__).resolve().parents[1]
NAMED = [(row, test) for row, promise in PROMISES.items() for test in promise.tests]
EXPECTED_ROWS = {
    "A": [*range(1, 13)],
    "B": [*range(1, 8), 9, 10, 11, 12, 14],
    "C": [1, 2, 4, 5, 6],
    "D": [1, 2, 3, 4, 6, 7, 8, 10, 11, 12, 13],
    "E": [1, 2, 4, 5, 8, 9, 10],
    "F": [1, 2, 3, 5],
    "G": [*range(1, 11)],
}
"""Rows are never struck out nor renumbered; the gaps were there from the first."""
THIS_ISSUE = 5
PLANNED_MAX = 0
"""Rows that may still wait for their tests. Only ever lowered, and 0 when this issue ends."""


@cache
def functions_of(path: str) -> frozenset[str]:
    """The test functions of one file; none when there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def exists(test: str) -> bool:
    """Whether a named test, or any test of a named file, is there."""
    path, _, function = test.partition("::")
    return function in functions_of(path) if function else bool(functions_of(path))


def test_every_promise_has_its_row() -> None:
    rows = {f"{letter}{number}" for letter, numbers in EXPECTED_ROWS.items() for number in numbers}
    assert set(PROMISES) == rows | {"H"}


@pytest.mark.parametrize(("row", "test"), NAMED)
def test_every_test_that_proves_a_promise_is_there(row: str, test: str) -> None:
    if PROMISES[row].status is not Status.PLANNED:
        assert exists(test), f"{row} names {test}"


@pytest.mark.parametrize("row", PROMISES)
def test_every_row_says_what_proves_it_or_when_it_will_be(row: str) -> None:
    promise = PROMISES[row]
    match promise.status:
        case Status.TESTED:
            assert promise.tests
            assert promise.issue == 0
        case Status.PLANNED:
            assert promise.tests
        case Status.PARTLY:
            assert promise.tests
            assert promise.issue > THIS_ISSUE
        case Status.LATER:
            assert not promise.tests
            assert promise.issue > THIS_ISSUE


def test_no_promise_stays_planned_once_all_its_tests_are_there() -> None:
    kept = [
        row
        for row, promise in PROMISES.items()
        if promise.status is Status.PLANNED and all(map(exists, promise.tests))
    ]
    assert kept == [], "these may be called tested, or partly, now"


def test_few_promises_wait_for_their_tests() -> None:
    waiting = [row for row, promise in PROMISES.items() if promise.status is Status.PLANNED]
    assert len(waiting) <= PLANNED_MAX, waiting


def test_a_promise_is_one_short_line_that_states_a_fact() -> None:
    for row, promise in PROMISES.items():
        assert re.fullmatch(r"[^\n]{10,110}", promise.text), row
        assert not promise.text.endswith("."), row
