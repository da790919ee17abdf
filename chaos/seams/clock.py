"""A wall clock that may be wrong. Durations stay right, as on a machine whose clock is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aimem_node.clocks import SystemClock

RATE_MAX: Final = 1_000.0


class WrongClock(SystemClock):
    """The machine's clock until it is told otherwise."""

    def __init__(self) -> None:
        self._wrong = (0, 0, 1.0)
        "Since when, by how much, how fast. One value, since another thread reads it."

    def now_us(self) -> int:
        """UTC, microseconds since 1970, as far as this node believes."""
        true_us = super().now_us()
        since_us, shift_us, rate = self._wrong
        return true_us + shift_us + round((true_us - since_us) * (rate - 1.0))

    def set(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """From now on it is `shift_us` off, and runs `rate` times as fast."""
        shift_us, rate = int(order.get("shift_us", 0)), float(order.get("rate", 1.0))
        if not 0 < rate < RATE_MAX:
            raise ValueError(f"a clock runs forward: rate is above 0 and below {RATE_MAX}")
        self._wrong = (super().now_us(), shift_us, rate)
        return {"now_us": self.now_us()}
