"""RFC 3339 and microseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.errors import Failure
from aimem_node.contract.times import TIME_US_MAX, TIME_US_MIN, read_time, show_time


@given(st.integers(TIME_US_MIN, TIME_US_MAX))
def test_every_time_survives_being_written(time_us: int) -> None:
    assert read_time(show_time(time_us)) == time_us


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_000, "1970-01-01T00:00:00.001Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (TIME_US_MIN, "0001-01-01T00:00:00Z"),
    ],
)
def test_decimals_are_none_or_three_or_six(time_us: int, text: str) -> None:
    assert show_time(time_us) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T13:00:00+01:00",
        "2026-01-31t12:00:00z",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00.000000999Z",
        "2026-01-31T06:30:00-05:30",
        "2026-01-31T11:59:60Z",
    ],
)
def test_one_moment_has_many_spellings(text: str) -> None:
    assert show_time(read_time(text)) == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "2026-W05-1",
        "2026-01-31T24:00:00Z", "2026-01-31T12:00Z", "0000-01-01T00:00:00Z", "1769860800",
        "2026-01-31T12:00:00+25:00", "٢٠٢٦-01-31T12:00:00Z", "0001-01-01T00:00:00+01:00",
        "2026-01-31T12:00:00Z\n",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(Failure):
        read_time(text)
