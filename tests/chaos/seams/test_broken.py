"""Each break is one that can be put in, and that a node can live with until the fault comes."""

import pytest

from chaos.faults import CLASSES
from chaos.seams.broken import BROKEN


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_node_starts_and_answers(name: str, machine) -> None:
    node = machine(broken=name, disk=True)
    node.start()
    told = node.store_many(2)
    assert node.titles() == told
    assert node.tell({"do": "ping"})["pid"] == node.pid


def test_each_break_has_a_class_of_faults_that_is_meant_for_it() -> None:
    assert {one.caught_by for one in BROKEN.values()} <= CLASSES.keys()
    assert all(name == one.name and one.what and one.shows for name, one in BROKEN.items())
