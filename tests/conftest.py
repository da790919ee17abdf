"""What all tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def node(tmp_path: Path) -> Iterator[object]:
    """A core over a fresh directory, with a clock that the test moves."""
    from tests.harness import Harness

    harness = Harness(tmp_path / "node")
    yield harness
    harness.stop()
