"""A fake node for each test that wants one, with the environment pointing at it."""

import os
from collections.abc import Iterator

import pytest

from tests.aimem_node.gateways.cli.fake_node import FakeNode


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    """The place of a node that does not run."""
    fake = FakeNode()
    for name in ("AIMEM_AGENT_ID", "AIMEM_NODE", "AIMEM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AIMEM_DATA_DIR", "AIMEM_RUNTIME_DIR", "AIMEM_NO_START"):
        monkeypatch.setenv(name, fake.env[name])
    yield fake
    fake.close()


@pytest.fixture
def fake(absent: FakeNode) -> FakeNode:
    """A node that answers."""
    assert os.environ["AIMEM_DATA_DIR"] == absent.data_dir
    return absent.listen()
