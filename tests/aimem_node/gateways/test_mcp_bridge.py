"""Bytes become messages and messages bytes; the end of input is not the end of answers."""

import asyncio
import json

import pytest

from aimem_node.gateways import mcp_bridge
from aimem_node.gateways.mcp_socket import McpSocket
from tests.aimem_node.gateways.mcp_client import preface

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "script", "version": "1"},
}


def line(method, number=None, **params):
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        message["id"] = number
    return json.dumps(message).encode() + b"\n"


OPENING = preface() + line("initialize", 0, **HELLO) + line("notifications/initialized")
STORE = {"name": "memory_store", "arguments": {"title": "T", "content": "C"}}


async def pipe(path, said):
    """What a script gets that pipes its whole input in at once."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(said)
    writer.write_eof()
    answers = [json.loads(text) for text in (await reader.read()).splitlines()]
    writer.close()
    return answers


def piped(run, dispatch, tmp_path, said):
    async def body():
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            return await pipe(path, said)

    return run(body())


def test_answers_arrive_after_the_input_has_ended(run, dispatch, tmp_path) -> None:
    async def slow(_request):
        for _ in range(100):
            await asyncio.sleep(0)

    dispatch.answers["Store"] = slow
    said = OPENING + line("tools/call", 1, **STORE) + line("tools/call", 2, **STORE)
    answers = piped(run, dispatch, tmp_path, said)
    assert {answer["id"] for answer in answers} == {0, 1, 2}
    assert dispatch.cancelled == []


def test_a_call_that_never_ends_is_given_up_after_the_input_has_ended(
    run, dispatch, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(mcp_bridge, "HALF_OPEN_S_MAX", 0.05)

    async def never(_request):
        await asyncio.Event().wait()

    dispatch.answers["Store"] = never
    answers = piped(run, dispatch, tmp_path, OPENING + line("tools/call", 1, **STORE))
    assert answers[0]["id"] == 0
    assert dispatch.cancelled == ["Store"]


def test_a_cancelled_call_holds_nobody_up(run, dispatch, tmp_path) -> None:
    async def body():
        async def never(_request):
            await asyncio.Event().wait()

        dispatch.answers["Store"] = never
        async with McpSocket(dispatch, str(tmp_path / "s")) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(OPENING + line("tools/call", 1, **STORE))
            await dispatch.entered.wait()
            writer.write(line("notifications/cancelled", requestId=1))
            writer.write_eof()
            async with asyncio.timeout(mcp_bridge.HALF_OPEN_S_MAX - 1):
                await reader.read()
            writer.close()

    run(body())
    assert dispatch.cancelled == ["Store"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"{\n", -32700),
        (b"nonsense\n", -32700),
        (b"\xff\xfe\n", -32700),
        (b"[]\n", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}\n', -32600),
        (b'{"id":1}\n', -32600),
        (b"[" * 100_000 + b"\n", -32700),
    ],
)
def test_a_bad_line_is_answered_and_the_next_one_is_heard(
    run, dispatch, tmp_path, bad, code
) -> None:
    answers = piped(run, dispatch, tmp_path, OPENING + bad + b"\n  \n" + line("ping", 7))
    errors = [answer for answer in answers if answer.get("id") is None]
    assert [answer["error"]["code"] for answer in errors] == [code]
    assert any(answer.get("id") == 7 and "result" in answer for answer in answers)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (line("no/such/method", 1), -32601),
        (line("tools/call", 1), -32602),
        (line("tools/call", 1, name="memory_store", arguments=[1]), -32602),
        (line("prompts/get", 1, name="nonsense"), -32602),
    ],
)
def test_a_bad_request_has_the_error_that_json_rpc_gives_it(
    run, dispatch, tmp_path, bad, code
) -> None:
    answers = {answer["id"]: answer for answer in piped(run, dispatch, tmp_path, OPENING + bad)}
    assert answers[1]["error"]["code"] == code
