"""What several tests of operations stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aimem_node.operations.meaning_stage import MeaningNode, meaning_node


@pytest.fixture
def knowing(tmp_path: Path) -> Iterator[MeaningNode]:
    """A node whose model gives the vectors that a test wants."""
    with meaning_node(tmp_path / "knowing") as node:
        yield node
