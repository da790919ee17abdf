"""A clock can be wrong without any duration being so."""

import time
from datetime import datetime

import pytest

from aimem_node.clocks import SystemClock
from aimem_node.contract.values import GetRequest
from chaos.seams.clock import WrongClock

HOUR_US = 3_600_000_000


def test_it_is_the_machines_clock_until_it_is_told_otherwise() -> None:
    before = SystemClock().now_us()
    assert before <= WrongClock().now_us() <= SystemClock().now_us()


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_a_clock_is_off_by_what_it_was_told_and_drifts_from_then_on(
    rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 1_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    clock = WrongClock()
    clock.set({"shift_us": -HOUR_US, "rate": rate})
    assert clock.now_us() == now_ns // 1000 - HOUR_US
    now_ns += 10_000_000_000
    assert clock.now_us() == 1_000_000_000 - HOUR_US + round(10_000_000 * rate)
    clock.set({})
    assert clock.now_us() == now_ns // 1000


def test_no_clock_stands_still_or_runs_backward() -> None:
    with pytest.raises(ValueError, match="runs forward"):
        WrongClock().set({"rate": 0})


def test_a_wrong_clock_shows_in_what_a_node_writes_and_not_in_how_long_it_waits(machine) -> None:
    node = machine()
    node.start(CHAOS_CLOCK=f'{{"shift_us": {2 * HOUR_US}}}')
    ahead = _created_us(node, node.store("ahead").id) - SystemClock().now_us()
    assert abs(ahead - 2 * HOUR_US) < HOUR_US // 2
    node.tell({"do": "clock", "shift_us": -HOUR_US, "rate": 1.0})
    behind = _created_us(node, node.store("behind").id) - SystemClock().now_us()
    assert abs(behind + HOUR_US) < HOUR_US // 2
    assert node.tell({"do": "ping"})["up_s"] < HOUR_US / 1e6
    assert node.titles() == {"ahead", "behind"}


def _created_us(node, record_id: str) -> int:
    said = node.ask("Get", GetRequest(id=record_id)).memory.created_at
    return said if isinstance(said, int) else round(datetime.fromisoformat(said).timestamp() * 1e6)
