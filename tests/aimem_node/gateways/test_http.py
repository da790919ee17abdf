"""Every operation of the contract is there over HTTP, by rule."""

import asyncio
import subprocess
import sys
from urllib.parse import quote, urlencode

import pytest

from aimem_node.contract.calls import Channel
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.openapi_examples import value_example
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.values import (
    Event,
    Memory,
    Outcome,
    RecallResponse,
    StoreResponse,
    WriteResult,
)
from aimem_node.gateways.http import Extras, app
from aimem_node.gateways.peercred import STRANGER, Peer
from aimem_node.gateways.reading import BODY_BYTES_MAX
from tests.aimem_node.gateways.asgi import Exchange, ask

STORE = {"title": "T", "content": "C"}
EVERY_RULE = [
    (operation, rule) for operation in OPERATIONS.values() for rule in operation.http
]  # fmt: skip


@pytest.mark.parametrize(("operation", "rule"), EVERY_RULE, ids=lambda x: getattr(x, "path", ""))
def test_every_rule_of_every_operation_reaches_it(run, dispatch, operation, rule) -> None:
    fields = {f.name: value_example(f) for f in operation.fields if f.required}
    path = rule.path
    for name in rule.path_params:
        path = path.replace("{" + name + "}", quote(fields.pop(name), safe=""))
    if rule.body:
        answer = run(ask(app(dispatch), rule.method, path, fields))
    else:
        query = urlencode(fields, doseq=True)
        answer = run(ask(app(dispatch), rule.method, f"{path}?{query}"))
    assert answer.status == operation.http_status, answer.body
    assert dispatch.calls[-1][0] == operation.name


def test_an_answer_is_the_response_as_json(run, dispatch) -> None:
    dispatch.answers["Recall"] = RecallResponse(memories=(Memory(id="m", title="é"),), count=1)
    answer = run(ask(app(dispatch), "POST", "/api/v1/recall", {"context": "x"}))
    assert answer.json["memories"][0]["title"] == "é"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["unavailable"] == []


def test_a_write_that_is_pending_is_accepted_and_not_created(run, dispatch) -> None:
    dispatch.answers["Store"] = StoreResponse(id="m", write=WriteResult(outcome=Outcome.PENDING))
    assert run(ask(app(dispatch), "POST", "/api/v1/memories", STORE)).status == 202
    dispatch.answers["Store"] = StoreResponse(id="m", write=WriteResult(outcome=Outcome.COMMITTED))
    assert run(ask(app(dispatch), "POST", "/api/v1/memories", STORE)).status == 201


def test_the_caller_is_known_by_the_connection(run, dispatch) -> None:
    headers = {"authorization": "Bearer t", "x-agent-id": "ai:me"}
    run(ask(app(dispatch), "GET", "/api/v1/stats", headers=headers))
    seen = dispatch.credentials
    assert (seen.channel, seen.uid, seen.pid) == (Channel.UNIX, 1000, 42)
    assert (seen.bearer, seen.agent_hint, seen.surface) == ("t", "ai:me", "http")


def test_a_failure_keeps_its_words_and_has_its_status(run, dispatch) -> None:
    dispatch.answers["Get"] = Failure(Code.NOT_FOUND, "no memory 'x'", "$.id", next="List them.")
    answer = run(ask(app(dispatch), "GET", "/api/v1/memories/x"))
    assert answer.status == 404
    assert answer.json == {
        "error": "no memory 'x'", "code": "NOT_FOUND", "path": "$.id", "definite": True,
        "next": "List them.",
    }  # fmt: skip


def test_a_bug_behind_the_dispatch_is_an_answer_too(run, dispatch) -> None:
    dispatch.answers["Stats"] = KeyError("secret")
    answer = run(ask(app(dispatch), "GET", "/api/v1/stats"))
    assert (answer.status, answer.json["code"]) == (500, "INTERNAL")
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/api/v1/memory", 404),
        ("GET", "/elsewhere", 404),
        ("PUT", "/api/v1/memories", 405),
        ("POST", "/", 405),
        ("DELETE", "/metrics", 405),
        ("HEAD", "/api/v1/events", 405),
        ("OPTIONS", "/api/v1/memories", 405),
    ],
)
def test_a_wrong_address_is_a_json_answer(run, dispatch, method, target, status) -> None:
    answer = run(ask(app(dispatch), method, target))
    assert answer.status == status
    assert answer.json["next"]
    assert (status == 405) == ("allow" in answer.headers)


def test_bad_json_is_400_and_a_wrong_type_is_415(run, dispatch) -> None:
    gateway = app(dispatch)
    assert run(ask(gateway, "POST", "/api/v1/memories", b"{")).status == 400
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert run(ask(gateway, "POST", "/api/v1/memories", b"a=b", headers)).status == 415
    assert dispatch.calls == []


