"""Only what every member has may be forgotten, and silence holds everything back."""

from __future__ import annotations

from aimem_sync.cursor import Cursor
from aimem_sync.stable import collectable, stable, truncation
from tests.aimem_sync.cluster import AT_A, AT_B, A, B, C


def test_the_slowest_member_decides_for_each_log() -> None:
    adverts = {A: Cursor({AT_A: 9, AT_B: 2}), B: Cursor({AT_A: 4, AT_B: 5})}
    assert stable([A, B], adverts) == Cursor({AT_A: 4, AT_B: 2})


def test_a_member_not_heard_of_makes_nothing_stable() -> None:
    assert stable([A, B, C], {A: Cursor({AT_A: 9}), B: Cursor({AT_A: 9})}) == Cursor()
    assert stable([], {}) == Cursor()


def test_who_does_not_belong_holds_nothing_back() -> None:
    adverts = {A: Cursor({AT_A: 9}), B: Cursor({AT_A: 9}), C: Cursor()}
    assert stable([A, B], adverts) == Cursor({AT_A: 9})


def test_names_are_forgotten_only_once_nothing_is_on_its_way() -> None:
    level = {A: Cursor({AT_A: 3}), B: Cursor({AT_A: 3})}
    assert collectable([A, B], A, level) == Cursor({AT_A: 3})
    ahead = {A: Cursor({AT_A: 3}), B: Cursor({AT_A: 3, AT_B: 1})}
    assert collectable([A, B], A, ahead) == Cursor()
    assert collectable([A, B], B, ahead) == Cursor({AT_A: 3})


def test_the_latest_ops_are_kept_however_stable() -> None:
    assert truncation(Cursor({AT_A: 9}), Cursor({AT_A: 10}), 4) == Cursor({AT_A: 6})
    assert truncation(Cursor({AT_A: 5}), Cursor({AT_A: 10}), 4) == Cursor({AT_A: 5})
    assert truncation(Cursor({AT_A: 3}), Cursor({AT_A: 3}), 4) == Cursor()
