"""MCP at /mcp, through the SDK's own Streamable HTTP.

A session belongs to a client, not to a principal: every request is authenticated by itself,
so a session id that leaks opens nothing. The SDK's sessions live in a task of ours that enters
and leaves their scope, because the requests that use them come and go in tasks of their own.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from aimem_node.client.seen import Seen
from aimem_node.contract.calls import Credentials, Dispatch
from aimem_node.contract.errors import Code, Failure
from aimem_node.gateways.mcp_sdk import McpSdk, read_profile
from aimem_node.gateways.peercred import STRANGER
from aimem_node.gateways.reading import credentials_of

SESSIONS_MAX = 256
"""A desktop has a handful of clients; a leaking one must not fill the node's memory."""


@dataclass(frozen=True, slots=True)
class _Room:
    """The running sessions of one profile."""

    sessions: Any
    keeper: "asyncio.Task[None]"
    closing: asyncio.Event


class SeenBySession:
    """What each session has seen; of those beyond SESSIONS_MAX the ones that spoke last."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    def of(self, context: Any) -> Seen:
        """What the session of one request has seen. Without a session every request begins anew."""
        session_id = Headers(scope=context.request.scope).get("mcp-session-id", "")
        if not session_id:
            return Seen()
        seen = self._seen.setdefault(session_id, Seen())
        self._seen.move_to_end(session_id)
        if len(self._seen) > SESSIONS_MAX:
            self._seen.popitem(last=False)
        return seen


class McpOverHttp:
    """The ASGI application at /mcp. `?profile=` chooses the tools: core, standard or full."""

    def __init__(self, dispatch: Dispatch, version: str, sdk: McpSdk) -> None:
        self._dispatch = dispatch
        self._version = version
        self._sdk = sdk
        self._rooms: dict[str, _Room] = {}
        self._opening = asyncio.Lock()
        self._closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises Failure for an unknown profile."""
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("profile", ["core"])[-1]
        room = await self._room(read_profile(asked, "$.profile"))
        await room.sessions.handle_request(scope, receive, send)

    async def close(self) -> None:
        """End every session."""
        self._closed = True
        async with self._opening:
            rooms = list(self._rooms.values())
            self._rooms.clear()
        for room in rooms:
            room.closing.set()
        await asyncio.gather(*(room.keeper for room in rooms), return_exceptions=True)

    async def _room(self, profile: str) -> _Room:
        room = self._rooms.get(profile)
        if room is not None:
            return room
        module = await self._sdk.module()
        async with self._opening:
            if self._closed:
                raise Failure(Code.UNAVAILABLE, "the node is stopping")
            room = self._rooms.get(profile)
            if room is None:
                room = self._rooms[profile] = await self._open(profile, module)
            return room

    async def _open(self, profile: str, module: Any) -> _Room:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        server = module.build(self._dispatch, profile, self._version, _caller, SeenBySession().of)
        sessions = StreamableHTTPSessionManager(
            server, json_response=True, max_sessions=SESSIONS_MAX
        )
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        closing = asyncio.Event()

        async def keep() -> None:
            async with sessions.run():
                ready.set_result(None)
                await closing.wait()

        keeper = asyncio.create_task(keep())
        await ready
        return _Room(sessions, keeper, closing)


def _caller(context: Any) -> Credentials:
    """Who makes one MCP request: the HTTP request that carries it says so."""
    scope = context.request.scope
    peer = scope.get("state", {}).get("peer", STRANGER)
    return replace(credentials_of(Headers(scope=scope), peer), surface="mcp")
