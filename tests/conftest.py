"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Nodes that tests start find by words, unless a test brings a model: what happens to be installed
# must not change what a test sees.
os.environ["AIMEM_EMBEDDER"] = "off"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[object]:
    """A core over a fresh directory, with a clock that the test moves."""
    from tests.harness import Harness

    harness = Harness(tmp_path / "node")
    yield harness
    harness.stop()
