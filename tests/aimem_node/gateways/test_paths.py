"""An HTTP method and path lead to one operation, or to a refusal that helps."""

import pytest

from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.paths import Found, NoSuchMethod, NoSuchPath, Paths

PATHS = Paths(OPERATIONS.values())
EVERY_RULE = [
    (operation.name, rule.method, rule.path)
    for operation in OPERATIONS.values()
    for rule in operation.http
]


@pytest.mark.parametrize(("name", "method", "path"), EVERY_RULE)
def test_every_declared_path_leads_to_its_operation(name, method, path) -> None:
    found = PATHS.find(method, path.replace("{id}", "abc"))
    assert isinstance(found, Found)
    assert found.operation.name == name


def test_a_value_in_the_path_may_hold_an_escaped_slash() -> None:
    found = PATHS.find("GET", "/api/v1/memories/a%2Fb%20c")
    assert isinstance(found, Found)
    assert found.values == {"id": "a/b c"}


def test_a_literal_segment_wins_over_a_value() -> None:
    found = PATHS.find("POST", "/api/v1/memories/bulk")
    assert isinstance(found, Found)
    assert found.operation.name == "BulkStore"


def test_a_closing_slash_changes_nothing() -> None:
    found = PATHS.find("GET", "/api/v1/memories/")
    assert isinstance(found, Found)
    assert found.operation.name == "List"


def test_an_empty_value_is_no_value() -> None:
    assert isinstance(PATHS.find("GET", "/api/v1/memories//history"), NoSuchPath)


def test_head_is_answered_as_get() -> None:
    assert isinstance(PATHS.find("HEAD", "/api/v1/stats"), Found)


def test_a_wrong_method_is_told_the_right_ones() -> None:
    refused = PATHS.find("PUT", "/api/v1/memories")
    assert isinstance(refused, NoSuchMethod)
    assert refused.allowed == ("GET", "POST")


def test_an_unknown_path_is_told_the_nearest_ones() -> None:
    refused = PATHS.find("GET", "/api/v1/memory")
    assert isinstance(refused, NoSuchPath)
    assert "GET /api/v1/memories" in refused.nearest
