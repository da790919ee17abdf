"""What a campaign still has to do, and what it keeps of what it has done."""

import multiprocessing
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import campaign, side_by_side
from chaos.campaign import SMOKE, Kept, Wanted, in_words, smoke_table
from chaos.faults import CLASSES
from chaos.report import RunResult, same_code
from chaos.run import Plan

RUN = RunResult(
    fault="kill", seed=1, nodes=3, w=2, cycles=10, acknowledged=400, unknown=1, lost=0,
    convergence=1.0, healed_s=(0.5, 0.7), level_s=(0.6, 0.9), checks=(), holds=True,
    seconds=40.0, commit="abc", hold_s_max=8.0,
)  # fmt: skip
WANTED = Wanted(50, ("kill", "drop"), (3,), 8.0)


def cycles(wanted: Wanted, done: list[RunResult]) -> dict[str, int]:
    found: dict[str, int] = {}
    for plan in wanted.rest(done):
        found[plan.title] = found.get(plan.title, 0) + len(plan.faults)
    return found


def test_a_campaign_has_all_cycles_of_all_classes_before_it() -> None:
    assert cycles(WANTED, []) == {"kill": 50, "drop": 50}
    both = replace(WANTED, cycles=60, sizes=(3, 5))
    assert cycles(both, []) == {"kill": 60, "drop": 60}
    fives = [plan for plan in both.rest([]) if plan.size == 5]
    assert sum(len(plan.faults) for plan in fives) == 2 * 20, "a third of each"


def test_what_was_done_before_is_not_done_again() -> None:
    assert cycles(WANTED, [RUN, RUN]) == {"kill": 30, "drop": 50}
    assert cycles(WANTED, [RUN] * 5) == {"drop": 50}
    assert cycles(WANTED, [replace(RUN, nodes=5)] * 9) == {"kill": 50, "drop": 50}


def test_classes_take_turns_and_no_two_runs_have_the_same_seed() -> None:
    plans = WANTED.rest([])
    assert [plan.title for plan in plans] == ["kill", "drop"] * 2
    done = [replace(RUN, cycles=10), replace(RUN, fault="drop", cycles=10)]
    seeds = [plan.seed for plan in (*plans[:2], *WANTED.rest(done))]
    assert len(set(seeds)) == len(seeds)


def test_runs_that_shared_the_machine_do_not_count_where_it_is_about_time() -> None:
    alone = replace(WANTED, alone=True)
    shared = replace(RUN, jobs=3)
    assert cycles(alone, [shared, RUN]) == {"kill": 40, "drop": 50}
    assert cycles(WANTED, [shared, RUN]) == {"kill": 30, "drop": 50}
    used = {plan.seed for plan in WANTED.rest([]) if plan.title == "kill"}
    new = {plan.seed for plan in alone.rest([shared, shared]) if plan.title == "kill"}
    assert new
    assert not new & used, "no seed is used twice"


def test_a_run_that_broke_early_counts_for_the_cycles_it_came_to() -> None:
    broken = replace(RUN, cycles=2, holds=False)
    assert cycles(WANTED, [broken]) == {"kill": 48, "drop": 50}


def test_runs_are_kept_and_those_of_other_code_do_not_count(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "runs")
    kept.add(RUN)
    kept.add(replace(RUN, commit="def"))
    assert Kept(tmp_path / "runs").read(lambda commit: commit == "abc") == [RUN]


def test_a_damaged_line_is_named_and_never_skipped(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add(RUN)
    with (tmp_path / campaign.RESULTS).open("a", encoding="utf-8") as file:
        file.write('{"fault": "kill"}\n')
    with pytest.raises(ValueError, match="line 2"):
        kept.read(lambda _commit: True)


def test_an_interrupted_campaign_ends_when_its_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(plan: object) -> tuple[RunResult, tuple[object, ...]]:
        made.append(str(plan))
        return replace(RUN, commit=campaign.commit()), ()

    monkeypatch.setattr(side_by_side, "make", make)
    assert len(campaign.campaign(WANTED, Kept(tmp_path), seconds_max=-1)) == 0
    assert len(campaign.campaign(WANTED, Kept(tmp_path), seconds_max=3_600)) == 4
    assert len(made) == 4


def test_a_run_beside_others_that_cannot_be_planned_ends_the_campaign_with_its_own_error() -> None:
    impossible = Plan(("no-such-class",), 3, 1)
    with pytest.raises(KeyError, match="no-such-class"):
        list(side_by_side.side_by_side([impossible] * 3, jobs=2))
    assert not multiprocessing.active_children()


def test_only_a_change_of_the_code_makes_another_commit_other_code() -> None:
    assert same_code("abc-dirty", "abc-dirty")
    assert not same_code("abc-dirty", "abc")
    assert not same_code("no such commit", "nor this one")


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ("docs/chaos-report.md", True),
        ("chaos/README.md", True),
        ("chaos/report/page.py", True),
        ("chaos/checker/model.py", False),
        ("aimem_sync/quorum.py", False),
        ("cluster-configs/lan-3/aimem.toml", False),
    ],
)
def test_how_a_verdict_is_told_is_not_what_a_run_depends_on(
    changed: str, same: bool, tmp_path: Path
) -> None:
    def git(*words: str) -> str:
        asked = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y", *words]
        return subprocess.run(asked, capture_output=True, check=True, text=True).stdout.strip()

    git("init", "-q")
    commits = []
    for text in ("before", "after"):
        (tmp_path / changed).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / changed).write_text(text, encoding="utf-8")
        git("add", "-A")
        git("commit", "-q", "-m", text)
        commits.append(git("rev-parse", "HEAD"))
    assert same_code(*commits, root=tmp_path) is same


def test_the_smoke_run_strikes_with_every_class() -> None:
    assert {name for _, names in SMOKE for name in names} == set(CLASSES)
    assert {size for size, _ in SMOKE} == {3, 5}


def test_a_broken_smoke_run_is_seen_in_its_table() -> None:
    table = smoke_table([RUN, replace(RUN, holds=False, lost=2, convergence=0.9)])
    good, bad = table.splitlines()[1:]
    assert "BROKEN" not in good
    assert "BROKEN" in bad
    assert "0.900" in bad


def test_durations_are_told_in_words() -> None:
    assert [in_words(s) for s in (20, 90, 3_600, 7_500)] == [
        "0 min", "2 min", "1 h 00 min", "2 h 05 min",
    ]  # fmt: skip
