"""Whatever comes in at the MCP socket, good clients are served and bad ones shown out."""

import asyncio
import json
import os

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.gateways import mcp_socket
from aimem_node.gateways.mcp_socket import McpSocket, Preface, read_preface
from tests.aimem_node.gateways.mcp_client import connect, preface

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


async def say(path, *said):
    """Send bytes, close our side, and read what comes back until the end."""
    reader, writer = await asyncio.open_unix_connection(path)
    for part in said:
        writer.write(part)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return [json.loads(line) for line in answer.splitlines()]


async def works(path):
    """Whether a good client is still served."""
    async with connect(path) as client:
        return len((await client.list_tools()).tools) > 0


def test_a_preface_says_profile_and_name() -> None:
    assert read_preface(preface(profile="full", agent_id="ai:x")) == Preface("full", "ai:x")
    assert read_preface(b'{"aimem_mcp":1}') == Preface("core", "")


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"1", b'{"profile":"core"}', b'{"aimem_mcp":2}', b'{"aimem_mcp":"1"}',
     b'{"aimem_mcp":1,"profile":"all"}', b'{"aimem_mcp":1,"profile":["core"]}',
     b'{"aimem_mcp":1,"agent_id":7}', b"\xff\xfe"],
)  # fmt: skip
def test_another_first_line_is_no_preface(line) -> None:
    with pytest.raises(Failure):
        read_preface(line)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (PING, "first line"),
        (b"GET / HTTP/1.1\r\n\r\n", "JSON"),
        (b"x" * 5000, "4096 bytes"),
        (preface(profile="all"), "profile"),
    ],
)
def test_a_stranger_is_told_why_and_shown_out(run, dispatch, tmp_path, said, why) -> None:
    async def body():
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            return await say(path, said), await works(path)

    (answer,), served = run(body())
    assert answer["error"]["code"] == -32600
    assert why in answer["error"]["message"]
    assert served


def test_whoever_says_nothing_is_shown_out(run, dispatch, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mcp_socket, "PREFACE_WAIT_S", 0.01)

    async def body():
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            answer = await reader.read()
            writer.close()
            return json.loads(answer)

    assert "no first line" in run(body())["error"]["message"]


def test_leaving_at_any_moment_harms_nobody_else(run, dispatch, tmp_path) -> None:
    async def never(_request):
        await asyncio.Event().wait()

    dispatch.answers["Stats"] = never
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "memory_stats", "arguments": {}},
    }
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    init = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    opening = preface(profile="full") + json.dumps(init).encode() + b"\n"
    starts = [b"", b"{", preface(), opening, opening + json.dumps(call).encode() + b"\n"]

    async def body():
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            for said in starts:
                _reader, writer = await asyncio.open_unix_connection(path)
                writer.write(said)
                await writer.drain()
                writer.transport.abort()
            return await works(path)

    assert run(body())


def test_a_message_too_large_ends_that_conversation_only(run, dispatch, tmp_path) -> None:
    async def body():
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(preface())
            huge = b"x" * (mcp_socket.MESSAGE_BYTES_MAX + 1)
            writer.write(huge)
            answer = await reader.readline()
            writer.close()
            return json.loads(answer), await works(path)

    answer, served = run(body())
    assert "longer than" in answer["error"]["message"]
    assert served


def test_many_clients_talk_at_once(run, dispatch, tmp_path) -> None:
    async def one(path, number):
        mode = "legacy" if number % 2 else "auto"
        async with connect(path, mode, agent_id=f"ai:{number}") as client:
            for _ in range(3):
                result = await client.call_tool("memory_store", {"title": "T", "content": "C"})
                assert not result.is_error

    async def body():
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            await asyncio.gather(*(one(path, number) for number in range(20)))

    run(body())
    hints = [call[2].agent_hint for call in dispatch.calls]
    assert sorted(hints) == sorted(f"ai:{number}" for number in range(20) for _ in range(3))


def test_one_client_too_many_is_told_so(run, dispatch, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mcp_socket, "CLIENTS_MAX", 1)

    async def body():
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            async with connect(path):
                (answer,) = await say(path, b"")
            return answer

    assert "connected already" in run(body())["error"]["message"]


def test_stopping_ends_every_conversation_and_takes_the_socket_away(
    run, dispatch, tmp_path
) -> None:
    async def body():
        server = McpSocket(dispatch, str(tmp_path / "s"))
        path = await server.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(preface() + PING)
        await reader.readline()
        await server.stop()
        rest = await reader.read()
        writer.close()
        return rest, os.listdir(tmp_path)

    assert run(body()) == (b"", [])
