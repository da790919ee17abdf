"""MCP at /mcp: the SDK's own client, over a real server."""

import asyncio
import json

import pytest
from mcp import Client

from aimem_node.contract.calls import Channel
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import StoreResponse
from aimem_node.gateways.http import Extras, app
from aimem_node.gateways.serving import HttpServing
from tests.aimem_node.gateways.asgi import ask
from tests.aimem_node.gateways.mcp_client import CLIENT

STORE = {"title": "T", "content": "C"}
INIT = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
ACCEPT = {"accept": "application/json, text/event-stream"}


def served(run, dispatch, tmp_path, body, extras=None):
    async def conversation():
        serving = HttpServing(app(dispatch, extras), str(tmp_path / "s"), ("127.0.0.1", 0))
        async with serving as bound:
            return await body(f"http://127.0.0.1:{bound.tcp[1]}/mcp")

    return run(conversation())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_stock_client_talks_over_http_in_either_era(run, dispatch, tmp_path, mode) -> None:
    async def body(url):
        async with Client(url, mode=mode, client_info=CLIENT) as client:
            tools = (await client.list_tools()).tools
            result = await client.call_tool("memory_store", STORE)
            return client.protocol_version, tools, result

    version, tools, result = served(run, dispatch, tmp_path, body)
    assert version == ("2026-07-28" if mode == "auto" else "2025-11-25")
    assert len(tools) <= 8
    assert not result.is_error
    seen = dispatch.credentials
    assert (seen.channel, seen.surface) == (Channel.LOOPBACK, "mcp")
    assert seen.agent_hint.startswith("ai:Test-Client@")
    assert "pid" not in seen.agent_hint


def test_the_query_chooses_the_profile_and_profiles_stand_beside_each_other(
    run, dispatch, tmp_path
) -> None:
    async def body(url):
        async with Client(url) as core, Client(url + "?profile=full") as full:
            return len((await core.list_tools()).tools), len((await full.list_tools()).tools)

    core, full = served(run, dispatch, tmp_path, body)
    assert core <= 8 < full


def test_many_first_clients_come_at_once(run, dispatch, tmp_path) -> None:
    async def body(url):
        async def one():
            async with Client(url, mode="legacy") as client:
                return (await client.call_tool("memory_store", STORE)).is_error

        return await asyncio.gather(*(one() for _ in range(8)))

    assert served(run, dispatch, tmp_path, body) == [False] * 8
    assert len(dispatch.calls) == 8


def test_whoever_is_not_let_in_gets_no_session(run, dispatch) -> None:
    def admit(credentials):
        if credentials.bearer != "good":
            raise Failure(Code.UNAUTHENTICATED, "who is this")

    async def body():
        gateway = app(dispatch, Extras(admit=admit))
        refused = await ask(gateway, "POST", "/mcp", INIT, ACCEPT)
        good = {**ACCEPT, "authorization": "Bearer good"}
        opened = await ask(gateway, "POST", "/mcp", INIT, good)
        session = {**good, "mcp-session-id": opened.headers["mcp-session-id"]}
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "memory_store", "arguments": STORE},
        }
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await ask(gateway, "POST", "/mcp", done, session)
        answered = await ask(gateway, "POST", "/mcp", call, session)
        stolen = await ask(
            gateway, "POST", "/mcp", call, {**session, "authorization": "Bearer bad"}
        )
        await gateway.close()
        return refused, opened, answered, stolen

    refused, opened, answered, stolen = run(body())
    assert (refused.status, opened.status, answered.status, stolen.status) == (401, 200, 200, 401)
    assert "www-authenticate" in refused.headers
    assert not json.loads(answered.body)["result"]["isError"]
    assert dispatch.credentials.bearer == "good"
    assert len(dispatch.calls) == 1


def test_a_closed_gateway_opens_no_session(run, dispatch) -> None:
    async def body():
        gateway = app(dispatch)
        await gateway.close()
        return await ask(gateway, "POST", "/mcp", INIT, ACCEPT)

    assert run(body()).status == 503


def test_a_session_of_many_requests_takes_along_what_it_has_seen(run, dispatch, tmp_path) -> None:
    """Each session its own: what one agent has seen makes no other one wait."""
    seen = f"c/1/{'a' * 32}.{'b' * 16}:7"

    async def body(url):
        async with Client(url, mode="legacy", client_info=CLIENT) as client:
            await client.call_tool("memory_store", STORE)
            dispatch.answers["Store"] = telling
            await client.call_tool("memory_store", STORE)
            await client.call_tool("memory_store", STORE)
        async with Client(url, mode="legacy", client_info=CLIENT) as other:
            await other.call_tool("memory_store", STORE)
        return [who.session.after for _, _, who in dispatch.calls]

    async def telling(_request):
        dispatch.credentials.session.token = seen
        return StoreResponse()

    assert served(run, dispatch, tmp_path, body) == ["", "", seen, ""]
