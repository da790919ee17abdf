"""Each directed schedule, on the sound code."""

from collections.abc import Callable

import pytest

from tests.sim.directed import SCHEDULES
from tests.sim.directed_more import MORE_SCHEDULES

ALL = [*SCHEDULES, *MORE_SCHEDULES]


@pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: schedule.__name__)
def test_the_schedule_does_no_harm(schedule: Callable[[], None]) -> None:
    schedule()
