"""What an AI client sees of the node, in both eras of the protocol."""

import asyncio
import json

import pytest
from mcp.shared.exceptions import MCPError

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Profile
from aimem_node.contract.values import Event, ExportRecord, Memory, RecallResponse, Tier
from aimem_node.gateways import mcp_server
from aimem_node.gateways.mcp_server import toolbox
from aimem_node.gateways.mcp_socket import McpSocket
from tests.aimem_node.gateways.mcp_client import connect

STORE = {"title": "T", "content": "C"}
MODES = ["auto", "legacy"]


def talk(run, dispatch, tmp_path, body, mode="auto", **fields):
    """Run a conversation with a client that is connected."""

    async def conversation():
        path = str(tmp_path / "mcp.sock")
        async with McpSocket(dispatch, path, "1.2"), connect(path, mode, **fields) as client:
            return await body(client)

    return run(conversation())


def text_of(result):
    assert len(result.content) == 1
    return result.content[0].text


@pytest.mark.parametrize("mode", MODES)
def test_a_stock_client_lists_and_calls_tools_in_either_era(run, dispatch, tmp_path, mode) -> None:
    dispatch.answers["Recall"] = RecallResponse(
        memories=(Memory(id="m1", title="Deploy day", content="Tuesdays", tier=Tier.MID),), count=1
    )

    async def body(client):
        listed = await client.list_tools()
        result = await client.call_tool("memory_recall", {"context": "when do we deploy"})
        return client.protocol_version, listed.tools, result

    version, tools, result = talk(run, dispatch, tmp_path, body, mode)
    assert version == ("2026-07-28" if mode == "auto" else "2025-11-25")
    assert len(tools) <= 8
    assert not result.is_error
    assert "Tuesdays" in text_of(result)
    assert result.structured_content is None
    assert dispatch.request.context == "when do we deploy"


@pytest.mark.parametrize("mode", MODES)
def test_an_agent_is_named_by_its_client(run, dispatch, tmp_path, mode) -> None:
    async def body(client):
        await client.call_tool("memory_store", STORE)

    talk(run, dispatch, tmp_path, body, mode)
    seen = dispatch.credentials
    assert seen.agent_hint.startswith("ai:Test-Client@")
    assert seen.agent_hint.endswith(f":pid-{seen.pid}")
    assert seen.surface == "mcp"
    assert seen.uid is not None


def test_an_agent_that_names_itself_keeps_its_name(run, dispatch, tmp_path) -> None:
    async def body(client):
        await client.call_tool("memory_store", STORE)

    talk(run, dispatch, tmp_path, body, agent_id="ai:reviewer")
    assert dispatch.credentials.agent_hint == "ai:reviewer"
    assert dispatch.request.agent_id is None


def test_the_first_tool_list_is_small() -> None:
    tools = [
        tool.model_dump(by_alias=True, mode="json", exclude_none=True)
        for tool in toolbox("core").tools
    ]
    assert len(tools) <= 8
    assert len(json.dumps(tools, separators=(",", ":"))) <= 6000


def test_the_full_profile_offers_every_operation() -> None:
    assert set(toolbox("full").operations) == {op.mcp_name for op in OPERATIONS.values()}


def test_only_tools_with_rows_take_a_format() -> None:
    for tool in toolbox("full").tools:
        operation = toolbox("full").operations[tool.name]
        assert ("format" in tool.input_schema["properties"]) == bool(operation.rows)


def test_a_row_answer_comes_in_the_format_that_was_asked_for(run, dispatch, tmp_path) -> None:
    dispatch.answers["Recall"] = RecallResponse(memories=(Memory(id="m"),), count=1, mode="keyword")

    async def body(client):
        ask = {"context": "x"}
        return [
            text_of(await client.call_tool("memory_recall", {**ask, **more}))
            for more in ({}, {"format": "toon"}, {"format": "json"}, {"format": "xml"})
        ]

    compact, toon, full, refused = talk(run, dispatch, tmp_path, body)
    assert compact.startswith("count:1|mode:keyword\nmemories[")
    assert toon.startswith("count:1|mode:keyword\nmemories[")
    assert json.loads(full)["mode"] == "keyword"
    assert refused.startswith("INVALID_ARGUMENT at $.format: ")


