"""The examples of the API are requests that the node takes and failures that it gives."""

import pytest

from aimem_node.contract import codec
from aimem_node.contract.errors import SIGNS, Code, from_json
from aimem_node.contract.openapi_examples import error_example, request_example, value_example
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.validate import check

RULES = [(operation, rule) for operation in OPERATIONS.values() for rule in operation.http]


@pytest.mark.parametrize(("operation", "rule"), RULES, ids=lambda x: getattr(x, "name", ""))
def test_every_example_of_a_request_is_one(operation, rule) -> None:
    said = request_example(operation, rule)
    assert not set(said) & set(rule.path_params)
    for field in operation.fields:
        if field.name in rule.path_params:
            said[field.name] = value_example(field)
    check(codec.from_json(operation.request, said))


@pytest.mark.parametrize("code", Code)
def test_every_failure_has_an_example_that_says_what_happened(code) -> None:
    failure = from_json(error_example(code))
    assert failure.code is code
    assert failure.definite is SIGNS[code].definite
    assert failure.message
    assert failure.next
