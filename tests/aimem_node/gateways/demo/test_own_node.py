"""A node of our own, and that nothing stays of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from aimem_node import places
from aimem_node.gateways.demo import own_node


def test_a_home_is_removed_with_whatever_was_started_in_it() -> None:
    with own_node.OwnNode("aimem-test-") as node:
        home = node.home
        stray = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)", "--data-dir", str(node.data_dir)]
        )
    assert stray.wait(10) < 0
    assert not home.exists()


def test_a_node_that_ends_at_once_is_reported_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with own_node.OwnNode("aimem-test-") as node:
        node.spawn()
        with pytest.raises(own_node.NodeError, match="ended before it answered"):
            node.await_answer()


def test_a_long_name_of_the_temporary_directory_does_not_make_sockets_impossible(
    tmp_path: Path,
) -> None:
    with own_node.OwnNode("aimem-test-", tmp_path / ("long" * 25)) as node:
        assert len(node.socket("grpc")) <= places.SOCKET_PATH_BYTES_MAX
        runtime = Path(node.env[places.RUNTIME_DIR_ENV])
        assert runtime.is_dir()
    assert not runtime.exists()
