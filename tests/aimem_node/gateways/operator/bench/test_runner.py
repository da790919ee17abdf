"""What is measured, in which order, and what is refused before anything starts."""

import json
from pathlib import Path

import pytest

from aimem_node.gateways.demo import own_node
from aimem_node.gateways.operator.bench import runner
from aimem_node.gateways.operator.bench.runner import BenchError, Options


def test_a_quick_run_leaves_the_large_store_out_and_only_takes_what_is_named() -> None:
    quick = [measure.name for measure in runner.chosen(Options(quick=True))]
    assert "store" in quick
    assert not any(name.endswith("-large") for name in quick)
    assert [each.name for each in runner.chosen(Options(only=("mcp", "idle")))] == ["idle", "mcp"]
    with pytest.raises(BenchError, match="nothing is called 'speed'"):
        runner.chosen(Options(only=("speed",)))


def test_memory_at_rest_is_measured_before_anything_else_wakes_the_node() -> None:
    assert runner.MEASURES[0].name == "idle"


def test_part_of_a_run_is_not_published() -> None:
    with pytest.raises(BenchError, match="whole run"):
        runner.check_doc(Options(quick=True, write_doc=True))


def test_an_existing_store_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "aimem.db").write_bytes(b"precious")
    with pytest.raises(BenchError, match="not an empty directory"):
        runner.place(tmp_path)
    assert runner.place(tmp_path / "new").is_dir()


def test_a_run_measures_a_real_node_reports_it_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, file = tmp_path / "disk", tmp_path / "figures.json"
    result = runner.run(Options(quick=True, only=("idle", "crowd"), json_file=file, where=where))
    assert result == json.loads(file.read_text(encoding="utf-8"))
    exact = [figure for figure in result["figures"] if figure["rule"] == "exactly"]
    assert [figure["value"] for figure in exact] == [1000, 1000]
    shown = capsys.readouterr().out
    assert all(figure["what"] in shown for figure in result["figures"])
    assert list(where.iterdir()) == []
    assert own_node.pids_at_work_in(tmp_path) == []
