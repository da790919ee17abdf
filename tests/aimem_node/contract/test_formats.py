"""The shapes of text."""

from aimem_node.contract.formats import FORMATS
from aimem_node.contract.values import Format


def test_every_declared_format_is_checked() -> None:
    assert set(FORMATS) == {word.value for word in Format}
