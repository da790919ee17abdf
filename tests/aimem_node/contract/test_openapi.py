"""OpenAPI made from the contract."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema

from aimem_node.contract.errors import SIGNS
from aimem_node.contract.json_text import dumps
from aimem_node.contract.openapi import openapi
from aimem_node.contract.operations import OPERATIONS


def refs(obj: Any) -> Iterator[str]:
    if isinstance(obj, dict):
        if "$ref" in obj:
            yield obj["$ref"]
        for inner in obj.values():
            yield from refs(inner)
    elif isinstance(obj, list):
        for inner in obj:
            yield from refs(inner)


def own_parameters(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that stand for fields; the headers are the same everywhere, and referred to."""
    return [one for one in described.get("parameters", ()) if "$ref" not in one]


def test_every_http_rule_is_described_once() -> None:
    page = openapi("9")
    described = {(m.upper(), path) for path, methods in page["paths"].items() for m in methods}
    declared = {(r.method, r.path) for o in OPERATIONS.values() for r in o.http}
    assert described == declared | {("GET", "/metrics"), ("GET", "/api/v1/metrics")}
    assert page["info"]["version"] == "9"
    ids = [m["operationId"] for methods in page["paths"].values() for m in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere() -> None:
    page = openapi()
    for ref in refs(page):
        place = page
        for part in ref.removeprefix("#/").split("/"):
            place = place[part]
    for schema in page["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(dumps(page)) == page


def test_a_value_of_the_path_is_a_parameter_and_not_of_the_body() -> None:
    for path, methods in openapi()["paths"].items():
        for described in methods.values():
            places = [(p["name"], p["in"]) for p in own_parameters(described)]
            named = re.findall(r"{(\w+)}", path)
            assert [name for name, place in places if place == "path"] == named
            body = described.get("requestBody")
            if body and named:
                schema = body["content"]["application/json"]["schema"]
                assert not set(named) & set(schema["properties"])


def test_a_write_without_a_body_takes_its_request_key_in_the_query() -> None:
    described = openapi()["paths"]["/api/v1/memories/{id}"]["delete"]
    assert "options.request_key" in {one["name"] for one in own_parameters(described)}


def test_every_status_that_can_come_is_named() -> None:
    for methods in openapi()["paths"].values():
        for described in methods.values():
            if described["operationId"].startswith("Metrics"):
                continue
            named = {int(status) for status in described["responses"]}
            assert {sign.http for sign in SIGNS.values()} <= named
            assert ({408, 415} <= named) == ("requestBody" in described)
            answer = described["responses"]["200" if 200 in named else "201"]["content"]
            shown = answer.get("application/json", {}).get("schema", {})
            name = shown.get("$ref", "").rpartition("/")[2]
            writes = (
                "write"
                in openapi()["components"]["schemas"].get(name, {"properties": {}})["properties"]
            )
            assert (202 in named) == writes


def test_only_requests_have_patterns_because_an_answer_may_be_empty() -> None:
    schemas = openapi()["components"]["schemas"]
    assert "pattern" in schemas["StoreRequest"]["properties"]["title"]
    assert "pattern" not in schemas["Memory"]["properties"]["title"]


def test_an_object_in_a_query_is_json_text() -> None:
    for methods in openapi()["paths"].values():
        for described in methods.values():
            for parameter in described.get("parameters", ()):
                kind = parameter.get("schema", {}).get("type")
                assert kind != "object"


def test_every_operation_has_words_a_tag_and_an_example_of_its_body() -> None:
    page = openapi()
    tags = {tag["name"] for tag in page["tags"]}
    for methods in page["paths"].values():
        for described in methods.values():
            assert described["summary"]
            assert set(described["tags"]) <= tags
            for content in described.get("requestBody", {}).get("content", {}).values():
                assert "example" in content
