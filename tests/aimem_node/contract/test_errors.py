"""One table of failures for all surfaces."""

import json
from pathlib import Path

import grpc
import pytest

from aimem_node.contract import errors
from aimem_node.contract.errors import SIGNS, Code, Failure


def test_every_code_has_its_row() -> None:
    assert set(SIGNS) == set(Code)


def test_every_row_speaks_the_words_of_each_surface() -> None:
    for sign in SIGNS.values():
        assert grpc.StatusCode[sign.grpc] is not grpc.StatusCode.OK
        assert 400 <= sign.http <= 599
        assert 1 <= sign.exit <= 125
        assert sign.next.endswith(".")


def test_what_may_have_happened_is_never_called_definite() -> None:
    indefinite = {code for code, sign in SIGNS.items() if not sign.definite}
    assert indefinite == {Code.UNKNOWN_OUTCOME, Code.DEADLINE, Code.INTERNAL}


@pytest.mark.parametrize("code", list(Code))
def test_a_failure_survives_json(code: Code) -> None:
    failure = Failure(code, "it broke", "$.a[1]", next="Mend it.", details={"ids": ["x"]})
    back = errors.from_json(json.loads(json.dumps(errors.to_json(failure))))
    assert errors.to_json(back) == errors.to_json(failure)


def test_a_definite_deadline_survives_json() -> None:
    failure = Failure(Code.DEADLINE, "the query took too long", definite=True)
    assert errors.from_json(errors.to_json(failure)).definite


def test_a_code_of_a_newer_node_is_an_internal_failure_with_its_own_words() -> None:
    back = errors.from_json({"code": "ON_FIRE", "error": "flames", "definite": True})
    assert (back.code, back.message, back.definite) == (Code.INTERNAL, "flames", True)


def test_paths_grow_outwards() -> None:
    failure = Failure(Code.INVALID_ARGUMENT, "too long", "$.title")
    assert failure.under("$[3]").under("$.memories").path == "$.memories[3].title"
    assert Failure(Code.INVALID_ARGUMENT, "bad").under("$.x").path == "$.x"


def test_without_a_better_idea_the_table_says_what_to_do() -> None:
    assert Failure(Code.NOT_FOUND, "no").next == SIGNS[Code.NOT_FOUND].next


def test_docs_show_every_code() -> None:
    text = (Path(errors.__file__).parents[2] / "docs" / "failures.md").read_text()
    for code in Code:
        assert f"`{code.value}`" in text
