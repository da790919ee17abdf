"""Messages are equal by what they say, whatever they are built on."""

from dataclasses import FrozenInstanceError

import pytest

from aimem_node.contract.value import Value
from aimem_node.contract.values import GetRequest, HistoryRequest, KgQueryRequest


def test_messages_are_equal_by_kind_and_fields() -> None:
    assert GetRequest(id="a") == GetRequest(id="a") != GetRequest(id="b")
    assert GetRequest(id="a") != HistoryRequest(id="a")
    assert len({GetRequest(id="a"), GetRequest(id="a"), GetRequest(id="b")}) == 2


def test_a_message_shows_its_fields_and_cannot_be_changed() -> None:
    asked = KgQueryRequest(source_id="m1", max_depth=2)
    assert repr(asked).startswith("KgQueryRequest(source_id='m1', max_depth=2, valid_at=None")
    with pytest.raises(FrozenInstanceError):
        asked.max_depth = 3  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):  # slots: a name that is no field
        asked.depth = 3  # type: ignore[attr-defined]


def test_every_message_stands_on_it() -> None:
    from aimem_node.contract.shapes import SHAPES

    assert all(issubclass(shape, Value) for shape in SHAPES)
