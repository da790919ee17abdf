"""HTTP/JSON over everything the contract declares.

No operation is named here: its path, its fields, its status and whether it streams are facts
of the contract. What is not an operation, and so is written out, is what a server has anyway:
/metrics, /openapi.json, the status page at /, and MCP at /mcp.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from aimem_node.contract import codec
from aimem_node.contract.calls import TOKEN_KEY, Channel, Credentials, Dispatch
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Effect, Operation
from aimem_node.contract.values import Outcome
from aimem_node.gateways import page, sse
from aimem_node.gateways.mcp_http import McpOverHttp
from aimem_node.gateways.mcp_sdk import McpSdk
from aimem_node.gateways.mistakes import as_failure
from aimem_node.gateways.paths import Found, NoSuchMethod, NoSuchPath, Paths
from aimem_node.gateways.peercred import STRANGER, Peer
from aimem_node.gateways.reading import Gone, credentials_of, read_body, read_request
from aimem_node.gateways.refusals import (
    JSON_TYPE,
    Refusal,
    failure_response,
    no_such_method,
    no_such_path,
    stranger_at_the_door,
)
from aimem_node.version import VERSION

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TOKEN_HEADER = TOKEN_KEY.title()
_METRICS_PATHS = frozenset({"/metrics", "/api/v1/metrics"})


@dataclass(frozen=True, slots=True)
class Extras:
    """What the HTTP surface has besides operations."""

    metrics: Callable[[], bytes] | None = None
    """The node's metrics in the Prometheus text format."""
    admit: Callable[[Credentials], object] | None = None
    """Raises Failure for a caller that may not come in. Asked for what is not an operation."""
    version: str = VERSION
    """Of the node, as MCP tells it."""
    sdk: McpSdk | None = None
    """The MCP SDK's one import, when it is shared with the MCP socket."""


