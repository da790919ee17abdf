"""MCP over the official SDK: every tool is an operation of the contract, made by rule.

Importing this module imports the SDK, which takes the better part of a second. So nothing
imports it but `mcp_sdk`, when the first client has come. What goes wrong inside a tool is an
answer with isError, because only that reaches the agent who can mend it; a tool that does
not exist is an error of the protocol.
"""

import asyncio
import copy
import difflib
import functools
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.jsonrpc import INVALID_PARAMS

from aimem_node.client.seen import Seen
from aimem_node.contract import codec, schema
from aimem_node.contract.calls import Credentials, Dispatch, Session
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Operation, Profile
from aimem_node.gateways import answers
from aimem_node.gateways.agent_hint import agent_hint
from aimem_node.gateways.mcp_resources import Resources
from aimem_node.gateways.mistakes import as_failure
from aimem_node.gateways.prompts import INSTRUCTIONS, PROMPTS

STREAM_QUIET_S = 0.5
"""A stream that brings nothing for this long is taken to have ended for now."""

FORMAT_SCHEMA = {"type": "string", "enum": list(answers.Format)}
"""The argument that every tool with rows takes beside its request; toon_compact when absent."""

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one profile."""

    profile: str
    tools: tuple[types.Tool, ...]
    operations: dict[str, Operation]
    """By tool name."""


@functools.cache
def toolbox(profile: str) -> Toolbox:
    """The tools that a profile shows: "core", "standard" or "full"."""
    listed = [copy.deepcopy(tool) for tool in schema.tools(Profile(profile))]
    by_tool = {operation.mcp_name: operation for operation in OPERATIONS.values()}
    operations = {tool["name"]: by_tool[tool["name"]] for tool in listed}
    for tool in listed:
        if _takes_format(operations[tool["name"]]):
            tool["inputSchema"].setdefault("properties", {})["format"] = FORMAT_SCHEMA
    tools = tuple(types.Tool.model_validate(tool, by_name=False) for tool in listed)
    return Toolbox(profile, tools, operations)


def _takes_format(operation: Operation) -> bool:
    own = any(field.name == "format" for field in operation.fields)
    return bool(operation.rows) and not own


class McpGateway:
    """The handlers of one MCP server."""

    def __init__(
        self,
        dispatch: Dispatch,
        profile: str,
        credentials_of: Callable[[Context], Credentials],
        seen_of: Callable[[Context], Seen],
    ) -> None:
        """`seen_of` gives what the client of a request has seen. The agent never hears of it."""
        self._dispatch = dispatch
        self._toolbox = toolbox(profile)
        self._credentials_of = credentials_of
        self._seen_of = seen_of

    async def list_tools(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """The tools of the profile."""
        return types.ListToolsResult(tools=list(self._toolbox.tools))

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Call the operation behind a tool."""
        operation = self._toolbox.operations.get(params.name)
        if operation is None:
            raise MCPError(INVALID_PARAMS, _no_such_tool(params.name, self._toolbox))
        try:
            return await self._run(operation, dict(params.arguments or {}), context)
        except Exception as fault:
            failure = as_failure(fault, operation.name)
            return _result(answers.failure_text(failure), failed=True)

    async def _run(
        self, operation: Operation, arguments: dict[str, Any], context: Context
    ) -> types.CallToolResult:
        wanted = answers.Format.TOON_COMPACT
        if _takes_format(operation):
            wanted = answers.read_format(arguments.pop("format", wanted))
        if operation.streaming:
            return _result(await self._collect(operation, arguments, self._who(context)))
        request = codec.from_json(operation.request, arguments)
        response = await self.ask(operation.name, request, context)
        text = answers.answer_text(operation, response, wanted)
        pending = answers.pending_text(response)
        if not pending:
            return _result(text)
        # An agent that only skims must not take it for safe.
        return types.CallToolResult(
            content=[types.TextContent(text=text), types.TextContent(text=pending)],
            structured_content=codec.to_json(response),
        )

    async def ask(self, operation: str, request: Any, context: Context) -> Any:
        """The response, which lacks nothing that this MCP session has been shown before."""
        credentials = self._who(context)
        seen = self._seen_of(context)
        given = credentials.session or Session()
        seen.hear(given.after)
        session = replace(given, after=seen.token)
        try:
            response = await self._dispatch.call(
                operation, request, replace(credentials, session=session)
            )
        except Failure as failure:
            seen.failed(failure)
            raise
        seen.hear(session.token)
        return response

    async def _collect(
        self, operation: Operation, arguments: dict[str, Any], credentials: Credentials
    ) -> str:
        """The first items of a stream, bounded in number and in waiting."""
        limit = _read_limit(arguments)
        if not any(field.name == "limit" for field in operation.fields):
            arguments.pop("limit", None)
        request = codec.from_json(operation.request, arguments)
        items: list[Any] = []
        stream = self._dispatch.stream(operation.name, request, credentials)
        more = await _draw(stream, items, limit)
        return answers.items_text(items, more)

    def _who(self, context: Context) -> Credentials:
        """Credentials that name the agent by its client, unless something named it already."""
        credentials = self._credentials_of(context)
        if credentials.agent_hint:
            return credentials
        client = context.session.client_params
        name = client.client_info.name if client is not None else ""
        return replace(
            credentials, agent_hint=agent_hint(name, socket.gethostname(), credentials.pid)
        )

    async def list_prompts(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        """Both prompts."""
        return types.ListPromptsResult(
            prompts=[
                types.Prompt(
                    name=name,
                    description=words.description,
                    arguments=[
                        types.PromptArgument(name=argument, description=text, required=False)
                        for argument, text in words.arguments.items()
                    ],
                )
                for name, words in PROMPTS.items()
            ]
        )

    async def get_prompt(
        self, _context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        """The words of one prompt."""
        words = PROMPTS.get(params.name)
        if words is None:
            known = ", ".join(PROMPTS)
            raise MCPError(INVALID_PARAMS, f"no prompt {params.name[:100]!r}; there are {known}")
        text = words.text(params.arguments or {})
        content = types.TextContent(text=text)
        return types.GetPromptResult(
            description=words.description,
            messages=[types.PromptMessage(role="user", content=content)],
        )


def build(
    dispatch: Dispatch,
    profile: str,
    version: str,
    credentials_of: Callable[[Context], Credentials],
    seen_of: Callable[[Context], Seen],
) -> Server[Any]:
    """An SDK server that shows one profile.

    `credentials_of` says who makes a request, `seen_of` what that client has been shown.
    """
    gateway = McpGateway(dispatch, profile, credentials_of, seen_of)
    resources = Resources(gateway.ask)
    return Server(
        "aimem",
        version=version,
        title="aimem memory",
        instructions=INSTRUCTIONS,
        on_list_tools=gateway.list_tools,
        on_call_tool=gateway.call_tool,
        on_list_prompts=gateway.list_prompts,
        on_get_prompt=gateway.get_prompt,
        on_list_resources=resources.list_resources,
        on_list_resource_templates=resources.list_templates,
        on_read_resource=resources.read,
        on_completion=resources.complete,
    )


def _result(text: str, *, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=failed)


def _no_such_tool(name: str, shown: Toolbox) -> str:
    for profile in Profile:
        if name in toolbox(profile.value).operations:
            return (
                f"the tool {name} is not in the profile {shown.profile}; "
                f"connect with the profile {profile.value} to use it"
            )
    near = difflib.get_close_matches(name, shown.operations, n=3)
    known = ", ".join(near or shown.operations)
    return f"no tool {name[:100]!r}; {'nearest' if near else 'there are'}: {known}"


def _read_limit(arguments: dict[str, Any]) -> int:
    limit = arguments.get("limit", schema.STREAM_ITEMS_DEFAULT)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise Failure(Code.INVALID_ARGUMENT, "limit is not a number from 1 up", "$.limit")
    return min(limit, schema.STREAM_ITEMS_MAX)


async def _draw(stream: AsyncIterator[Any], items: list[Any], limit: int) -> bool:
    """Fill items from the stream; True when it has, or may yet bring, more than `limit`."""
    try:
        while len(items) < limit:
            async with asyncio.timeout(STREAM_QUIET_S):
                items.append(await anext(stream))
    except (StopAsyncIteration, TimeoutError):
        return False
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    return True
