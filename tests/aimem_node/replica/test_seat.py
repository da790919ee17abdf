"""A running node's cluster can be asked for everything that joining and rotating ask for."""

import inspect

from aimem_node.replica.cluster import Cluster
from aimem_node.replica.seat import Level, Seat


def test_the_cluster_answers_every_question_of_a_seat_in_the_same_way() -> None:
    asked = {name: member for name, member in vars(Seat).items() if not name.startswith("_")}
    assert {"config", "change", "adopt", "listen", "switch"} <= set(asked)
    for name, member in asked.items():
        if name == "name":
            continue  # an attribute of the instance
        answered = inspect.getattr_static(Cluster, name)
        assert isinstance(answered, property) == isinstance(member, property), name
        if not isinstance(member, property):
            assert inspect.iscoroutinefunction(answered) == inspect.iscoroutinefunction(member)
            wanted = list(inspect.signature(member).parameters)
            assert list(inspect.signature(answered).parameters) == wanted, name


def test_a_level_says_nothing_that_it_was_not_told() -> None:
    assert Level("level") == Level("level", 0, 0, 0)
