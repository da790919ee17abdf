"""Path, query, body and headers make one request; whatever cannot be read says where."""

import asyncio
import json

import pytest
from starlette.datastructures import Headers

from aimem_node.contract.calls import Channel
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways import reading
from aimem_node.gateways.paths import Found, Paths
from aimem_node.gateways.peercred import STRANGER, Peer
from aimem_node.gateways.reading import (
    BODY_BYTES_MAX,
    Gone,
    credentials_of,
    read_body,
    read_request,
)
from aimem_node.gateways.refusals import Refusal

PATHS = Paths(OPERATIONS.values())
JSON = {"content-type": "application/json"}


def read(method, path, query="", body=None, headers=None):
    found = PATHS.find(method, path)
    assert isinstance(found, Found)
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_request(found, query.encode(), raw, Headers({**JSON, **(headers or {})}))


def test_a_body_a_path_and_a_query_make_one_request() -> None:
    request = read("PUT", "/api/v1/memories/abc", "priority=7", {"title": "T", "tags": ["x"]})
    assert (request.id, request.priority, request.title, request.tags) == ("abc", 7, "T", ("x",))


def test_a_query_is_read_by_the_kind_of_its_field() -> None:
    request = read(
        "GET", "/api/v1/memories", "limit=5&tags=a&tags=b%20c&since=2026-01-02T00:00:00Z"
    )
    assert (request.limit, request.tags, request.since) == (5, ("a", "b c"), 1_767_312_000_000_000)


def test_the_fields_of_a_body_may_come_in_the_query_instead() -> None:
    request = read("DELETE", "/api/v1/links", "source_id=a&target_id=b&options.request_key=k")
    assert (request.source_id, request.target_id, request.options.request_key) == ("a", "b", "k")


def test_the_same_value_twice_is_one_value() -> None:
    assert read("PUT", "/api/v1/memories/abc", "", {"id": "abc"}).id == "abc"


def test_two_values_for_one_field_are_refused_at_that_field() -> None:
    with pytest.raises(Failure) as refused:
        read("PUT", "/api/v1/memories/abc", "", {"id": "other"})
    assert (refused.value.code, refused.value.path) == (Code.INVALID_ARGUMENT, "$.id")


def test_a_bare_array_is_the_one_list_that_a_request_needs() -> None:
    request = read("POST", "/api/v1/memories/bulk", "", [{"title": "T", "content": "C"}])
    assert request.memories[0].title == "T"
    assert read("POST", "/api/v1/archive", "", ["a", "b"]).ids == ("a", "b")


