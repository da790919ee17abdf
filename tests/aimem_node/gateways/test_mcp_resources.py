"""Namespaces and memories at addresses, as an official client reads them in both eras."""

import json

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    GetResponse,
    GetTaxonomyResponse,
    ListResponse,
    Memory,
    MemoryLink,
    NamespaceCount,
    NamespaceGetStandardResponse,
    NamespacesResponse,
    Standard,
    TaxonomyNode,
)
from aimem_node.gateways.mcp_resources import LISTED_MAX, MEMORIES_MAX
from aimem_node.gateways.mcp_socket import McpSocket
from tests.aimem_node.gateways.mcp_client import connect

MODES = ["auto", "legacy"]


@pytest.fixture
def talk(run, dispatch, tmp_path):
    """Run a conversation with a client that is connected."""

    def _talk(body, mode="auto"):
        async def conversation():
            path = str(tmp_path / "mcp.sock")
            async with McpSocket(dispatch, path, "1"), connect(path, mode) as client:
                return await body(client)

        return run(conversation())

    return _talk


@pytest.fixture
def refused(talk):
    """The error of the protocol that reading an address ends in."""

    def _refused(uri):
        async def body(client):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            return caught.value.error

        return talk(body)

    return _refused


@pytest.fixture
def read(talk):
    """What is at an address."""

    def _read(uri, mode="auto"):
        async def body(client):
            return await client.read_resource(uri)

        (content,) = talk(body, mode).contents
        assert (content.uri, content.mime_type) == (uri, "application/json")
        return json.loads(content.text)

    return _read


