"""A node that has just begun writes nothing before others have told how far its log went."""

from __future__ import annotations

from aimem_sync.dataplane import DataPlane, Standing
from aimem_sync.effects import Answer, Fence, Outcome, Stamp
from aimem_sync.events import NotWritten, Tick, WriteWanted
from aimem_sync.messages import Beat
from aimem_sync.startup import GRACE_US
from tests.aimem_sync.cluster import (
    AT_A,
    AT_C,
    A,
    B,
    C,
    beat,
    config,
    new_core,
    of,
    ops,
    tell,
)

AT_ONCE = WriteWanted(1, 60_000_000, allow_pending=True)
LOG = ops(AT_A, 5)


def beat_of_c() -> Beat:
    return beat(LOG, incarnation=AT_C.incarnation)


def test_a_first_write_waits_until_enough_have_told_what_they_hold() -> None:
    plane = new_core(config(A, B, C), LOG)
    assert plane.step(0, AT_ONCE) == []
    assert not of(Stamp, tell(plane, B, beat(LOG)))
    assert of(Stamp, tell(plane, C, beat_of_c())) == [Stamp(1)]
    assert plane.step(2, WriteWanted(2, 60_000_000, allow_pending=True)) == [Stamp(2)]


def test_of_five_those_are_enough_one_of_whom_holds_whatever_was_committed() -> None:
    names = [f"{number:032x}" for number in range(1, 6)]
    plane = new_core(config(*names), LOG)
    plane.step(0, AT_ONCE)
    stamped = [
        bool(of(Stamp, tell(plane, name, beat(LOG, incarnation=f"{at:016x}"))))
        for at, name in enumerate(names[1:], 20)
    ]
    assert stamped == [False, False, True, False]


def pass_by(plane: DataPlane, first_us: int, last_us: int, *, can_hear: bool = True) -> list[Stamp]:
    """Keep time as a node does that nothing holds up."""
    ticks = range(first_us, last_us + 1, 100_000)
    return [one for now_us in ticks for one in of(Stamp, plane.step(now_us, Tick(0, can_hear)))]


def test_who_hears_nobody_waits_no_longer_than_three_beats() -> None:
    plane = new_core(config(A, B, C), LOG)
    plane.step(0, Tick(0), AT_ONCE)
    assert plane.wake_at_us() == GRACE_US
    assert pass_by(plane, 0, GRACE_US - 1) == []
    assert pass_by(plane, GRACE_US, GRACE_US) == [Stamp(1)]


def test_silence_counts_for_nothing_before_the_way_to_others_is_open() -> None:
    plane = new_core(config(A, B, C), LOG)
    plane.step(0, AT_ONCE)
    assert plane.wake_at_us() == AT_ONCE.deadline_us
    assert pass_by(plane, 0, 2 * GRACE_US, can_hear=False) == []
    assert pass_by(plane, 2 * GRACE_US, 3 * GRACE_US - 1) == []
    assert pass_by(plane, 3 * GRACE_US, 3 * GRACE_US) == [Stamp(1)]


def test_the_time_for_which_a_node_was_held_up_itself_is_not_what_it_waits() -> None:
    plane = new_core(config(A, B, C), LOG)
    plane.step(0, Tick(0), AT_ONCE)
    away_us = 2 * GRACE_US
    assert pass_by(plane, away_us, away_us + GRACE_US - 100_000) == []
    assert of(Stamp, tell(plane, B, beat(LOG))) == []
    assert of(Stamp, tell(plane, C, beat_of_c())) == [Stamp(1)]


def test_a_lone_node_waits_for_nobody() -> None:
    assert new_core(config(A), LOG).step(0, AT_ONCE) == [Stamp(1)]


def test_nobody_is_waited_for_where_the_log_is_a_new_one() -> None:
    plane = DataPlane(Standing(AT_A, (config(A, B, C),), is_log_whole=True))
    assert plane.step(0, AT_ONCE) == [Stamp(1)]


def test_a_write_whose_time_is_up_is_told_that_nothing_was_written() -> None:
    plane = new_core(config(A, B, C), LOG)
    plane.step(0, Tick(0), WriteWanted(1, 1_000, allow_pending=True))
    assert plane.wake_at_us() == 1_000
    (answer,) = of(Answer, plane.step(1_000, Tick(0)))
    assert answer.outcome is Outcome.NOT_WRITTEN
    assert "has just begun" in answer.reason
    assert pass_by(plane, 0, GRACE_US) == []


def test_a_write_that_its_caller_gave_up_is_not_begun_later() -> None:
    plane = new_core(config(A, B, C), LOG)
    plane.step(0, AT_ONCE)
    plane.step(1, NotWritten(1, "the caller gave up"))
    assert pass_by(plane, 0, GRACE_US) == []


def test_an_older_image_of_the_disk_is_found_out_before_anything_is_written_on_it() -> None:
    plane = new_core(config(A, B, C), LOG[:3])
    plane.step(0, AT_ONCE)
    (fence,) = tell(plane, B, beat(LOG))
    assert isinstance(fence, Fence)
    assert plane.step(GRACE_US, Tick(0)) == []
