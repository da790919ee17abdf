"""Everything that can happen is handled: no event falls through a core without a word."""

from __future__ import annotations

from typing import get_args

import pytest

from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot
from aimem_sync.events import (
    ChangeWanted,
    Digested,
    Disconnected,
    Event,
    Forced,
    Heard,
    Installed,
    Kept,
    NotKept,
    NotWritten,
    ReadWanted,
    SnapshotProgress,
    Tick,
    Truncated,
    WriteWanted,
    Wrote,
)
from aimem_sync.log import Head
from tests.aimem_sync.cluster import ABC, AT_A, A, B, beat, core, key

EXAMPLES: list[Event] = [
    Tick(0),
    Heard(key(B), beat()),
    Disconnected(B),
    SnapshotProgress(B),
    WriteWanted(1, 10),
    Wrote(1, Dot(AT_A, 1), Head(1, b"x" * 32)),
    NotWritten(1, "full"),
    Kept(99),
    NotKept(99, "full"),
    Installed({}, Cursor()),
    Truncated(Cursor()),
    ReadWanted(1, Cursor(), 0),
    ChangeWanted(1, ABC.without(B)),
    Forced(ABC.forced((A,), "another")),
    Digested(Cursor(), b"r" * 32),
]


def test_there_is_an_example_of_each() -> None:
    assert {type(event) for event in EXAMPLES} == set(get_args(Event))


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_a_core_takes_any_event_at_any_time(event: Event) -> None:
    plane = core()
    for _ in range(2):
        assert isinstance(plane.step(5, event), list)
    assert plane.me == A
