"""A wall clock that may be wrong. Durations stay right, as on a machine whose clock is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimem_node.clocks import SystemClock


class WrongClock(SystemClock):
    """The machine's clock until it is told otherwise."""

    def __init__(self) -> None:
        self._from_us = 0
        self._shift_us = 0
        self._rate = 1.0

    def now_us(self) -> int:
        """UTC, microseconds since 1970, as far as this node believes."""
        true_us = super().now_us()
        gone_us = true_us - self._from_us
        return true_us + self._shift_us + round(gone_us * (self._rate - 1.0))

    def set(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """From now on it is `shift_us` off, and runs `rate` times as fast."""
        shift_us, rate = int(order.get("shift_us", 0)), float(order.get("rate", 1.0))
        if rate <= 0:
            raise ValueError("a clock runs forward: rate must be above 0")
        self._from_us = super().now_us()
        self._shift_us, self._rate = shift_us, rate
        return {"now_us": self.now_us()}
