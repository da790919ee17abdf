"""What a question says of when, and how well a moment fits it."""

from datetime import UTC, datetime

import pytest

from aimem_node.operations.dates import AskedDates, asked_dates


def at(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, 12, tzinfo=UTC).timestamp() * 1_000_000)


def dates(years: set[int], months: set[int], days: set[int]) -> AskedDates:
    return AskedDates(frozenset(years), frozenset(months), frozenset(days))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What did we decide in May 2023?", dates({2023}, {5}, set())),
        ("Who called on 5 June?", dates(set(), {6}, {5})),
        ("the outage of June 5th, 2022", dates({2022}, {6}, {5})),
        ("logs of 2022-01-14", dates({2022}, {1}, {14})),
        ("everything of 2021-11", dates({2021}, {11}, set())),
        ("Was haben wir im März besprochen?", dates(set(), {3}, set())),
        ("la réunion du 3 février", dates(set(), {2}, {3})),
        ("between January and March", dates(set(), {1}, set())),
        ("what may go wrong", dates(set(), set(), set())),
        ("march on, Jan", dates(set(), set(), set())),
        ("port 2022 of the host", dates({2022}, set(), set())),
        ("route 66", dates(set(), set(), set())),
        ("", dates(set(), set(), set())),
    ],
)
def test_a_question_says_of_when(text: str, found: AskedDates) -> None:
    assert asked_dates(text) == found
    assert bool(asked_dates(text)) is bool(found.years or found.months)


def test_a_moment_fits_as_far_as_it_has_what_was_asked_for() -> None:
    asked = asked_dates("on 5 June 2023")
    assert asked.fit(at(2023, 6, 5)) == 1.0
    fits = [
        asked.fit(at(2023, 6, 5)),
        asked.fit(at(2023, 6, 9)),
        asked.fit(at(2023, 7, 5)),
        asked.fit(at(2020, 7, 5)),
    ]
    assert fits == sorted(fits, reverse=True)
    assert len(set(fits)) == 4
    assert fits[-1] == 0.0


def test_the_same_day_of_another_month_does_not_fit() -> None:
    assert asked_dates("on 5 June").fit(at(2023, 7, 5)) == 0.0


def test_a_moment_beyond_the_calendar_fits_nothing() -> None:
    assert asked_dates("in 2023").fit(1 << 62) == 0.0
