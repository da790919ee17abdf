"""What is written beside a run's evidence, and written again from it."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from chaos.checker import Check
from chaos.history import HISTORY, Recorder
from chaos.report import write_report
from chaos.report.__main__ import main
from chaos.report.facts import commit, hardware, told
from chaos.report.page import NOTHING_HAPPENED
from chaos.report.summary import told_before
from tests.chaos.checker.good import history
from tests.chaos.report.composed import Page, facts

MADE = Check("the run came to its end", 1, ("it did not",))
HOLDS = Check("(a) what was acknowledged is there", 3, (), "lost 0")


def left(directory: Path) -> Path:
    """The evidence of a good run."""
    directory.mkdir()
    for name, lines in history(3).items():
        whole = "".join(json.dumps(line) + "\n" for line in lines)
        (directory / name).write_text(whole, encoding="utf-8")
    return directory


def test_a_report_is_written_beside_the_evidence(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, count(0, 1_000_000).__next__)
    asked = recorder.event(proc=0, node="a", type="invoke", f="put", via="grpc", key="x", idem="1")
    recorder.fault("kill", "begin", ("a",))
    recorder.fault("kill", "end", ("a",), killed=1)
    recorder.event(proc=0, node="a", type="ok", f="put", of=asked.i, via="grpc", key="x", idem="1")
    recorder.close()
    write_report(tmp_path, facts(), (MADE, HOLDS))
    verdict = json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["holds"] is False
    assert verdict["writes"] == {"acknowledged": 1, "refused": 0, "unknown": 0}
    assert verdict["faults"][0]["detail"] == {"killed": 1}
    assert told_before(tmp_path) == (MADE, HOLDS)
    assert told(tmp_path) == facts()
    assert "BROKEN" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_a_run_that_left_nothing_has_a_report_that_says_so(tmp_path: Path) -> None:
    write_report(tmp_path / "none", facts(), (MADE,))
    text = Page((tmp_path / "none" / "report.html").read_text(encoding="utf-8")).text
    assert NOTHING_HAPPENED in text


def test_a_run_is_judged_again_from_its_directory(tmp_path: Path) -> None:
    directory = left(tmp_path / "run")
    assert main([str(directory)]) == 0
    page = Page((directory / "report.html").read_text(encoding="utf-8"))
    assert "HOLDS" in page.text
    assert "Chaos: run" in page.text


def test_judging_again_forgets_nothing_that_only_the_run_could_see(tmp_path: Path) -> None:
    directory = left(tmp_path / "run")
    old = Check("(a) what was acknowledged is there", 1, ("judged wrongly",))
    write_report(directory, facts(title="Mine"), (MADE, old))
    for _ in range(2):
        assert main([str(directory)]) == 1
        again = told_before(directory)
        assert again[0] == MADE
        assert [one for one in again if not one.holds] == [MADE]
    assert told(directory) == facts(title="Mine")


@pytest.mark.parametrize("name", ["verdict.json", "facts.json", HISTORY])
def test_a_directory_that_is_damaged_is_not_judged(tmp_path: Path, name: str) -> None:
    directory = left(tmp_path / "run")
    (directory / name).write_text("{}x", encoding="utf-8")
    assert main([str(directory)]) == 2
    assert not (directory / "report.html").exists()


def test_a_directory_that_is_no_run_is_not_judged(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2


def test_the_machine_and_the_commit_are_told() -> None:
    assert "logical cores" in hardware()
    assert commit()
