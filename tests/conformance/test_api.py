"""What /openapi.json says is valid, and true of a running node."""

from openapi_spec_validator import validate

from aimem_node.contract.openapi import openapi
from tests.conformance.api import main


def test_the_description_is_openapi() -> None:
    validate(openapi())


def test_a_node_answers_as_it_is_described(capfd) -> None:
    code = main([])
    assert code == 0, capfd.readouterr().out
