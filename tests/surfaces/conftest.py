"""One running node for all of them, and one client of each kind."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.surfaces.ways import WAYS, Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place: Path = tmp_path_factory.mktemp("n")
    node = Running(place / "d", place / "r")
    yield node
    node.stop()


@pytest.fixture(scope="session", params=list(WAYS))
def way(request: pytest.FixtureRequest, running: Running) -> Iterator[Any]:
    opened = WAYS[request.param](running)
    yield opened
    opened.close()


@pytest.fixture
def place() -> str:
    """A namespace of the test's own."""
    return "t/" + uuid.uuid4().hex[:12]
