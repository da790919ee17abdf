"""What was done when, from composed histories."""

from __future__ import annotations

from itertools import pairwise

import pytest

from chaos.report.strikes import WHOLE_CLUSTER, words
from chaos.report.timeline import BINS_MAX, STEPS_MAX, Timeline, timeline
from tests.chaos.report.composed import S, Story


def drawn(story: Story, names: str = "") -> Timeline:
    return timeline(story.events, story.faults, names)


def numbers(line: Timeline, name: str) -> list[list[int]]:
    [lane] = [lane for lane in line.lanes if lane.name == name]
    return [[one.number for one in row] for row in lane.rows]


def test_nothing_at_all_makes_an_empty_timeline() -> None:
    assert timeline([], []) == Timeline(0.0)


def test_a_fault_has_its_three_parts() -> None:
    story = Story()
    story.fault(0, "kill", "note", why="so")
    story.whole("kill", "a", 1, 3, 3.5, 5, killed=1)
    [strike] = drawn(story).strikes
    assert (strike.begin_s, strike.end_s, strike.healed_s, strike.level_s) == (1, 3, 3.5, 5)
    assert (strike.writes_again_after_s, strike.level_after_s) == (0.5, 2)
    assert strike.detail == {"killed": 1}
    assert drawn(story).notes == ((0.0, "kill", "why: so"),)


def test_faults_that_overlap_at_a_node_have_rows_of_their_own() -> None:
    story = Story()
    story.fault(0, "pause", "begin", "ab")
    story.fault(1, "loss", "begin", "bc")
    story.fault(2, "pause", "end", "ab")
    story.fault(3, "loss", "end", "bc")
    for fault in ("pause", "loss"):
        story.fault(3.5, fault, "healed")
        story.fault(4, fault, "level")
    story.whole("kill", "b", 4, 5, 6, 7)
    line = drawn(story)
    assert numbers(line, "a") == [[1]]
    assert numbers(line, "b") == [[1, 3], [2]]
    assert numbers(line, "c") == [[2]]


def test_a_fault_waits_for_the_one_before_it_to_be_over_not_only_taken_away() -> None:
    story = Story()
    story.whole("kill", "a", 0, 1, 2, 4)
    story.whole("pause", "a", 3, 5, 6, 7)
    assert numbers(drawn(story), "a") == [[1], [2]]


def test_nothing_in_a_row_overlaps() -> None:
    story = Story()
    for at in range(12):
        story.fault(at, f"f{at}", "begin", "abc"[at % 3] + "d")
        if at % 4:
            story.fault(at + 2.5 * (at % 3), f"f{at}", "end", "abc"[at % 3] + "d")
    line = drawn(story)
    assert sum(len(row) for lane in line.lanes for row in lane.rows) == 24
    for lane in line.lanes:
        for row in lane.rows:
            for one, other in pairwise(row):
                assert one.felt_until(line.end_s) <= other.begin_s


def test_a_fault_without_an_end_is_felt_to_the_end() -> None:
    story = Story()
    story.fault(1, "kill", "begin", "a")
    story.write(0, 9, "x")
    [strike] = (line := drawn(story)).strikes
    assert strike.end_s is None
    assert strike.felt_until(line.end_s) == line.end_s == 9


def test_what_strikes_no_node_in_particular_has_a_lane_of_its_own() -> None:
    story = Story()
    story.whole("drop", "", 0, 1)
    line = drawn(story, "ab")
    assert [lane.name for lane in line.lanes] == [WHOLE_CLUSTER, "a", "b"]


def test_a_node_that_got_its_name_while_it_joined_has_a_lane() -> None:
    story = Story()
    story.fault(0, "join-leave", "begin")
    story.fault(2, "join-leave", "end", "f")
    [strike] = drawn(story).strikes
    assert (strike.nodes, strike.end_s) == (("f",), 2)


def test_two_of_a_kind_at_once_end_each_at_its_own_nodes() -> None:
    story = Story()
    story.fault(0, "pause", "begin", "a")
    story.fault(1, "pause", "begin", "b")
    story.fault(2, "pause", "end", "b")
    story.fault(5, "pause", "end", "a")
    assert [one.end_s for one in drawn(story).strikes] == [5, 2]


def test_parts_of_a_combined_fault_heal_with_it() -> None:
    story = Story()
    story.fault(0, "combined", "begin")
    story.whole("kill", "a", 1, 2)
    story.fault(3, "combined", "end")
    story.fault(4, "combined", "healed")
    story.fault(5, "combined", "level")
    story.whole("kill", "b", 6, 7, 8, 9)
    both, part, alone = drawn(story).strikes
    assert (both.within, part.within, alone.within) == (0, 1, 0)
    assert (part.healed_s, part.level_s) == (None, None)
    assert (both.level_after_s, alone.level_after_s) == (2, 2)


def test_parts_that_never_ended_belong_to_what_never_ended() -> None:
    story = Story()
    story.fault(0, "combined", "begin")
    story.fault(1, "kill", "begin", "a")
    story.whole("loss", "b", 2, 3)
    assert [one.within for one in drawn(story).strikes] == [0, 1, 1]


