"""One timer for many deadlines, of which only the next one matters.

Nearly every deadline is met, so most of what it is set for is over before it would ring. It is not
moved then: it rings once for nothing and is set anew, which is far cheaper than a new timer for
each thing that happens.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aimem_node.clocks import Clock

AFTER_S: Final = 0.0005
"""Rings so much later than asked for: a moment too early there would be nothing to do yet."""


class Alarm:
    """See the module. On the event loop."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._at_us = 0

    @property
    def is_set(self) -> bool:
        """Whether it will ring."""
        return self._timer is not None

    def by(self, at_us: int | None) -> None:
        """Ring at this monotonic time or before, and once; None: no sooner than it would."""
        if at_us is None or (self._timer is not None and self._at_us <= at_us):
            return
        self.stop()
        self._at_us = at_us
        delay_s = max(0, at_us - self._clock.monotonic_us()) / 1e6
        self._timer = self._loop.call_later(delay_s + AFTER_S, self._rings)

    def stop(self) -> None:
        """Ring no more until it is set again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()