def test_a_bare_array_is_refused_where_the_request_is_more_than_a_list() -> None:
    with pytest.raises(Failure) as refused:
        read("POST", "/api/v1/memories", "", ["a"])
    assert refused.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("body", [b"{", b"nul", b'"text"', b"3", b'{"a": NaN}', b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(body) -> None:
    with pytest.raises(Failure) as refused:
        read("POST", "/api/v1/memories", "", body)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_json_nested_a_thousand_deep_is_refused() -> None:
    with pytest.raises(Failure) as refused:
        read("POST", "/api/v1/memories", "", b'{"metadata":' * 1000 + b"1" + b"}" * 1000)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_an_unknown_field_is_named_with_its_path() -> None:
    with pytest.raises(Failure) as refused:
        read("POST", "/api/v1/memories", "", {"title": "T", "content": "C", "colour": 1})
    assert refused.value.path == "$.colour"


def test_an_unknown_query_field_is_named_with_its_path() -> None:
    with pytest.raises(Failure) as refused:
        read("GET", "/api/v1/memories", "colour=red")
    assert refused.value.path == "$.colour"


def test_a_body_of_another_type_is_refused_as_such() -> None:
    with pytest.raises(Refusal) as refused:
        read("POST", "/api/v1/memories", "", {"title": "T"}, {"content-type": "text/plain"})
    assert refused.value.status == 415


def test_a_packed_body_is_refused_unopened() -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    with pytest.raises(Refusal) as refused:
        read("POST", "/api/v1/memories", "", {"title": "T"}, headers)
    assert refused.value.status == 415
    plain = {"content-type": "application/json", "content-encoding": "identity"}
    assert read("POST", "/api/v1/gc", "", {}, plain).dry_run is False


def test_a_charset_beside_the_type_is_fine() -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    assert read("POST", "/api/v1/gc", "", {}, headers).dry_run is False


def test_a_get_takes_no_body() -> None:
    with pytest.raises(Failure, match="GET has no body"):
        read("GET", "/api/v1/memories", "", {"limit": 1})


def test_an_idempotency_key_becomes_the_request_key() -> None:
    headers = {"idempotency-key": "k1"}
    request = read("POST", "/api/v1/gc", "", None, headers)
    assert request.options.request_key == "k1"
    with pytest.raises(Failure):
        read("POST", "/api/v1/gc", "", {"options": {"request_key": "k2"}}, headers)


def test_null_is_absent_and_leaves_room_for_a_header() -> None:
    headers = {"idempotency-key": "k1", "x-agent-id": "ai:me"}
    body = {"title": "T", "content": "C", "options": None, "agent_id": None}
    request = read("POST", "/api/v1/memories", "", body, headers)
    assert (request.options.request_key, request.agent_id) == ("k1", "ai:me")


def test_an_idempotency_key_on_a_read_changes_nothing() -> None:
    assert read("GET", "/api/v1/stats", "", None, {"idempotency-key": "k1"}) is not None


def test_an_agent_header_claims_a_write_that_claims_nothing_itself() -> None:
    headers = {"x-agent-id": "ai:me"}
    body = {"title": "T", "content": "C"}
    assert read("POST", "/api/v1/memories", "", body, headers).agent_id == "ai:me"
    body["agent_id"] = "ai:other"
    assert read("POST", "/api/v1/memories", "", body, headers).agent_id == "ai:other"


def test_an_agent_header_does_not_filter_a_read() -> None:
    assert read("GET", "/api/v1/memories", "", None, {"x-agent-id": "ai:me"}).agent_id is None


def test_a_stream_goes_on_after_the_last_event_that_was_seen() -> None:
    headers = {"last-event-id": "7:42"}
    assert read("GET", "/api/v1/events", "", None, headers).after == "7:42"
    assert read("GET", "/api/v1/events", "after=start", None, headers).after == "start"


def test_credentials_come_from_the_connection_and_the_token() -> None:
    headers = Headers({"authorization": "Bearer secret", "x-agent-id": "ai:me"})
    credentials = credentials_of(headers, Peer(Channel.UNIX, 1000, 42))
    assert (credentials.channel, credentials.uid, credentials.pid) == (Channel.UNIX, 1000, 42)
    assert (credentials.bearer, credentials.agent_hint) == ("secret", "ai:me")
    assert credentials.surface == "http"


@pytest.mark.parametrize("value", ["Basic abc", "Bearer", "Bearer  ", "secret"])
def test_an_authorization_that_is_no_token_is_refused(value) -> None:
    with pytest.raises(Failure) as refused:
        credentials_of(Headers({"authorization": value}), STRANGER)
    assert refused.value.code is Code.UNAUTHENTICATED


def test_the_command_line_is_known_only_on_the_unix_socket() -> None:
    headers = Headers({"user-agent": "aimem-cli/1"})
    assert credentials_of(headers, Peer(Channel.UNIX)).surface == "cli"
    assert credentials_of(headers, STRANGER).surface == "http"


def messages(*parts):
    queue = [
        {"type": "http.request", "body": part, "more_body": at + 1 < len(parts)}
        for at, part in enumerate(parts)
    ] + [{"type": "http.disconnect"}]

    async def receive():
        return queue.pop(0)

    return receive


def test_a_body_is_read_whole_however_it_is_cut(run) -> None:
    assert run(read_body(messages(b"ab", b"", b"cd"), Headers({}))) == b"abcd"


def test_a_body_too_large_is_refused_by_what_it_declares(run) -> None:
    async def receive():
        raise AssertionError("the body was read")

    with pytest.raises(Failure) as refused:
        run(read_body(receive, Headers({"content-length": str(BODY_BYTES_MAX + 1)})))
    assert refused.value.code is Code.TOO_LARGE


def test_a_body_too_large_is_refused_by_what_it_sends(run) -> None:
    half = b"x" * (BODY_BYTES_MAX // 2 + 1)
    with pytest.raises(Failure) as refused:
        run(read_body(messages(half, half), Headers({})))
    assert refused.value.code is Code.TOO_LARGE


def test_a_body_of_exactly_the_limit_is_read(run) -> None:
    assert len(run(read_body(messages(b"x" * BODY_BYTES_MAX), Headers({})))) == BODY_BYTES_MAX


def test_a_caller_that_leaves_in_mid_body_is_gone(run) -> None:
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(Gone):
        run(read_body(receive, Headers({})))


def test_a_body_that_stops_coming_is_given_up(run, monkeypatch) -> None:
    monkeypatch.setattr(reading, "BODY_WAIT_S_MAX", 0.01)

    async def receive():
        await asyncio.Event().wait()

    with pytest.raises(Refusal) as refused:
        run(read_body(receive, Headers({})))
    assert refused.value.status == 408
