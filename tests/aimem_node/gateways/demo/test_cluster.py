"""How the cluster demo begins and ends; that its promises are kept is proved by running it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aimem_node.gateways.demo import cluster, conversation, ending


def test_arguments_are_refused_before_anything_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cluster.main(["--keep"]) == 2
    assert "takes no arguments" in capsys.readouterr().err


def test_a_file_that_does_not_exist_is_said_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(conversation.DATA_ENV, str(tmp_path / "none.json"))
    assert cluster.main([]) == 2
    assert "which is not a file" in capsys.readouterr().err


def test_nodes_that_do_not_start_are_told_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(conversation.DATA_ENV, str(conversation.SAMPLE))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(ending, "deafen", lambda: None)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert cluster.main([]) == 1
    said = capsys.readouterr().err
    assert "ended before it answered" in said
    assert "Last words of a" in said
    assert list(tmp_path.iterdir()) == []


def test_the_whole_story_is_told_with_the_sample_and_every_promise_is_kept(tmp_path: Path) -> None:
    env = {**os.environ, conversation.DATA_ENV: str(conversation.SAMPLE), "TMPDIR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-m", "aimem_node.gateways.demo.cluster"],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stderr == ""
    assert "✗" not in told.stdout
    assert [line.split() for line in told.stdout.splitlines() if "lost" in line] == [["lost", "0"]]
    assert list(tmp_path.iterdir()) == []
