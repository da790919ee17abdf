"""Effects are plain values, and an outcome is one of three words."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import get_args

from aimem_sync.effects import Answer, Effect, Outcome


def test_every_effect_is_a_frozen_value() -> None:
    kinds = get_args(Effect)
    assert len(kinds) > 10
    assert all(is_dataclass(kind) and kind.__dataclass_params__.frozen for kind in kinds)


def test_there_are_three_outcomes_and_no_fourth() -> None:
    assert [outcome.value for outcome in Outcome] == ["committed", "not_written", "pending"]
    assert Answer(1, Outcome.PENDING) == Answer(1, Outcome.PENDING, (), 0, "")
