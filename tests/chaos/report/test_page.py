"""The page of one run, as a browser reads it."""

from __future__ import annotations

import re

import pytest

from chaos.checker import LEFT_OUT, Check
from chaos.report.drawing import LEFT, RIGHT, WIDTH, Axis
from chaos.report.page import NOTHING_HAPPENED, run_page
from chaos.report.timeline import Timeline, timeline
from tests.chaos.report.composed import Page, Story, facts

GOOD = (Check("(a) what was acknowledged is there", 5, (), "lost 0"),)
NASTY = "<script>alert('1')</script>\"&"


def busy() -> Timeline:
    story = Story()
    story.write(0, 1, "x")
    story.whole("kill", "a", 2, 4, 5, 6, killed=1)
    story.fault(7, "loss", "begin", "abc")
    story.tell(10, story.ask(3, "y"), "info")
    return timeline(story.events, story.faults, "abc")


def never_healed() -> Timeline:
    story = Story()
    story.write(0, 5, "x")
    story.whole("kill", "a", 1, 2)
    return timeline(story.events, story.faults, "a")


def read(checks: tuple[Check, ...] = GOOD, line: Timeline | None = None, **more: str) -> Page:
    return Page(run_page(facts(**more), checks, line or busy()))


def test_a_page_says_whether_it_holds_in_words() -> None:
    assert "HOLDS" in read().text
    bad = read((*GOOD, Check("(b) refused", 3, ("x was refused",)))).text
    assert "HOLDS" not in bad
    assert "BROKEN1 of 2 checks do not hold: (b) refused." in bad


@pytest.mark.parametrize("checks", [(), (Check("(a) there", 0),)])
def test_what_was_not_tried_does_not_hold(checks: tuple[Check, ...]) -> None:
    page = read(checks)
    assert "HOLDS" not in page.text
    assert "BROKEN" in page.text


def test_what_could_not_be_looked_at_is_named_and_not_counted() -> None:
    page = read((*GOOD, Check(LEFT_OUT, 1, (), "(e): nothing was counted")))
    assert "All 1 check hold" in page.text
    assert "not judged" in page.text


def test_the_head_says_where_it_comes_from_and_how_to_do_it_again() -> None:
    text = read().text
    for said in ("Chaos: kill", "3, W = 2", "abc", "a machine", "again --seed 7", "2025-01-01"):
        assert said in text


def test_examples_are_shown_and_the_rest_is_counted() -> None:
    page = read((Check("(a) there", 900, tuple(f"write {n} is gone" for n in range(800))),))
    assert len(page.named("li")) == 6
    assert "write 4 is gone" in page.text
    assert "and 795 more" in page.text


def test_everything_is_escaped() -> None:
    story = Story()
    story.write(0, 1, NASTY, node=NASTY, f=NASTY)
    story.fault(0, NASTY, "begin", "a")
    story.fault(1, NASTY, "end", "a", **{NASTY: NASTY})
    story.fault(1, NASTY, "note", **{NASTY: [NASTY]})
    line = timeline(story.events, story.faults, [NASTY])
    told = dict.fromkeys(("title", "fault", "commit", "hardware", "date", "command"), NASTY)
    page = read((Check(NASTY, 1, (NASTY,), NASTY),), line, **told)
    assert page.named("script") == []
    assert page.text.count(NASTY) > 15


def test_a_page_needs_nothing_from_elsewhere() -> None:
    text = run_page(facts(), GOOD, busy())
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import", text)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_a_run_without_anything_says_so() -> None:
    page = Page(run_page(facts(), (), Timeline(0.0)))
    assert NOTHING_HAPPENED in page.text
    assert "Nothing was judged" in page.text
    assert page.named("rect") == []


def test_a_fault_without_an_end_reaches_the_end_of_the_axis() -> None:
    bars = [one for one in read().named("rect", "strike") if one["height"] == "14"]
    ends = sorted(float(one["x"] or 0) + float(one["width"] or 0) for one in bars)
    assert ends[-3:] == [pytest.approx(WIDTH - RIGHT, abs=0.2)] * 3
    assert ends[0] < WIDTH - RIGHT - 100
    assert len(read().named("line", "endless")) == 3
    assert "never ended" in read().text


def test_a_fault_that_never_healed_reaches_the_end_of_the_axis_in_the_colour_of_healing() -> None:
    page = read(line=never_healed())
    [bar] = [one for one in page.named("rect", "healing") if one["height"] == "14"]
    assert float(bar["x"] or 0) == pytest.approx(Axis(5.0).x(2), abs=0.1)
    assert float(bar["x"] or 0) + float(bar["width"] or 0) == pytest.approx(WIDTH - RIGHT, abs=0.2)
    assert len(page.named("line", "endless")) == 1


def test_the_longest_healing_is_never_if_one_fault_never_healed() -> None:
    assert "neveruntil writes again1 of 1; else – at most" in read(line=never_healed()).text
    story = Story()
    story.whole("kill", "a", 0, 1, 2, 4)
    healed = read(line=timeline(story.events, story.faults, "a")).text
    assert "1.00 suntil writes againthe longest" in healed
    assert "3.00 suntil all nodes levelthe longest" in healed


def test_bars_begin_and_end_where_the_axis_says() -> None:
    axis = Axis(10.0)
    kill = next(one for one in read().named("rect", "strike") if one["x"] == f"{axis.x(2):.1f}")
    assert float(kill["width"] or 0) == pytest.approx(axis.x(4) - axis.x(2), abs=0.1)
    healing = next(one for one in read().named("rect", "healing") if one["height"] == "14")
    assert float(healing["x"] or 0) == pytest.approx(axis.x(4), abs=0.1)


def test_nothing_is_drawn_outside_of_the_picture() -> None:
    for one in read().named("rect"):
        if "kind" not in one and one["height"] != "10":
            assert float(one["x"] or 0) >= LEFT
            assert float(one["x"] or 0) + float(one["width"] or 0) <= WIDTH - RIGHT + 0.2


def test_an_axis_has_round_times_and_not_too_many() -> None:
    for end_s in (0.3, 7, 61, 3600, 500_000):
        ticks = Axis(end_s).ticks()
        assert 2 <= len(ticks) <= 15
        assert ticks[-1] <= end_s * 1.001


def test_the_table_of_faults_has_the_proof_and_the_times() -> None:
    row = next(row for row in read().rows if row[0] == "1")
    assert row[2:] == ["a", "2.00 s", "2.00 s", "1.00 s", "2.00 s", "killed: 1"]


def test_a_fault_that_was_taken_away_and_never_healed_says_never() -> None:
    row = next(row for row in read(line=never_healed()).rows if row[0] == "1")
    assert row[5:7] == ["never", "never"]


def test_the_longest_open_writes_are_named() -> None:
    row = next(row for row in read().rows if row[0] == "7.00 s")
    assert row[2:] == ["y", "3.00 s at a, grpc", "1", "never known", "1, 2", "–"]
