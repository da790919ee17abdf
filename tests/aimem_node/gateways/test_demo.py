"""The demo as a program: it keeps its promises, it is honest, and it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimem_node.gateways.demo import conversation, own_node


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose name leaves room for a socket's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


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


def test_the_demo_runs_through_on_the_shipped_sample_and_leaves_nothing(short: Path) -> None:
    with demo(short) as running:
        out, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    assert "kill -9" in out
    assert "none twice" in out
    assert out.count("\n   ? ") == 4
    assert "\x1b" not in out
    assert list(short.iterdir()) == []
    assert own_node.pids_at_work_in(short) == []


def test_an_interrupted_demo_leaves_nothing_either(short: Path) -> None:
    with demo(short) as running:
        assert running.stdout is not None
        while "holding" not in running.stdout.readline():
            assert running.poll() is None
        assert own_node.pids_at_work_in(short) != []
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted" in errors
    assert list(short.iterdir()) == []
    assert own_node.pids_at_work_in(short) == []


def test_a_named_file_that_is_not_there_is_refused_before_anything_starts(short: Path) -> None:
    with demo(short, Path("/nowhere/at/all.json")) as running:
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 2
    assert "/nowhere/at/all.json" in errors
