"""Between the disk and the answer, and just before the disk."""

import pytest

from aimem_node.contract.errors import Failure


def test_a_write_that_nobody_was_told_of_is_there_after_a_kill_behind_its_commit(machine) -> None:
    node = machine()
    node.start()
    node.store("first")
    node.tell({"do": "kill-after-commit", "count": 2})
    node.store("second")
    with pytest.raises(Failure) as raised:
        node.store("third")
    assert not raised.value.definite
    assert node.ended() == -9
    node.start()
    assert node.titles() == {"first", "second", "third"}


def test_a_write_is_nowhere_after_a_kill_before_its_commit(machine) -> None:
    node = machine()
    node.start()
    node.store("first")
    node.tell({"do": "kill-before-commit", "count": 1})
    with pytest.raises(Failure):
        node.store("second")
    assert node.ended() == -9
    node.start()
    assert node.titles() == {"first"}


def test_a_count_below_one_is_refused(machine) -> None:
    node = machine()
    node.start()
    with pytest.raises(Exception, match="at least 1"):
        node.tell({"do": "kill-after-commit", "count": 0})
    assert node.tell({"do": "ping"})["name"] == "a"
