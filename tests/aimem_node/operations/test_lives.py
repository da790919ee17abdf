"""The arithmetic of lives."""

from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.values import Tier
from aimem_node.operations.lives import higher, later, touched

tiers = st.sampled_from(list(Tier))
moments = st.integers(0, 10**16)
ends = st.none() | moments
priorities = st.integers(1, 10)


@given(
    tiers, st.none() | moments, st.integers(1, 10), st.integers(0, 50), st.integers(1, 50), moments
)
def test_being_recalled_never_shortens_a_life_or_lowers_anything(
    tier: Tier, ends: int | None, priority: int, before: int, times: int, at_us: int
) -> None:
    lived = touched(tier, ends, priority, before, times, at_us)
    assert lived.expires_us is None or (ends is not None and lived.expires_us >= ends)
    assert higher(lived.tier, tier) == lived.tier
    assert priority <= lived.priority <= 10


@given(
    tiers, st.none() | moments, st.integers(1, 10), st.integers(0, 20), st.lists(st.integers(1, 9))
)
def test_recalls_flushed_in_parts_raise_the_priority_as_if_flushed_at_once(
    tier: Tier, ends: int | None, priority: int, before: int, parts: list[int]
) -> None:
    at_once = touched(tier, ends, priority, before, sum(parts), 0).priority if parts else priority
    count, in_parts = before, priority
    for times in parts:
        in_parts = touched(tier, ends, in_parts, count, times, 0).priority
        count += times
    assert in_parts == at_once


@given(st.none() | moments, st.none() | moments)
def test_never_is_later_than_any_time(a: int | None, b: int | None) -> None:
    assert later(a, b) == later(b, a)
    assert later(a, None) is None
