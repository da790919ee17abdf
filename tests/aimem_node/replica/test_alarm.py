"""The alarm rings by the next deadline, and is not moved for one that comes later."""

import asyncio
from typing import Any

from aimem_node.clocks import SystemClock
from aimem_node.replica.alarm import Alarm


class Stage:
    """An alarm whose timers do not run: what it asked the loop for."""

    def __init__(self) -> None:
        self.clock: Any = SystemClock()
        self.clock.monotonic_us = lambda: 0
        self.rung = 0
        self.alarm = Alarm(self.clock, self.ring)

    def ring(self) -> None:
        self.rung += 1

    @property
    def in_s(self) -> float:
        timer = self.alarm._timer
        assert timer is not None
        return timer.when() - asyncio.get_running_loop().time()


def test_it_is_set_for_the_earlier_of_two_deadlines() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.alarm.by(50_000_000)
        kept = stage.alarm._timer
        stage.alarm.by(90_000_000)
        stage.alarm.by(None)
        assert stage.alarm._timer is kept
        stage.alarm.by(20_000_000)
        assert stage.in_s < 21
        stage.alarm.stop()
        assert not stage.alarm.is_set

    asyncio.run(scene())


def test_it_rings_once_and_can_be_set_again() -> None:
    async def scene() -> None:
        stage = Stage()
        rung = asyncio.Event()
        stage.alarm._ring = rung.set
        stage.alarm.by(0)
        await asyncio.wait_for(rung.wait(), 20)
        assert not stage.alarm.is_set
        rung.clear()
        stage.alarm.by(-5)  # long past
        await asyncio.wait_for(rung.wait(), 20)

    asyncio.run(scene())
