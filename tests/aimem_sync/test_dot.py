"""Names have one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.dot import Dot, Origin
from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX
from tests.aimem_sync.histories import ORIGINS

hexes = st.text("0123456789abcdef", min_size=48, max_size=48)
origins = hexes.map(lambda text: Origin(text[:32], text[32:]))
dots = st.builds(Dot, origins, st.integers(1, NUMBER_MAX))


@given(dots)
def test_a_name_is_read_back_as_it_was_written(dot: Dot) -> None:
    assert Dot.parse(str(dot)) == dot
    assert Origin.parse(str(dot.origin)) == dot.origin
    assert hash(Dot.parse(str(dot))) == hash(dot)


@given(dots, dots)
def test_dots_are_ordered_by_origin_then_sequence(a: Dot, b: Dot) -> None:
    def key(dot: Dot) -> tuple[str, str, int]:
        return (dot.origin.node_id, dot.origin.incarnation, dot.seq)

    assert (a < b) == (key(a) < key(b))


@pytest.mark.parametrize(
    "text",
    ["", ".", "a" * 32, f"{'a' * 32}.{'1' * 15}", f"{'A' * 32}.{'1' * 16}", f" {ORIGINS[0]}",
     f"{ORIGINS[0]}\n", f"{'g' * 32}.{'1' * 16}", f"{ORIGINS[0]}.1"],
)  # fmt: skip
def test_other_spellings_of_an_origin_are_refused(text: str) -> None:
    with pytest.raises(OpFault):
        Origin.parse(text)


@pytest.mark.parametrize(
    "seq", ["", "0", "-1", "+1", "01", "1_0", " 1", "1 ", "1\n", "٣", "1e3", str(NUMBER_MAX + 1)]
)
def test_other_spellings_of_a_dot_are_refused(seq: str) -> None:
    with pytest.raises(OpFault):
        Dot.parse(f"{ORIGINS[0]}:{seq}")


def test_two_incarnations_of_a_node_are_two_origins() -> None:
    assert ORIGINS[1].node_id == ORIGINS[2].node_id
    assert ORIGINS[1] != ORIGINS[2]
