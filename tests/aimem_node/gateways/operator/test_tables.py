"""Tables: numbers stand whole at the right, names give way, and widths are counted in cells."""

import pytest

from aimem_node.gateways.cli.look import Look, cells
from aimem_node.gateways.operator.tables import Column, milliseconds, offset, since, table

NAMED = (Column("name", gives_way=True), Column("count", right=True), Column("note"))


def test_a_table_that_fits_is_as_wide_as_it_needs() -> None:
    assert table(NAMED, [["ann", "7", "x"], ["bo", "12,345", ""]], Look(False, 80)) == [
        "name   count  note",
        "ann        7  x",
        "bo    12,345",
    ]


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    assert table(NAMED, [["ann", "7", ""]], Look(False, 80))[0] == "name  count"


def test_what_gives_way_is_cut_and_a_number_never_is() -> None:
    rows = [["日本語の長い名前です" * 3, "1,234,567,890", "whole"]]
    for line in table(NAMED, rows, Look(False, 30))[1:]:
        assert line.endswith("1,234,567,890  whole")
        assert cells(line) <= 30
    # Below a point nothing can be done, and the table is rather too wide than wrong.
    (line,) = table(NAMED, rows, Look(False, 10))[1:]
    assert "1,234,567,890" in line


@pytest.mark.parametrize(
    ("ms", "said"),
    [(None, "never"), (0, "0.0 s"), (9_940, "9.9 s"), (59_000, "59 s"), (61_000, "1 min"),
     (7_200_000, "2 h"), (8 * 86_400_000, "8 d")],
)  # fmt: skip
def test_how_long_ago_is_said_in_one_unit(ms: int | None, said: str) -> None:
    assert since(ms) == said


def test_durations_and_offsets_keep_their_unit_and_sign() -> None:
    assert [milliseconds(ms) for ms in (None, 1.26, 1234.5)] == ["", "1.3 ms", "1,234 ms"]
    assert [offset(ms) for ms in (None, -3, 5_250, -7_200_000)] == ["", "-3 ms", "+5.2 s", "-2 h"]