class HttpGateway:
    """The ASGI application. Call `close` before its server stops, or streams hold it up."""

    def __init__(self, dispatch: Dispatch, extras: Extras) -> None:
        self._dispatch = dispatch
        self._extras = extras
        self._paths = Paths(OPERATIONS.values())
        self._closing = asyncio.Event()
        self._mcp = McpOverHttp(dispatch, extras.version, extras.sdk or McpSdk())

    async def close(self) -> None:
        """End every stream and every MCP session."""
        self._closing.set()
        await self._mcp.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        method, headers = scope["method"], Headers(scope=scope)
        peer = _peer(scope)
        if peer.channel is Channel.LOOPBACK:
            stranger = stranger_at_the_door(headers, method)
            if stranger is not None:
                await failure_response(stranger)(scope, receive, send)
                return
        path = scope["path"].removesuffix("/") or "/"
        if path == "/mcp":
            await self._serve_mcp(scope, receive, send, peer)
            return
        fixed = self._fixed(path, method, headers, peer)
        if fixed is not None:
            await fixed(scope, receive, send)
            return
        raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        match self._paths.find(method, raw_path):
            case NoSuchPath(nearest):
                await no_such_path(method, scope["path"], nearest)(scope, receive, send)
            case NoSuchMethod(allowed):
                await no_such_method(method, scope["path"], allowed)(scope, receive, send)
            case Found() as found:
                await self._operate(found, scope, receive, send, peer)

    def _fixed(self, path: str, method: str, headers: Headers, peer: Peer) -> Response | None:
        """The answer of a path that is no operation, or None when the path is not one of those."""
        known = path in _METRICS_PATHS or path in ("/", "/openapi.json")
        if not known:
            return None
        if method not in ("GET", "HEAD"):
            return no_such_method(method, path, ("GET",))
        if path == "/":
            return page.status_page()
        if path == "/openapi.json":
            return Response(_openapi_text(), media_type=JSON_TYPE)
        if self._extras.metrics is None:
            return None
        try:
            self._admit(headers, peer)
        except Failure as failure:
            return failure_response(failure)
        return Response(self._extras.metrics(), media_type=METRICS_TYPE)

    def _admit(self, headers: Headers, peer: Peer) -> None:
        credentials = credentials_of(headers, peer)
        if self._extras.admit is not None:
            self._extras.admit(credentials)

    async def _serve_mcp(self, scope: Scope, receive: Receive, send: Send, peer: Peer) -> None:
        try:
            self._admit(Headers(scope=scope), peer)
            await self._mcp(scope, receive, send)
        except Failure as failure:
            await failure_response(failure)(scope, receive, send)

    async def _operate(
        self, found: Found, scope: Scope, receive: Receive, send: Send, peer: Peer
    ) -> None:
        headers = Headers(scope=scope)
        if found.operation.streaming and scope["method"] == "HEAD":
            # A head without a body would follow the stream for ever to say nothing.
            await no_such_method("HEAD", scope["path"], (found.rule.method,))(scope, receive, send)
            return
        try:
            credentials = credentials_of(headers, peer)
            body = await read_body(receive, headers)
            request = read_request(found, scope["query_string"], body, headers)
        except Gone:
            return
        except Refusal as refusal:
            await failure_response(refusal.failure, refusal.status)(scope, receive, send)
            return
        except Failure as failure:
            await failure_response(failure)(scope, receive, send)
            return
        if found.operation.streaming:
            await self._stream(found.operation, request, credentials, headers, scope, receive, send)
            return
        answer = await self._answer(found.operation, request, credentials, receive)
        if answer is not None:
            await answer(scope, receive, send)

    async def _answer(
        self, operation: Operation, request: Any, credentials: Credentials, receive: Receive
    ) -> Response | None:
        """The answer to one call; None when the caller left before it was there."""
        work = asyncio.ensure_future(self._dispatch.call(operation.name, request, credentials))
        left = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return None
            response = work.result()
        except Exception as fault:
            return failure_response(as_failure(fault, operation.name))
        except asyncio.CancelledError:
            if not self._closing.is_set():
                raise
            return failure_response(_cut_short(operation))
        finally:
            await _stop(left)
            await _stop(work)
        text = codec.dumps(codec.to_json(response)) + "\n"
        told = credentials.session.told if credentials.session is not None else ""
        headers = {_TOKEN_HEADER: told} if told else None
        return Response(text, _status(operation, response), headers, media_type=JSON_TYPE)

    async def _stream(
        self,
        operation: Operation,
        request: Any,
        credentials: Credentials,
        headers: Headers,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        async def refuse(failure: Failure) -> None:
            await failure_response(failure)(scope, receive, send)

        try:
            items = self._dispatch.stream(operation.name, request, credentials)
        except Exception as fault:
            await refuse(as_failure(fault, operation.name))
            return
        dialect = sse.dialect_for(headers.get("accept", ""))
        streaming = sse.Streaming(operation.name, items, dialect)
        await streaming.send(send, self._left_or_closing(receive), refuse)

    async def _left_or_closing(self, receive: Receive) -> None:
        waits: set[asyncio.Task[Any]] = {
            asyncio.create_task(_left(receive)),
            asyncio.create_task(self._closing.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def app(dispatch: Dispatch, extras: Extras | None = None) -> HttpGateway:
    """The ASGI application of the HTTP surface, made by rule from the contract."""
    return HttpGateway(dispatch, extras or Extras())


@functools.cache
def _openapi_text() -> str:
    from aimem_node.contract.openapi import openapi

    return codec.dumps(openapi()) + "\n"


def _peer(scope: Scope) -> Peer:
    peer = scope.get("state", {}).get("peer", STRANGER)
    assert isinstance(peer, Peer)
    return peer


def _status(operation: Operation, response: Any) -> int:
    """202 while a write is pending or waits for approval, or what the contract says."""
    write = getattr(response, "write", None)
    if getattr(write, "outcome", None) in (Outcome.PENDING, Outcome.AWAITING_APPROVAL):
        return 202
    return operation.http_status or 200


def _cut_short(operation: Operation) -> Failure:
    """For a call that was still at work when the node stopped."""
    if operation.effect is Effect.READ:
        return Failure(Code.UNAVAILABLE, "the node stopped before this was answered")
    return Failure(Code.UNKNOWN_OUTCOME, "the node stopped while this was under way")


async def _left(receive: Receive) -> None:
    """Returns when the caller has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(task: "asyncio.Future[Any]") -> None:
    """Cancel what is still running and wait until it has stopped."""
    if task.done():
        return
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
