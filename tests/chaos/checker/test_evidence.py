"""A run's directory: read, judged, and refused in words if it is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaos.checker import Healing, Unreadable, healing, judge, load, parsed
from chaos.checker.__main__ import main
from tests.chaos.checker.good import Files, history


def written(files: Files, directory: Path) -> Path:
    for name, told in files.items():
        text = "".join(json.dumps(line) + "\n" for line in told)
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def test_a_directory_is_judged_as_its_lines_are(tmp_path: Path) -> None:
    files = history(0)
    assert judge(load(written(files, tmp_path))) == judge(parsed(files))


def test_the_command_prints_a_table_and_ends_with_0_if_all_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(written(history(0), tmp_path))]) == 0
    assert "(a) what was acknowledged is there" in capsys.readouterr().out


def test_the_command_ends_with_1_and_shows_where_it_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = history(0)
    files["state.a.jsonl"][0]["configs"]["2"] = "another"
    assert main([str(written(files, tmp_path)), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is False
    assert [c["broken"] for c in told["checks"] if not c["holds"]] == [
        ["epoch 2 is not the same at a and b", "epoch 2 is not the same at a and c"]
    ]


def test_the_command_ends_with_2_if_there_is_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "there is no history.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["history.jsonl", "state.a.jsonl", "log.b.jsonl", "acks.c.jsonl"])
def test_a_damaged_line_is_told_with_its_file(tmp_path: Path, name: str) -> None:
    path = written(history(0), tmp_path) / name
    path.write_text('{"i": 1}\n{"seq', encoding="utf-8")
    with pytest.raises(Unreadable, match=name.replace(".", r"\.")):
        load(tmp_path)


def test_a_state_without_its_log_is_no_evidence(tmp_path: Path) -> None:
    written(history(0), tmp_path)
    (tmp_path / "log.b.jsonl").unlink()
    with pytest.raises(Unreadable, match=r"there is no log\.b\.jsonl"):
        load(tmp_path)


def test_healing_is_timed_from_the_end_of_each_fault() -> None:
    assert healing(parsed(history(0))) == [Healing("kill", 0.1, 0.2)]


def test_a_fault_that_never_healed_is_listed_as_such() -> None:
    files = history(0)
    files["faults.jsonl"] = [one for one in files["faults.jsonl"] if one["phase"] != "level"]
    assert healing(parsed(files)) == [Healing("kill", 0.1, None)]
