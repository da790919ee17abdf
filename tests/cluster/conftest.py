"""Clusters of whole nodes for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.team import Team


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Team]:
    """Three voters, in sync with each other."""
    team = Team(tmp_path, 3)
    try:
        for name in team.names:
            team.until_in_sync(name, 3)
        yield team
    finally:
        team.close()
