"""Messages are plain values: equal when they say the same, and never changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from aimem_sync.messages import NO_BALLOT, Append
from tests.aimem_sync.cluster import AT_A, A, ops


def test_an_append_is_about_the_log_of_its_ops() -> None:
    assert Append(1, ops(AT_A, 2), 0).origin == AT_A


def test_a_message_cannot_be_changed_on_its_way() -> None:
    message = Append(1, ops(AT_A, 1), 0)
    assert message == Append(1, ops(AT_A, 1), 0)
    with pytest.raises(FrozenInstanceError):
        message.epoch = 2  # type: ignore[misc]


def test_any_ballot_beats_none() -> None:
    assert (1, A) > NO_BALLOT
