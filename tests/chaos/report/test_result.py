"""One run in one line."""

from __future__ import annotations

import json

import pytest

from chaos.report.result import RunResult
from tests.chaos.report.composed import run


def test_a_run_comes_back_from_its_line_as_it_was() -> None:
    one = run(note='a "quoted"\nnote – ü', directory="kept/7")
    line = one.as_json()
    assert "\n" not in line
    assert RunResult.from_json(line) == one


def test_whole_numbers_come_back_as_the_durations_they_are() -> None:
    line = run().as_json().replace('"seconds":60.0', '"seconds":60')
    assert RunResult.from_json(line) == run()


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", "null", "7", '"x"', run().as_json()[:-1], run().as_json() + "x"],
)
def test_a_line_that_is_no_run_raises(line: str) -> None:
    with pytest.raises(ValueError):
        RunResult.from_json(line)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "7"), ("seed", True), ("seed", 1.0), ("fault", None), ("holds", 1),
        ("convergence", "1"), ("convergence", float("nan")), ("healed_s", [None]),
        ("healed_s", 3), ("level_s", ["x"]), ("checks", {}), ("checks", [{"name": "x"}]),
        ("checks", [{"name": "x", "tried": 1, "broken": [], "holds": True, "note": ""}]),
        ("seconds", True), ("another", 1),
    ],
)  # fmt: skip
def test_a_field_that_is_not_what_it_should_be_raises(name: str, value: object) -> None:
    given = {**json.loads(run().as_json()), name: value}
    with pytest.raises(ValueError):
        RunResult.from_json(json.dumps(given))


def test_a_field_that_is_missing_raises() -> None:
    for name in json.loads(run().as_json()):
        given = json.loads(run().as_json())
        del given[name]
        with pytest.raises(ValueError, match=name):
            RunResult.from_json(json.dumps(given))