def test_a_body_above_two_mebibytes_is_413_however_it_is_sent(run, dispatch) -> None:
    async def chunked():
        parts = [b"x" * 1024 * 1024] * 3
        return await Exchange("POST", "/api/v1/memories", parts).run(app(dispatch))

    declared = {"content-length": str(BODY_BYTES_MAX + 1)}
    assert run(ask(app(dispatch), "POST", "/api/v1/memories", b"", declared)).status == 413
    assert run(chunked()).status == 413
    assert dispatch.calls == []


def test_a_caller_that_leaves_ends_the_work(run, dispatch) -> None:
    async def body() -> None:
        async def never(_request):
            await asyncio.Event().wait()

        dispatch.answers["Recall"] = never
        exchange = Exchange("GET", "/api/v1/recall?context=x")
        task = asyncio.create_task(exchange.run(app(dispatch)))
        await dispatch.entered.wait()
        exchange.leave()
        await task
        assert dispatch.cancelled == ["Recall"]
        assert exchange.answer.status == 0

    run(body())


def test_a_stream_comes_line_by_line_or_as_events(run, dispatch) -> None:
    dispatch.answers["Events"] = [
        Event(token="1:1", event="memory_stored", id="a"),
        Event(token="1:2"),
    ]
    lines = run(ask(app(dispatch), "GET", "/api/v1/events"))
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert lines.body.count(b"\n") == 2
    headers = {"accept": "text/event-stream"}
    events = run(ask(app(dispatch), "GET", "/api/v1/events", headers=headers))
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.body.startswith(b"id: 1:1\ndata: {")
    assert events.finished


def test_a_stream_that_is_refused_has_a_status_and_no_items(run, dispatch) -> None:
    dispatch.answers["Events"] = [Failure(Code.INVALID_ARGUMENT, "no such token", "$.after")]
    answer = run(ask(app(dispatch), "GET", "/api/v1/events?after=x"))
    assert (answer.status, answer.json["path"]) == (400, "$.after")


def test_a_closing_node_ends_its_streams(run, dispatch) -> None:
    async def body() -> None:
        async def endless(_request):
            yield Event(token="1")
            await asyncio.Event().wait()

        dispatch.answers["Events"] = endless
        gateway = app(dispatch)
        exchange = Exchange("GET", "/api/v1/events")
        task = asyncio.create_task(exchange.run(gateway))
        await exchange.until(b"\n")
        await gateway.close()
        await task
        assert exchange.answer.finished
        assert dispatch.cancelled == ["Events"]

    run(body())


def test_metrics_are_shown_to_whom_the_node_lets_in(run, dispatch) -> None:
    def admit(credentials):
        if credentials.bearer != "good":
            raise Failure(Code.UNAUTHENTICATED, "who is this")

    gateway = app(dispatch, Extras(metrics=lambda: b"aimem_up 1\n", admit=admit))
    good = {"authorization": "Bearer good"}
    for path in ("/metrics", "/api/v1/metrics"):
        answer = run(ask(gateway, "GET", path, headers=good))
        assert (answer.status, answer.body) == (200, b"aimem_up 1\n")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert run(ask(gateway, "GET", path)).status == 401
    assert run(ask(gateway, "POST", "/mcp", {})).status == 401


def test_the_api_describes_itself(run, dispatch) -> None:
    described = run(ask(app(dispatch), "GET", "/openapi.json")).json
    assert described["openapi"].startswith("3.1")
    for operation in OPERATIONS.values():
        for rule in operation.http:
            assert rule.method.lower() in described["paths"][rule.path]


def test_the_status_page_is_html(run, dispatch) -> None:
    answer = run(ask(app(dispatch), "GET", "/"))
    assert answer.headers["content-type"].startswith("text/html")
    assert dispatch.calls == []


def test_a_strange_page_is_turned_away_on_tcp_and_not_on_the_unix_socket(run, dispatch) -> None:
    evil = {"host": "evil.example"}
    gateway = app(dispatch)
    assert run(ask(gateway, "GET", "/api/v1/stats", headers=evil, peer=STRANGER)).status == 403
    assert run(ask(gateway, "GET", "/", headers=evil, peer=STRANGER)).status == 403
    assert run(ask(gateway, "POST", "/mcp", {}, headers=evil, peer=STRANGER)).status == 403
    assert dispatch.calls == []
    assert (
        run(ask(gateway, "GET", "/api/v1/stats", headers=evil, peer=Peer(Channel.UNIX))).status
        == 200
    )


def test_an_unknown_mcp_profile_is_refused_with_the_known_ones(run, dispatch) -> None:
    answer = run(ask(app(dispatch), "POST", "/mcp?profile=everything", {}))
    assert (answer.status, answer.json["path"]) == (400, "$.profile")
    assert "core" in answer.json["next"]


def test_the_mcp_sdk_is_not_imported_before_its_first_client() -> None:
    code = (
        "import sys, aimem_node.gateways.http, aimem_node.gateways.serving\n"
        "import aimem_node.gateways.mcp_socket\n"
        "sys.exit('mcp' in sys.modules or 'pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
