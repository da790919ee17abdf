"""Many runs added up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaos.report import RunResult, campaign_markdown, campaign_page
from chaos.report.adding import Sum, by_check, by_class, command, missed, seconds, share
from tests.chaos.report.composed import Page, run


def check(name: str, broken: int = 0, tried: int = 9) -> dict[str, object]:
    return {"name": name, "tried": tried, "broken": broken, "holds": not broken, "note": ""}


RUNS = [
    run(fault="kill", nodes=5, w=3, seed=1, acknowledged=10, healed_s=(1.0, 1.0)),
    run(fault="kill", nodes=3, seed=2, acknowledged=20),
    run(fault="kill", nodes=3, seed=3, acknowledged=30, level_s=(0.5, 9.0)),
    run(fault="evict", nodes=3, seed=9, acknowledged=40, lost=2, convergence=0.9999, holds=False,
        checks=(check("(a) there", 2), check("(b) nowhere")), directory="kept/9"),
]  # fmt: skip


def missing(one: Sum) -> list[str]:
    return [goal.short for goal in missed(one)]


def test_sums_of_classes_add_up_to_the_total() -> None:
    sums, total = by_class(RUNS), Sum.of(RUNS)
    assert [(one.fault, one.nodes, one.runs) for one in sums] == [
        ("kill", 3, 2), ("kill", 5, 1), ("evict", 3, 1),
    ]  # fmt: skip
    for name in ("runs", "cycles", "acknowledged", "unknown", "lost", "broken", "seconds"):
        assert sum(getattr(one, name) for one in sums) == getattr(total, name)
    assert sum(one.level.count for one in sums) == total.level.count == 8
    assert min(one.convergence for one in sums) == total.convergence == 0.9999
    assert total.level.max == 9.0


def test_a_check_is_added_up_over_the_runs_that_have_it() -> None:
    there, nowhere = by_check(RUNS)
    assert (there.runs, there.tried, there.broken, there.failed_runs) == (4, 36, 2, 1)
    assert (nowhere.runs, nowhere.tried, nowhere.failed_runs) == (1, 9, 0)


def test_a_share_is_never_rounded_up_to_one() -> None:
    assert [share(x) for x in (1.0, 0.99999, 0.995, 0.57)] == ["1.000", "0.999", "0.995", "0.570"]


def test_a_duration_is_never_rounded_down_below_a_goal() -> None:
    assert [seconds(x) for x in (5.0, 5.0001, 1.1, 0.29, None)] == [
        "5.00 s", "5.01 s", "1.10 s", "0.29 s", "–",
    ]  # fmt: skip


def test_goals_are_met_by_good_runs() -> None:
    assert missing(Sum.of([run(), run()])) == []


@pytest.mark.parametrize(
    ("one", "goals"),
    [
        (run(lost=1), ["lost"]),
        (run(convergence=0.9999), ["convergence"]),
        (run(level_s=(1.0, 5.1)), ["all level"]),
        (run(healed_s=(0.1, 2.1)), ["writes again"]),
        (run(holds=False), ["runs broken"]),
    ],
)
def test_each_goal_is_missed_by_what_misses_it(one: RunResult, goals: list[str]) -> None:
    assert missing(Sum.of([one])) == goals


def test_a_cycle_without_a_time_meets_no_goal() -> None:
    assert missing(Sum.of([run(level_s=(1.0,), healed_s=())])) == ["all level", "writes again"]


def test_a_run_that_never_healed_meets_no_goal_by_the_times_of_what_did_heal() -> None:
    struck = {**check("every fault struck, and the cluster healed", 1, 3)}
    early = run(cycles=2, holds=False, checks=(struck,))
    one = Sum.of([early, run()])
    assert (one.healed.missing, one.level.missing) == (1, 1)
    assert missing(one) == ["all level", "writes again", "runs broken"]
    page = Page(campaign_page([early, run()]))
    assert page.row("all nodes hold the same, p95")[2:] == ["2.00 s, and no time in 1", "MISSED"]


def test_a_time_too_many_in_one_run_does_not_stand_for_one_that_is_missing_in_another() -> None:
    runs = [run(healed_s=(0.1,) * 3), run(healed_s=(0.1,))]
    assert missing(Sum.of(runs)) == ["writes again"]


def test_goals_of_time_are_judged_by_runs_alone_only_if_every_class_and_size_has_some() -> None:
    shared = run(jobs=3, healed_s=(9.0, 9.0))
    alone = run(healed_s=(0.5, 0.5))
    assert missing(Sum.of([shared, alone])) == []
    assert missing(Sum.of([shared, run(nodes=5)])) == ["writes again"]
    assert missing(Sum.of([shared, run(fault="evict")])) == ["writes again"]
    assert missing(Sum.of([shared])) == ["writes again"]
    assert missing(Sum.of([replace(shared, lost=1), alone])) == ["lost"], "time alone is let off"


def test_the_times_of_runs_that_shared_the_machine_are_told_beside_the_goals() -> None:
    shared = run(jobs=3, healed_s=(9.0, 9.0))
    alone = run(healed_s=(0.5, 0.5))
    page = Page(campaign_page([shared, alone]))
    assert page.row("every node confirms writes again, longest")[1:] == ["≤ 2 s", "0.50 s", "met"]
    also = "every node confirms writes again, all 4 cycles, also where runs shared the machine"
    assert page.row(also)[2] == "0.50 / 9.00 / 9.00 s (p50 / p95 / max)"
    assert "but for 2 cycles of all classes and sizes" in campaign_markdown([shared, alone])
    assert "3 runs at a time: durations say as much" in campaign_markdown([shared])
    assert "each run had the machine to itself" in campaign_markdown([alone])
    assert "also where runs shared" not in campaign_markdown([alone])


def test_a_campaign_that_was_cut_short_says_what_a_whole_one_has() -> None:
    runs = [run(fault="kill", cycles=20), run(fault="drop", cycles=10)]
    said = "10 to 20 cycles of each of 2 classes; a whole campaign has 200 of each"
    assert said in campaign_markdown(runs)
    assert "200 cycles of each of 1 class\n" in campaign_markdown([run(cycles=200)])


def test_it_is_told_how_long_faults_could_last() -> None:
    told = campaign_markdown([run(hold_s_max=30.0), run(hold_s_max=2.5), run(hold_s_max=2.5)])
    assert "- faults lasted: at most 2.5 s in 4 cycles, at most 30 s in 2 cycles" in told


def test_no_runs_meet_nothing() -> None:
    assert len(missing(Sum.of([]))) == 5
    assert "No run was made" in campaign_markdown([])
    assert "No run was made" in Page(campaign_page([])).text


def test_the_page_has_a_row_for_each_class_and_the_total() -> None:
    page = Page(campaign_page(RUNS))
    assert page.row("kill", "3")[2:7] == ["2", "4", "50", "0", "1.000"]
    assert page.row("kill", "3")[8] == "1.00 / 9.00 / 9.00"
    assert page.row("evict", "3")[-1] == "MISSED lost, convergence, runs broken"
    assert page.row("all", "all")[2:7] == ["4", "8", "100", "2", "0.999"]
    assert page.row("acknowledged operations lost")[1:] == ["0", "2", "MISSED"]
    assert page.row("every node confirms writes again, longest")[1:] == ["≤ 2 s", "1.00 s", "met"]
    assert "1 of 4 runs do not hold" in page.text


def test_the_document_says_what_the_page_says() -> None:
    page = Page(campaign_page(RUNS))
    document = campaign_markdown(RUNS).splitlines()
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in document]
    for row in page.rows:
        assert [one.replace("MISSED ", "MISSED: ") for one in row] in cells


def test_every_row_of_the_document_has_as_many_cells_as_its_head() -> None:
    odd = run(fault="a|b", note="one\ntwo", holds=False, checks=(check("(x) |y|", 1),))
    width = 0
    for line in campaign_markdown([odd, *RUNS]).splitlines():
        bars = line.replace("\\|", "").count("|")
        assert line.startswith("|") or not bars
        width = (width or bars) if line.startswith("|") else 0
        assert bars == width


def test_what_came_from_a_run_is_escaped() -> None:
    odd = run(fault="<script>", note="<b>", commit="<i>", directory="<u>", holds=False,
              checks=(check("<s>", 1),))  # fmt: skip
    page = Page(campaign_page([odd]))
    assert not {"script", "i", "u", "s"} & {tag for tag, _ in page.tags}
    assert not any(tag in campaign_markdown([odd]) for tag in ("<script", "<b>", "<i>", "<u>"))


def test_a_broken_run_says_how_to_make_it_again() -> None:
    text = campaign_markdown(RUNS)
    assert "python -m chaos.run --fault evict --cycles 2 --size 3 --seed 9 --hold 8" in text
    assert "kept/9" in text


def test_a_run_that_ended_early_is_made_again_with_as_many_cycles_as_were_planned() -> None:
    early = run(cycles=1, checks=(check("every fault struck, and the cluster healed", 1, 10),))
    assert "--cycles 10 " in command(early)
    assert command(run(fault="mixed")) == ""


def test_seeds_commits_and_dates_are_told() -> None:
    runs = [run(seed=n, date=f"2025-01-0{n}") for n in (1, 2, 3, 5)] + [run(commit="def", seed=8)]
    text = campaign_markdown(runs)
    assert "kill, 3 nodes: 1 to 3, 5, 8" in text
    assert "abc, def" in text
    assert "2025-01-01 to 2025-01-05" in text
