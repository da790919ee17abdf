"""OpenAPI made from the contract."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema

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


def test_every_http_rule_is_described_once() -> None:
    page = openapi("9")
    described = {(m.upper(), path) for path, methods in page["paths"].items() for m in methods}
    declared = {(r.method, r.path) for o in OPERATIONS.values() for r in o.http}
    assert described == declared
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
            places = [(p["name"], p["in"]) for p in described.get("parameters", ())]
            named = re.findall(r"{(\w+)}", path)
            assert [name for name, place in places if place == "path"] == named
            body = described.get("requestBody")
            if body and named:
                schema = body["content"]["application/json"]["schema"]
                assert not set(named) & set(schema["properties"])


def test_a_write_without_a_body_takes_its_request_key_in_the_query() -> None:
    parameters = openapi()["paths"]["/api/v1/memories/{id}"]["delete"]["parameters"]
    assert "options.request_key" in {parameter["name"] for parameter in parameters}
