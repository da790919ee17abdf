"""The demo as a program: it keeps its promises, it is honest, and it leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from aimem_node.gateways.demo import conversation, own_node


def demo(home: Path, data: Path = conversation.SAMPLE) -> "subprocess.Popen[str]":
    """The demo in a temporary directory of its own, so that what it leaves there can be seen."""
    env = {**os.environ, "TMPDIR": str(home), conversation.DATA_ENV: str(data)}
    return subprocess.Popen(
        [sys.executable, "-m", "aimem_node.gateways.demo"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_runs_through_on_the_shipped_sample_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        out, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    assert "kill -9" in out
    assert "none twice" in out
    assert out.count("\n   ? ") == 4
    assert "\x1b" not in out
    assert list(tmp_path.iterdir()) == []
    assert own_node.pids_at_work_in(tmp_path) == []


def test_an_interrupted_demo_leaves_nothing_either(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        assert running.stdout is not None
        while "holding" not in running.stdout.readline():
            assert running.poll() is None
        assert own_node.pids_at_work_in(tmp_path) != []
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted" in errors
    assert list(tmp_path.iterdir()) == []
    assert own_node.pids_at_work_in(tmp_path) == []


def test_a_named_file_that_is_not_there_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with demo(tmp_path, Path("/nowhere/at/all.json")) as running:
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 2
    assert "/nowhere/at/all.json" in errors
