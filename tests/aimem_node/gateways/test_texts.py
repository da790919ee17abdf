"""Text values become JSON by the kind of their field, and nothing is guessed."""

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.texts import from_texts


def texts(operation, *pairs):
    return from_texts(OPERATIONS[operation].fields, pairs)


def test_each_kind_is_read_as_what_it_is() -> None:
    given = texts("Store", ("title", "5"), ("priority", "5"), ("confidence", "0.5"), ("tags", "a"),
                  ("tags", "1"), ("metadata", '{"a":1}'), ("options.request_key", "7"))  # fmt: skip
    assert given == {
        "title": "5", "priority": 5, "confidence": 0.5, "tags": ["a", "1"], "metadata": {"a": 1},
        "options": {"request_key": "7"},
    }  # fmt: skip


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("No", False)])
def test_truths_have_several_spellings(text, value) -> None:
    assert texts("Gc", ("dry_run", text)) == {"dry_run": value}


def test_what_does_not_fit_stays_text_for_the_codec_to_refuse() -> None:
    given = texts("Store", ("priority", "many"), ("colour", "red"), ("title.x", "y"))
    assert given == {"priority": "many", "colour": "red", "title.x": "y"}


def test_null_is_no_value_that_text_can_stand_for() -> None:
    given = texts("Store", ("priority", "null"), ("metadata", "null"))
    assert given == {"priority": "null", "metadata": "null"}


def test_a_single_field_comes_once() -> None:
    with pytest.raises(Failure) as refused:
        texts("Store", ("title", "a"), ("title", "b"))
    assert refused.value.path == "$.title"
