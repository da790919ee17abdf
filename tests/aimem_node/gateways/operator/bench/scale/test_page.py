"""The table of all sizes."""

import json

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench import report
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.runner import DOC
from aimem_node.gateways.operator.bench.scale import page
from aimem_node.gateways.operator.bench.scale.page import Sized

RECALL = "recall keyword, questions, everywhere"


def sized(size: int, *figures: Figure) -> Sized:
    return Sized(size, {"memory": "24 GB"}, {"vectors": "composed"}, figures)


SMALL = sized(1_000, timed(RECALL, [2.0, 4.0], 10.0), Figure("disk: database", 3.5, "MB"))
LARGE = sized(
    1_000_000, timed(RECALL, [20.0, 60.0], 50.0), Figure("found first", 7, "", 8, "exactly")
)


def test_sizes_stand_side_by_side_and_a_missed_goal_cannot_be_overlooked() -> None:
    head, promised, recall, disk, found = page.rows([SMALL, LARGE])
    assert head == ("memories", "1,000", "1,000,000")
    assert promised == ("recall: promised p95", "≤ 10 ms", "≤ 50 ms")
    assert recall == (f"{RECALL} (ms)", "2 / 4 / 4", "20 / 60 / 60 MISSED ≤ 50")
    assert disk == ("disk: database", "3.50 MB", "")
    assert found == ("found first", "", "7 MISSED = 8")


def test_what_was_measured_comes_back_from_its_file_as_it_was() -> None:
    assert Sized.from_json(json.loads(json.dumps(LARGE.as_json()))) == LARGE


def test_the_text_and_the_page_hold_the_same_cells() -> None:
    shown, made = page.text([SMALL, LARGE]), page.markdown([SMALL, LARGE], "growth.png")
    for row in page.rows([SMALL, LARGE]):
        assert all(cell in shown and cell in made for cell in row)
    assert "](growth.png)" in made
    assert "composed" in made


def test_the_project_s_page_has_a_place_for_it() -> None:
    text = (conversation.project_root() / DOC).read_text("utf-8")
    assert "figures" in report.replaced(text, "figures", page.MARKS)
