"""A date alone is a day where it was typed, and nothing else is touched."""

import time
from collections.abc import Iterator

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.contract.times import read_time, show_time
from aimem_node.gateways.cli import arguments, dates

SINCE = {"name": "since", "kind": "timestamp"}
AS_OF = {"name": "as_of", "kind": "timestamp"}


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def live_in(zone: pytest.MonkeyPatch, name: str) -> None:
    zone.setenv("TZ", name)
    time.tzset()


@pytest.mark.parametrize(
    ("where", "day", "begins", "ends"),
    [
        ("UTC0", "2026-02-15", "2026-02-15T00:00:00Z", "2026-02-15T23:59:59.999999Z"),
        ("CET-1", "2026-02-15", "2026-02-14T23:00:00Z", "2026-02-15T22:59:59.999999Z"),
        ("PST8", "2026-12-31", "2026-12-31T08:00:00Z", "2027-01-01T07:59:59.999999Z"),
        ("UTC0", "1969-12-31", "1969-12-31T00:00:00Z", "1969-12-31T23:59:59.999999Z"),
        ("UTC0", "2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999999Z"),
        # Clocks go forward at midnight of March 1st here: that day begins at one, and has 23 hours.
        ("ABC3ABD,M3.1.0/0,M10.1.0/0", "2026-03-01", "2026-03-01T03:00:00Z",
         "2026-03-02T01:59:59.999999Z"),
    ],
)  # fmt: skip
def test_a_date_is_the_start_of_the_day_here_and_for_as_of_its_end(
    zone: pytest.MonkeyPatch, where: str, day: str, begins: str, ends: str
) -> None:
    live_in(zone, where)
    assert arguments.typed(SINCE, day) == begins
    assert arguments.typed(AS_OF, day) == ends
    assert show_time(read_time(ends)) == ends


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-13-01", "2026-2-1", "yesterday!", "٢٠٢٦-01-01"]
)
def test_what_is_no_day_is_left_for_the_contract_to_refuse(text: str) -> None:
    assert arguments.typed(SINCE, text) == arguments.typed(AS_OF, text) == text
    with pytest.raises(Failure):
        read_time(text)


def test_a_moment_is_left_as_it_is_and_so_is_a_date_that_is_text() -> None:
    moment = "2026-02-15T00:00:00Z"
    assert arguments.typed(AS_OF, moment) == moment
    assert arguments.typed({"name": "content", "kind": "string"}, "2026-02-15") == "2026-02-15"


def test_help_says_which_end_of_the_day_is_meant() -> None:
    assert "start of that day" in dates.meaning(SINCE)
    assert "end of that day" in dates.meaning(AS_OF)
