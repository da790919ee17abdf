"""The bench's arithmetic."""

from aimem_node.gateways.operator.bench.figures import Figure, Spread, percentile


def test_a_percentile_is_a_value_that_was_measured() -> None:
    hundred = [float(number) for number in range(100, 0, -1)]
    assert percentile(hundred, 0.50) == 50
    assert percentile(hundred, 0.95) == 95
    assert percentile(hundred, 0.99) == 99
    assert percentile(hundred, 1.0) == 100


def test_with_few_measurements_the_high_percentiles_are_the_slowest() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.95) == 3.0
    assert percentile([7.0], 0.5) == 7.0


def test_a_spread_keeps_its_order() -> None:
    spread = Spread.of([5.0, 1.0, 9.0])
    assert (spread.count, spread.p50_ms, spread.max_ms) == (3, 5.0, 9.0)


def test_a_goal_is_met_missed_or_absent() -> None:
    assert Figure("a", 5.0, "ms", 5.0).met is True
    assert Figure("a", 5.1, "ms", 5.0).met is False
    assert Figure("a", 5.1, "ms").met is None
    assert Figure("a", 999, "memories", 1000, "exactly").met is False
