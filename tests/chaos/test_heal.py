"""One short partition, from the cut to the verdict; what it measures is for the bench to judge."""

from pathlib import Path

from chaos.heal import Round, figures_of, one_round
from chaos.team import Team


def test_after_a_partition_every_acknowledged_write_is_on_every_node(tmp_path: Path) -> None:
    team = Team(tmp_path, 3)
    try:
        found = one_round(team, 0, cut_s=1.5)
    finally:
        team.close()
    assert found.acknowledged > 0
    assert found.lost == 0
    assert 0 < found.available_s <= found.level_s


def test_a_slow_heal_and_a_lost_write_are_both_said_to_miss_the_goal() -> None:
    good = Round(20, available_s=1, level_s=2, acknowledged=9)
    assert [one.met for one in figures_of([good])] == [True, True, None, True]
    slow = Round(20, available_s=3, level_s=6, acknowledged=9, lost=1)
    assert [one.met for one in figures_of([slow])] == [False, False, None, False]
