"""What rules cost a write."""

from aimem_node.contract.validate import check
from aimem_node.gateways.operator.bench import governing


def test_what_is_shown_is_the_difference_of_the_medians() -> None:
    *_, added = governing.figures([1.0, 1.0, 9.0], [1.25, 1.25, 50.0])
    assert (added.value, added.goal, added.met) == (0.25, 0.5, True)


def test_the_rules_are_on_three_levels_and_are_rules() -> None:
    assert len(governing.LEVELS) == 3
    for namespace in governing.LEVELS:
        assert governing.PLACE.startswith(namespace + "/")
        assert check(governing.policy(namespace)).namespace == namespace
