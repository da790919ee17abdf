"""What moves a hit besides what it says, within bounds."""

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.values import Tier
from aimem_node.operations.lives import HALF_LIFE_US
from aimem_node.operations.ranking import MINUTE_US, Ranked, rank

NOW_US = 10**15


@dataclass
class Memory:
    record_id: str = "m"
    namespace: str = "global"
    tier: str = "mid"
    priority: int = 5
    confidence: float = 1.0
    created_us: int = NOW_US
    lamport: int = 1


def score(leaf: str = "", terms: dict[str, float] | None = None, **memory: object) -> float:
    return rank(Memory(**memory), terms or {"words": 1.0}, 1.0, NOW_US, leaf).score  # type: ignore[arg-type]


def test_a_fresh_memory_of_usual_importance_scores_what_its_terms_say() -> None:
    assert score() == pytest.approx(1.0)
    assert score(terms={"words": 0.5, "asks": -0.25}) == pytest.approx(0.25)


def test_age_takes_half_of_its_share_with_each_half_life_of_the_tier() -> None:
    half = HALF_LIFE_US[Tier.MID]
    ages = [score(created_us=NOW_US - n * half) for n in range(4)]
    losses = [a - b for a, b in pairwise(ages)]
    assert losses == pytest.approx([0.075, 0.0375, 0.01875])
    assert score(created_us=NOW_US - 10**14, tier="long") > score(created_us=NOW_US - 10**14)


def test_a_clock_that_is_ahead_makes_nothing_newer_than_now() -> None:
    assert score(created_us=NOW_US + 10**14) == score()


def test_no_factor_and_not_all_together_turn_much_into_little() -> None:
    best = score(priority=10, tier="long")
    worst = score(priority=1, tier="short", confidence=0.0, created_us=0)
    assert 0.5 < worst / best < 1
    for name, values in (("priority", (1, 10)), ("confidence", (0.0, 1.0))):
        low, high = (score(**{name: value}) for value in values)
        assert 0.7 < low / high < 1


def test_each_level_above_the_asked_namespace_counts_less() -> None:
    places = ("acme/web/shop", "acme/web", "acme")
    scores = [score("acme/web/shop", namespace=place) for place in places]
    assert scores == pytest.approx([1, 1 / 1.3, 1 / 1.6])
    assert score(namespace="acme") == 1


def test_more_against_a_hit_than_for_it_leaves_a_little() -> None:
    assert 0 < score(terms={"asks": -0.3}) < 0.01


def test_the_factors_told_make_the_score() -> None:
    memory = Memory(priority=8, confidence=0.5, tier="long", created_us=0)
    ranked = rank(memory, {"words": 0.9, "meaning": 0.4, "asks": -0.3}, 1.7, NOW_US, "global")
    told = ranked.factors
    added = sum(value for name, value in told.items() if name.startswith("+"))
    times = math.prod(value for name, value in told.items() if not name.startswith("+"))
    assert added * times == pytest.approx(ranked.score, abs=0.001)


@given(st.integers(0, MINUTE_US - 1), st.integers(0, MINUTE_US - 1), st.integers(0, 10**13))
def test_equals_of_the_same_minute_are_in_one_order_whenever_a_node_is_asked(
    one_us: int, other_us: int, later_us: int
) -> None:
    """Of requests that are served together, the one that began first may be written last."""
    minute_us = NOW_US // MINUTE_US * MINUTE_US
    early = Memory("first", created_us=minute_us + one_us)
    late = Memory("last", created_us=minute_us + other_us, lamport=2)
    found = [rank(m, {"words": 0.7}, 1.3, minute_us + later_us, "") for m in (early, late)]
    assert min(found, key=lambda one: one.order).record_id == "last"


def test_of_equals_the_one_written_last_comes_first() -> None:
    those = [Ranked(name, at, 0.5, {}, 1.0, {}) for name, at in (("b", 1), ("c", 2), ("a", 1))]
    assert [one.record_id for one in sorted(those, key=lambda one: one.order)] == ["c", "a", "b"]
