"""Amounts and dates as words."""

import pytest

from aimem_node.operations.quantities import (
    are_dates,
    are_equal,
    are_quantities,
    is_approximate,
    is_quantity,
)


@pytest.mark.parametrize("token", ["8080", "3.11", "v2", "$40", "30s", "10:30", "5th", "monday"])
def test_numbers_times_and_versions_are_quantities(token: str) -> None:
    assert is_quantity(token)


@pytest.mark.parametrize("token", ["eu-west-1", "s3", "postgres", "", "port"])
def test_names_are_not(token: str) -> None:
    assert not is_quantity(token)


def test_an_amount_may_have_a_unit_and_nothing_else() -> None:
    assert are_quantities(["30", "second"])
    assert not are_quantities(["30", "people"])
    assert not are_quantities(["second"])


def test_what_says_when_is_a_date() -> None:
    for tokens in (["may", "5"], ["2026-01-05"], ["10:30"], ["1998"], ["3pm"]):
        assert are_dates(tokens), tokens
    assert not are_dates(["8080"])


@pytest.mark.parametrize(
    ("one", "other"),
    [("60 second", "1 minut"), ("30s", "30 sec"), ("1 gb", "1024 mb"), ("$5", "5 dollar"),
     ("5.0", "5"), ("v2.1", "2.1"), ("5th", "5"), ("30", "30 second")],
)  # fmt: skip
def test_one_amount_in_two_spellings_is_one(one: str, other: str) -> None:
    assert are_equal(one.split(), other.split())
    assert are_equal(other.split(), one.split())


@pytest.mark.parametrize(
    ("one", "other"), [("60 second", "2 minut"), ("3.1", "3.10.1"), ("$5", "5 kg"), ("5", "6")]
)
def test_two_amounts_are_two(one: str, other: str) -> None:
    assert not are_equal(one.split(), other.split())


def test_bounds_and_guesses_are_approximate() -> None:
    assert is_approximate(["at", "least"])
    assert not is_approximate(["port", "is"])