def counted(*names):
    return NamespacesResponse(
        namespaces=tuple(NamespaceCount(namespace=name, count=1) for name in names)
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_tree_and_every_namespace_are_listed(talk, dispatch, mode) -> None:
    dispatch.answers["Namespaces"] = counted("team/api", "global")

    async def body(client):
        return await client.list_resources(), await client.list_resource_templates()

    listed, made = talk(body, mode)
    assert [one.uri for one in listed.resources] == [
        "aimem://namespaces", "aimem://namespace/team%2Fapi", "aimem://namespace/global",
    ]  # fmt: skip
    assert listed.next_cursor is None
    assert [one.uri_template for one in made.resource_templates] == [
        "aimem://namespace/{namespace}", "aimem://memory/{id}",
    ]  # fmt: skip
    assert dispatch.credentials.agent_hint.startswith("ai:Test-Client@")


def test_a_long_list_comes_in_pages(talk, dispatch) -> None:
    names = [f"n{number}" for number in range(LISTED_MAX + 2)]
    dispatch.answers["Namespaces"] = counted(*names)

    async def body(client):
        first = await client.list_resources()
        second = await client.list_resources(cursor=first.next_cursor)
        with pytest.raises(MCPError) as caught:
            await client.list_resources(cursor="elsewhere")
        return first, second, caught.value.error

    first, second, error = talk(body)
    shown = [one.name for one in (*first.resources, *second.resources)]
    assert shown == ["namespaces", *names]
    assert second.next_cursor is None
    assert "elsewhere" in error.message


@pytest.mark.parametrize("mode", MODES)
def test_the_tree_is_read_whole(read, dispatch, mode) -> None:
    leaf = TaxonomyNode(namespace="a/b", name="b", count=2, subtree_count=2)
    root = TaxonomyNode(children=(leaf,), subtree_count=2)
    dispatch.answers["GetTaxonomy"] = GetTaxonomyResponse(tree=root, total_count=2)
    shown = read("aimem://namespaces", mode)
    assert shown["tree"]["children"][0]["namespace"] == "a/b"


@pytest.mark.parametrize("uri", ["aimem://namespace/a%2Fb", "aimem://namespace/a/b"])
def test_a_namespace_is_its_standards_and_its_first_memories(read, dispatch, uri) -> None:
    dispatch.answers["List"] = ListResponse(
        memories=(Memory(id="m", content="C"),), next_cursor="x"
    )
    dispatch.answers["NamespaceGetStandard"] = NamespaceGetStandardResponse(
        namespace="a/b", standards=(Standard(namespace="a", title="House rules"),)
    )
    shown = read(uri)
    assert shown["namespace"] == "a/b"
    assert [one["title"] for one in shown["standards"]] == ["House rules"]
    assert [one["content"] for one in shown["memories"]] == ["C"]
    assert shown["more"] is True
    asked = {operation: request for operation, request, _ in dispatch.calls}
    assert (asked["List"].namespace, asked["List"].limit) == ("a/b", MEMORIES_MAX)
    assert asked["NamespaceGetStandard"].inherit is True


def test_a_node_that_knows_no_standards_shows_the_memories(read, dispatch) -> None:
    dispatch.answers["List"] = ListResponse(memories=(Memory(id="m"),))
    dispatch.answers["NamespaceGetStandard"] = Failure(Code.UNIMPLEMENTED, "not yet")
    assert read("aimem://namespace/a")["standards"] == []


def test_a_namespace_that_only_lies_above_others_is_empty_but_there(read, dispatch) -> None:
    dispatch.answers["Namespaces"] = counted("org/team")
    assert read("aimem://namespace/org")["memories"] == []


def test_a_namespace_that_holds_nothing_is_told_the_nearest(refused, dispatch) -> None:
    dispatch.answers["Namespaces"] = counted("team/api", "global")
    error = refused("aimem://namespace/team/apo")
    assert error.code == -32602
    assert "team/api" in error.message
    assert "global" not in error.message


def test_a_memory_is_read_with_its_content_and_links(read, dispatch) -> None:
    dispatch.answers["Get"] = GetResponse(
        memory=Memory(id="m1", content="Tuesdays"),
        links=(MemoryLink(source_id="m1", target_id="m2"),),
    )
    shown = read("aimem://memory/m1")
    assert shown["memory"]["content"] == "Tuesdays"
    assert shown["links"][0]["target_id"] == "m2"
    assert dispatch.request.id == "m1"


def test_what_the_operation_refuses_is_an_error_of_the_protocol(refused, dispatch) -> None:
    dispatch.answers["Get"] = Failure(Code.NOT_FOUND, "no memory 'x'", "$.id", next="List them.")
    error = refused("aimem://memory/x")
    assert error.code == -32602
    assert error.message == "NOT_FOUND at $.id: no memory 'x'. Next: List them."
    assert error.data["code"] == "NOT_FOUND"
    dispatch.answers["Get"] = RuntimeError("secret")
    error = refused("aimem://memory/x")
    assert error.code == -32603
    assert "secret" not in error.message
    dispatch.answers["NamespaceGetStandard"] = Failure(Code.UNAVAILABLE, "stopping")
    assert refused("aimem://namespace/a").code == -32603


@pytest.mark.parametrize(
    "uri", ["aimem://nonsense", "aimem://memory/", "file:///etc/passwd", "", "aimem://namespacesx"]
)
def test_an_address_of_nothing_is_told_what_there_is(refused, dispatch, uri) -> None:
    error = refused(uri)
    assert error.code == -32602
    assert "aimem://memory/{id}" in error.message
    assert dispatch.calls == []


def test_an_endless_address_is_not_repeated_back(refused) -> None:
    assert len(refused("aimem://memory/" + "x" * 100_000).message) < 200


def test_arguments_are_completed_from_what_the_caller_sees(talk, dispatch) -> None:
    dispatch.answers["Namespaces"] = counted("team/web", "team/api", "global")
    dispatch.answers["List"] = ListResponse(memories=(Memory(id="m1"), Memory(id="m2")))
    dispatch.answers["Get"] = Failure(Code.AMBIGUOUS, "two", details={"ids": ["ab", "ac"]})
    namespace = ResourceTemplateReference(uri="aimem://namespace/{namespace}")
    memory = ResourceTemplateReference(uri="aimem://memory/{id}")
    prompt = PromptReference(name="recall-first")

    async def body(client):
        asked = [
            (namespace, "namespace", "team/"), (namespace, "colour", ""), (memory, "id", ""),
            (memory, "id", "a"), (prompt, "namespace", "g"),
        ]  # fmt: skip
        return [
            (await client.complete(ref, {"name": name, "value": value})).completion
            for ref, name, value in asked
        ]

    spaces, nothing, ids, begun, prompted = talk(body)
    assert spaces.values == ["team/api", "team/web"]
    assert (spaces.total, spaces.has_more) == (2, False)
    assert nothing.values == []
    assert ids.values == ["m1", "m2"]
    assert begun.values == ["ab", "ac"]
    assert prompted.values == ["global"]


@pytest.mark.parametrize(
    "ref", [PromptReference(name="nonsense"), ResourceTemplateReference(uri="aimem://nonsense/{x}")]
)
def test_nothing_is_completed_for_what_does_not_exist(talk, ref) -> None:
    async def body(client):
        with pytest.raises(MCPError) as caught:
            await client.complete(ref, {"name": "x", "value": ""})
        return caught.value.error.code

    assert talk(body) == -32602
