"""Between whom a fault lies."""

import pytest

from chaos.net.shapes import every, one_off, one_way, parted, ring


def test_every_pair_is_there_both_ways() -> None:
    assert sorted(every("abc")) == [
        ("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b"),
    ]  # fmt: skip


def test_one_node_is_cut_off_from_all_others_and_nobody_else_is() -> None:
    assert sorted(one_off("abc", "b")) == [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")]


def test_a_deaf_node_is_heard_and_a_mute_one_hears() -> None:
    assert sorted(one_way("abc", "b", deaf=True)) == [("a", "b"), ("c", "b")]
    assert sorted(one_way("abc", "b", deaf=False)) == [("b", "a"), ("b", "c")]


def test_halves_cannot_talk_to_each_other_and_talk_among_themselves() -> None:
    cut = set(parted(["ab", "cde"]))
    assert len(cut) == 12
    assert not {("a", "b"), ("c", "d"), ("e", "c")} & cut


@pytest.mark.parametrize("names", ["abc", "abcd", "abcde", "abcdefg"])
def test_in_a_ring_something_is_cut_and_everybody_still_reaches_everybody_over_others(
    names: str,
) -> None:
    cut = set(ring(names))
    assert cut
    assert {(other, one) for one, other in cut} == cut
    reached, ways = {names[0]}, set(every(names)) - cut
    for _ in names:
        reached |= {other for one, other in ways if one in reached}
    assert reached == set(names)
    if len(names) > 3:
        assert all(sum(one == name for one, _ in ways) == 2 for name in names)
