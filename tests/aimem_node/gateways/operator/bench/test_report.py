"""The table and the page that the figures go to."""

from pathlib import Path

import pytest

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench import report, runner
from aimem_node.gateways.operator.bench.figures import Figure, timed


def test_a_missed_goal_cannot_be_overlooked_in_the_table() -> None:
    shown = report.table([timed("store", [4.0] * 10, 5.0), Figure("idle", 99.0, "MB", 80.0)])
    head, rule, store, idle = shown.splitlines()
    assert head.split() == ["what", "goal", "figure", "spread"]
    assert set(rule) == {"-"}
    assert "≤ 5" in store
    assert "met" in store
    assert "MISSED" in idle


def test_columns_of_the_table_stand_under_one_another() -> None:
    shown = report.table(
        [Figure("a", 1.0, "MB", 2.0), Figure("much longer", 12_345.6, "bytes", 6.0)]
    )
    _, _, first, second = shown.splitlines()
    assert first.index("MB") == second.index("bytes")


def test_the_doc_block_is_replaced_and_the_rest_of_the_page_is_not() -> None:
    page = f"# Title\n\n{report.MARKS.begin}\nold\n{report.MARKS.end}\n\nafter\n"
    block = report.markdown([Figure("a", 1.0, "MB", 2.0)], {"memory": "24 GB"}, "by hand")
    once = report.replaced(page, block)
    assert once.startswith("# Title")
    assert once.endswith("after\n")
    assert "old" not in once
    assert "| a | ≤ 2 | 1 MB | met |  |" in once
    assert report.replaced(once, block) == once


def test_each_maker_of_a_part_has_marks_of_its_own(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marks = report.Marks("<!-- a -->", "<!-- b -->")
    page.write_text(f"{report.MARKS.begin}\nbench\n{report.MARKS.end}\n<!-- a -->\n<!-- b -->\n")
    report.write_doc(page, report.markdown_table([Figure("a", 1.0, "MB")]), marks)
    assert "bench" in page.read_text()
    assert "<!-- a -->\n\n| what |" in page.read_text()
    with pytest.raises(report.DocError, match="<!-- c -->"):
        report.write_doc(page, "", report.Marks("<!-- c -->", "<!-- b -->"))


def test_a_page_without_the_marks_is_refused_and_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "P.md"
    page.write_text("nothing here", encoding="utf-8")
    with pytest.raises(report.DocError):
        report.write_doc(page, "figures")
    assert page.read_text(encoding="utf-8") == "nothing here"


def test_the_page_of_this_project_can_take_the_figures() -> None:
    page = conversation.project_root() / runner.DOC
    assert "figures" in report.replaced(page.read_text(encoding="utf-8"), "figures")
