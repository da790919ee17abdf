"""Failures become HTTP answers, and pages of other sites stay outside."""

import json

import pytest
from starlette.datastructures import Headers

from aimem_node.contract.errors import SIGNS, Code, Failure
from aimem_node.gateways import refusals


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_has_its_status_and_says_everything(code) -> None:
    answer = refusals.failure_response(Failure(code, "went wrong", "$.x", next="Mend it."))
    assert answer.status_code == SIGNS[code].http
    body = json.loads(answer.body)
    assert body["error"] == "went wrong"
    assert (body["code"], body["path"], body["next"]) == (code.value, "$.x", "Mend it.")
    assert body["definite"] is SIGNS[code].definite


def test_a_caller_without_credentials_is_told_the_scheme() -> None:
    answer = refusals.failure_response(Failure(Code.UNAUTHENTICATED, "who is this"))
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_busy_node_says_when_to_come_again() -> None:
    answer = refusals.failure_response(Failure(Code.UNAVAILABLE, "busy"))
    assert answer.headers["retry-after"] == "1"


def test_a_wrong_method_names_the_right_ones() -> None:
    answer = refusals.no_such_method("PUT", "/x", ("GET", "POST"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9077", "LOCALHOST:1", "[::1]:9077"])
def test_this_machine_may_be_asked_by_its_own_names(host) -> None:
    assert refusals.stranger_at_the_door(Headers({"host": host}), "GET") is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9077", "127.0.0.1.evil.example", "", "localhost@evil.example",
     "192.0.2.7", "[::2]:1", "[bad"],
)  # fmt: skip
def test_a_rebound_name_is_refused(host) -> None:
    failure = refusals.stranger_at_the_door(Headers({"host": host}), "GET")
    assert failure is not None
    assert failure.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://[bad"])
def test_a_page_from_elsewhere_is_refused(origin) -> None:
    headers = Headers({"host": "localhost", "origin": origin})
    assert refusals.stranger_at_the_door(headers, "POST") is not None


def test_a_page_of_this_machine_is_let_in() -> None:
    headers = Headers({"host": "localhost:1", "origin": "http://127.0.0.1:3000"})
    assert refusals.stranger_at_the_door(headers, "POST") is None


def test_another_site_may_link_here_but_not_ask_behind_the_users_back() -> None:
    headers = {"host": "localhost", "sec-fetch-site": "cross-site"}
    assert refusals.stranger_at_the_door(Headers(headers), "GET") is not None
    headers["sec-fetch-mode"] = "navigate"
    assert refusals.stranger_at_the_door(Headers(headers), "GET") is None
    assert refusals.stranger_at_the_door(Headers(headers), "POST") is not None
