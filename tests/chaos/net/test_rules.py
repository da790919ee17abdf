"""What happens to a packet, by values alone."""

import random
from typing import Any

import pytest

from chaos.net.rules import Lane, Rule

NOW_S = 100.0


def lane(seed: int = 1, **parts: Any) -> Lane:
    return Lane(Rule(**parts), random.Random(seed))


def test_a_plain_lane_sends_at_once_and_once() -> None:
    assert lane().due(1_000, NOW_S) == (NOW_S,)


def test_what_is_dropped_is_never_sent() -> None:
    assert lane(drop=True).due(40, NOW_S) == ()


def test_only_large_packets_vanish_on_a_lane_for_small_ones() -> None:
    small = lane(larger_than=180)
    assert small.due(180, NOW_S) == (NOW_S,)
    assert small.due(181, NOW_S) == ()


@pytest.mark.parametrize("seed", range(5))
def test_about_the_share_that_was_asked_for_is_lost_and_doubled(seed: int) -> None:
    lossy = lane(seed, loss=0.2, duplicate=0.1)
    times = [lossy.due(100, NOW_S) for _ in range(5_000)]
    assert 0.17 < sum(not one for one in times) / 5_000 < 0.23
    assert 0.06 < sum(len(one) == 2 for one in times) / 5_000 < 0.11


@pytest.mark.parametrize("seed", range(5))
def test_delayed_packets_keep_their_order_and_their_bounds(seed: int) -> None:
    slow = lane(seed, delay_ms=50, jitter_ms=30)
    sent = [NOW_S + at / 1000 for at in range(200)]
    arrived = [slow.due(100, at)[0] for at in sent]
    assert arrived == sorted(arrived)
    late_ms = [(there - at) * 1000 for at, there in zip(sent, arrived, strict=True)]
    assert min(late_ms) >= 20
    assert max(late_ms) <= 81
    assert len({round(one) for one in late_ms}) > 10


def test_some_packets_overtake_where_order_is_not_kept() -> None:
    loose = lane(delay_ms=50, reorder=0.3)
    arrived = [loose.due(100, NOW_S + at / 1000)[0] for at in range(200)]
    assert arrived != sorted(arrived)


def test_a_narrow_lane_takes_one_packet_after_the_other() -> None:
    narrow = lane(rate_kbit=80)  # 10 bytes a millisecond
    arrived = [narrow.due(1_000, NOW_S)[0] for _ in range(3)]
    assert arrived == pytest.approx([NOW_S + 0.1, NOW_S + 0.2, NOW_S + 0.3])
    assert narrow.due(1_000, NOW_S + 10) == pytest.approx((NOW_S + 10.1,))


def test_a_rule_survives_its_way_to_the_router() -> None:
    rule = Rule(loss=0.5, delay_ms=3, reset=True)
    assert Rule.from_json(rule.as_json()) == rule


@pytest.mark.parametrize(
    "given", [{"loss": 1.5}, {"duplicate": -0.1}, {"delay_ms": -1}, {"lose": 0.1}]
)
def test_what_is_no_rule_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Rule.from_json(given)
