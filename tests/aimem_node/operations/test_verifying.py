"""Verify says what is wrong here, how the members compare, and mends only when it is asked to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Harness


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Harness]:
    running = Harness(tmp_path)
    yield running
    running.stop()


def spoil(node: Harness) -> None:
    """Damage a record behind the log's back, as a bad disk would."""

    def write(session: object) -> None:
        connection = session._connection  # type: ignore[attr-defined]
        connection.execute("UPDATE record SET hash = zeroblob(32) WHERE type = 'memory'")

    node.core.store.writer.submit(write).result()


def test_a_sound_lone_node_has_no_problems_and_nobody_to_compare_with(node: Harness) -> None:
    node.store("n")
    said = node.call("Verify", deep=True)
    assert (said["ok"], said["ops"], said["records"]) == (True, 1, 1)
    assert (said["problems"], said["peers"], said["repaired"]) == ([], [], [])


def test_damage_is_told_and_left_alone_until_a_repair_is_asked_for(node: Harness) -> None:
    node.store("n")
    spoil(node)
    assert not node.call("Verify")["ok"]
    assert not node.call("Verify")["ok"]
    mended = node.call("Verify", repair=True)
    assert mended["ok"]
    assert mended["repaired"] != []
    assert node.call("Verify", deep=True)["ok"]


def test_a_repair_of_what_is_sound_does_nothing(node: Harness) -> None:
    node.store("n")
    assert node.call("Verify", repair=True)["repaired"] == []