def test_a_fault_that_never_healed_is_felt_to_the_end() -> None:
    story = Story()
    story.whole("kill", "a", 0, 1)
    story.whole("kill", "a", 2, 3, 4)
    story.whole("kill", "a", 5, 6, 7, 8)
    story.write(0, 9, "x")
    first, second, third = (line := drawn(story)).strikes
    assert [one.whole for one in (first, second, third)] == [False, False, True]
    assert [one.felt_until(line.end_s) for one in (first, second, third)] == [9, 9, 8]


def test_an_end_without_a_beginning_is_told() -> None:
    story = Story()
    story.fault(0, "kill", "end", "a")
    assert drawn(story).notes == ((0.0, "kill", "ended without having begun"),)


def test_rates_add_up_to_what_was_acknowledged() -> None:
    story = Story()
    for at in range(30):
        story.write(at * 0.3, 0.01, f"k{at}")
    story.write(1, 1, "seen", f="read")
    story.write(1, 1, "counted", f="count")
    refused = story.ask(2, "no")
    story.tell(3, refused, "fail")
    line = drawn(story)
    assert sum(line.rate) * line.bin_s == line.acknowledged == 30
    assert len(line.rate) <= BINS_MAX
    assert (line.refused, line.unknown) == (1, 0)


def test_a_long_run_has_no_more_bins_than_there_is_room_for() -> None:
    story = Story()
    story.write(0, 1, "first")
    story.write(3000, 1, "last")
    line = drawn(story)
    assert len(line.rate) <= BINS_MAX
    assert sum(line.rate) * line.bin_s == pytest.approx(2)


def test_a_write_is_pending_from_its_first_question_to_the_answer_that_settles_it() -> None:
    story = Story()
    first = story.ask(1, "x", idem="one")
    story.tell(2, first, "info", f"{'1' * 32}.{'2' * 16}:4")
    story.write(3, 1, "x", idem="one")
    story.write(0, 10, "y")
    line = drawn(story)
    slowest, slow = line.longest
    assert (slowest.key, slowest.open_s) == ("y", 10)
    assert (slow.asked_s, slow.settled_s, slow.attempts, slow.end) == (1, 4, 2, "ok")
    assert len(slow.write_ids) == 2
    at = {round(when, 6): count for when, count in line.pending}
    assert (at[1.0], max(at.values()), line.pending[-1]) == (2, 2, (10.0, 0))


def test_what_nobody_ever_knew_is_open_to_the_end() -> None:
    story = Story()
    story.tell(1, story.ask(0, "x"), "info")
    story.ask(2, "unanswered")
    story.write(5, 1, "y")
    line = drawn(story)
    assert line.unknown == 2
    assert [(one.key, one.settled_s, one.open_s) for one in line.longest[:2]] == [
        ("x", None, 6), ("unanswered", None, 4),
    ]  # fmt: skip
    assert line.pending[-1] == (6.0, 2)


def test_a_peak_of_open_writes_is_drawn_however_short_it_was() -> None:
    story = Story()
    story.write(0, 1000, "long")
    for number in range(9):
        story.write(500.001, 0.01, f"k{number}")
    line = drawn(story)
    assert max(count for _, count in line.pending) == 10
    assert len(line.pending) <= 2 * STEPS_MAX
    assert [count for when, count in line.pending if 502 < when < 999] == [1]


def test_an_open_write_names_the_faults_it_was_open_in() -> None:
    story = Story()
    story.whole("kill", "a", 0, 1)
    story.whole("loss", "a", 2, 4)
    story.whole("kill", "a", 6, 7)
    story.write(3, 2, "x")
    assert drawn(story).longest[0].during == (2,)


def test_write_ids_carry_names_of_nodes_once_they_are_known() -> None:
    story = Story()
    story.write(0, 1, "x")
    [deed] = drawn(story).named({"1" * 32: "a"}).longest
    assert deed.write_ids == ("a.2222:1",)
    [deed] = drawn(story).named({"9" * 32: "b"}).longest
    assert deed.write_ids == (f"{'1' * 32}.{'2' * 16}:1",)


def test_details_are_told_in_words() -> None:
    detail = {"dropped": 12, "held_s": 3.1, "pairs": ["a>b", "b>a"], "full": True, "seconds": 4,
              "shifts_s": {"a": -5.0}, "delay_ms": 20}  # fmt: skip
    assert words(detail) == (
        "dropped: 12; held: 3.1 s; pairs: a>b, b>a; full: yes; shifts: a -5.0 s; delay: 20 ms"
    )


def test_times_count_from_the_first_line_of_the_run() -> None:
    story = Story()
    story.write(1000, 1, "x")
    story.fault(999, "kill", "begin", "a")
    line = drawn(story)
    assert (line.strikes[0].begin_s, line.end_s) == (0, 2)
    assert S * line.end_s == 2 * S
