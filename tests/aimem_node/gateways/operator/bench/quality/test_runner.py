"""What bench-recall asks, refuses and reports."""

import json
from pathlib import Path

import pytest

from aimem_node.gateways.demo import conversation, own_node
from aimem_node.gateways.operator.bench.quality import runner
from aimem_node.gateways.operator.bench.quality.results import APART, TOGETHER
from aimem_node.gateways.operator.bench.runner import BenchError


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The sample as a file of somebody's own, twice: two conversations."""
    (one,) = json.loads(conversation.SAMPLE.read_text("utf-8"))
    path = tmp_path / "talks.json"
    path.write_text(json.dumps([one, {**one, "sample_id": "again"}]), "utf-8")
    return path


def test_the_default_is_everything_and_each_flag_takes_something_away() -> None:
    assert runner.options_of([]).whole
    one = runner.options_of(["--one-store", "--way", "keyword"])
    assert one.keepings == (TOGETHER,)
    assert [way.name for way in one.ways] == ["keyword"]
    assert not one.whole
    assert runner.options_of(["--own-stores"]).keepings == (APART,)
    assert not runner.options_of(["--questions", "5"]).whole


def test_fewer_questions_are_spread_over_all_of_them(copied: Path) -> None:
    talks, _, is_sample = runner.read(runner.options_of(["--data", str(copied), "--questions=4"]))
    assert not is_sample
    whole = conversation.load(copied)[0].questions
    assert talks[1].questions == (whole[0], whole[2], whole[4], whole[6])
    facts = runner.described(copied, talks)
    assert "8 questions of 2 conversations" in facts["asked"]


def test_part_of_a_run_and_the_sample_are_not_published(copied: Path) -> None:
    asked = ["--data", str(copied), "--write-doc", "--one-store"]
    with pytest.raises(BenchError, match="whole run"):
        runner.run(runner.options_of(asked))


def test_a_file_that_is_not_there_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["--data", str(tmp_path / "gone.json")]) == 2
    assert "gone.json cannot be read" in capsys.readouterr().err


def test_real_nodes_are_filled_asked_and_scored_and_nothing_is_left(
    copied: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = tmp_path / "nodes"
    where.mkdir()
    monkeypatch.setattr(runner, "place", lambda _: where)
    written = tmp_path / "found.json"
    asked = ["--data", str(copied), "--way=keyword", "--one-store", f"--json={written}"]
    found = runner.run(runner.options_of([*asked, "--questions=3"]))
    result = json.loads(written.read_text("utf-8"))
    (series,) = result["series"]
    assert (series["stores"], series["way"], series["questions"]) == (TOGETHER, "keyword", 6)
    assert series["turn"]["R@10"] > 0
    assert series["without_an_answer"] == 0
    assert series["modes"] == ["keyword"]
    assert found == (0 if result["met"] else 1)
    shown = capsys.readouterr().out
    assert "sha256" in shown
    assert "questions without an answer" in shown
    assert list(where.iterdir()) == []
    assert own_node.pids_at_work_in(tmp_path) == []


def test_the_sample_says_that_it_proves_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "find", lambda *_: (conversation.SAMPLE, True))
    asked = ["--way=keyword", "--own-stores", "--questions=2"]
    assert runner.run(runner.options_of(asked)) == 0
    shown = capsys.readouterr().out
    assert "says nothing of how good recall is" in shown
    assert "MISSED" not in shown