def test_what_goes_wrong_in_a_tool_reaches_the_agent_with_the_way_out(
    run, dispatch, tmp_path
) -> None:
    dispatch.answers["Get"] = Failure(Code.NOT_FOUND, "no memory 'x'", "$.id", next="List them.")
    dispatch.answers["Delete"] = RuntimeError("secret")

    async def body(client):
        return [
            await client.call_tool("memory_get", {"id": "x"}),
            await client.call_tool("memory_store", {**STORE, "colour": "red"}),
            await client.call_tool("memory_store", {"title": 3, "content": "C"}),
            await client.call_tool("memory_store", {}),
            await client.call_tool("memory_delete", {"id": "x"}),
        ]

    results = talk(run, dispatch, tmp_path, body)
    assert all(result.is_error for result in results)
    texts = [text_of(result) for result in results]
    assert texts[0] == "NOT_FOUND at $.id: no memory 'x'. Next: List them."
    assert texts[1].startswith("INVALID_ARGUMENT at $.colour: ")
    assert texts[2].startswith("INVALID_ARGUMENT at $.title: ")
    assert "required" in texts[3]
    assert texts[4].startswith("INTERNAL: ")
    assert "secret" not in texts[4]


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_that_does_not_exist_is_an_error_of_the_protocol(
    run, dispatch, tmp_path, mode
) -> None:
    async def body(client):
        messages = []
        for name in ("memory_recal", "nonsense", "memory_stats"):
            with pytest.raises(MCPError) as refused:
                await client.call_tool(name, {})
            messages.append(refused.value.error.message)
        return messages

    near, unknown, hidden = talk(run, dispatch, tmp_path, body, mode)
    assert "nearest: memory_recall" in near
    assert "memory_store" in unknown
    assert "profile standard" in hidden


def test_a_stream_is_answered_with_its_first_items(run, dispatch, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mcp_server, "STREAM_QUIET_S", 0.05)

    async def endless(_request):
        yield Event(token="1", id="a")
        yield Event(token="2", id="b")
        await asyncio.Event().wait()

    dispatch.answers["Events"] = endless
    dispatch.answers["Export"] = [ExportRecord()] * 7

    async def body(client):
        return [
            json.loads(text_of(await client.call_tool("memory_events", {}))),
            json.loads(text_of(await client.call_tool("memory_export", {"limit": 3}))),
            json.loads(text_of(await client.call_tool("memory_export", {}))),
            text_of(await client.call_tool("memory_export", {"limit": "many"})),
        ]

    events, cut, whole, refused = talk(run, dispatch, tmp_path, body, profile="full")
    assert [item["id"] for item in events["items"]] == ["a", "b"]
    assert (events["count"], events["more"]) == (2, False)
    assert (cut["count"], cut["more"]) == (3, True)
    assert (whole["count"], whole["more"]) == (7, False)
    assert refused.startswith("INVALID_ARGUMENT at $.limit")
    assert dispatch.cancelled == ["Events", "Export"]


def test_prompts_are_offered_and_filled_in(run, dispatch, tmp_path) -> None:
    async def body(client):
        listed = await client.list_prompts()
        prompt = await client.get_prompt("recall-first", {"namespace": "team/x"})
        with pytest.raises(MCPError, match="recall-first"):
            await client.get_prompt("nonsense")
        return listed.prompts, prompt

    listed, prompt = talk(run, dispatch, tmp_path, body)
    assert [one.name for one in listed] == ["recall-first", "memory-workflow"]
    assert "team/x" in prompt.messages[0].content.text


@pytest.mark.parametrize("profile", [profile.value for profile in Profile])
def test_every_profile_is_served(run, dispatch, tmp_path, profile) -> None:
    async def body(client):
        return (await client.list_tools()).tools

    tools = talk(run, dispatch, tmp_path, body, profile=profile)
    assert [tool.name for tool in tools] == [tool.name for tool in toolbox(profile).tools]


def test_a_call_that_the_client_gives_up_is_cancelled(run, dispatch, tmp_path) -> None:
    async def never(_request):
        await asyncio.Event().wait()

    dispatch.answers["Recall"] = never

    async def body(client):
        task = asyncio.create_task(client.call_tool("memory_recall", {"context": "x"}))
        await dispatch.entered.wait()
        task.cancel()
        await dispatch.cancelling.wait()
        dispatch.answers["Recall"] = None
        return await client.call_tool("memory_recall", {"context": "x"})

    assert not talk(run, dispatch, tmp_path, body).is_error
