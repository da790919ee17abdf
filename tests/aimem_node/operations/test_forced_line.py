"""The line between survivors: whole or refused, and the same cluster for the same choice."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.forced_line import Forced, new_cluster_id, read_line, write_line
from aimem_sync.members import Config, Member

OLD = Config(
    4, tuple(Member(f"{n}{n}", (f"k{n}",), name=f"lab-{n}") for n in "abc"), cluster_id="old"
)
FORCED = Forced("old", OLD.forced(["aa"], new_cluster_id(OLD, frozenset({"aa"}))))


def test_a_line_comes_back_as_it_was_written_however_it_was_pasted() -> None:
    line = write_line(FORCED)
    assert read_line(line) == FORCED
    assert read_line(f"  {line[:20]}\n {line[20:]}\n") == FORCED
    assert line.isascii()


@given(st.data())
def test_a_damaged_line_is_refused_and_never_read_otherwise(given: st.DataObject) -> None:
    line = write_line(FORCED)
    at = given.draw(st.integers(0, len(line) - 1))
    put = given.draw(st.sampled_from(["", "x", "A", ".", "é"]))
    harmed = line[:at] + put + line[at + 1 :]
    if harmed == line:
        return
    with pytest.raises(Failure) as raised:
        read_line(harmed)
    assert (raised.value.code, raised.value.path) == (Code.INVALID_ARGUMENT, "$.adopt")


def test_a_line_that_unpacks_to_no_end_is_refused() -> None:
    name = "x" * 4_000
    many = tuple(Member(f"{i:06}", (f"{i:06}",), name=name) for i in range(400))
    huge = Forced("old", Config(5, many, cluster_id="new"))
    with pytest.raises(Failure, match="too long"):
        read_line(write_line(huge))


def test_the_same_choice_makes_the_same_cluster_and_another_choice_another() -> None:
    one = new_cluster_id(OLD, frozenset({"aa", "bb"}))
    assert one == new_cluster_id(OLD, frozenset({"bb", "aa"}))
    later = dataclasses.replace(OLD, epoch=5)
    others = {
        new_cluster_id(OLD, frozenset({"aa"})),
        new_cluster_id(later, frozenset({"aa", "bb"})),
    }
    assert one not in others
    assert len({one, *others}) == 3
