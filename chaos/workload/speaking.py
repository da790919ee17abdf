"""Three ways to ask a node the same thing: JSON fields in, the JSON answer out, or a Failure.

Whether a failed call may have been done is `Failure.definite`, whatever the way. A connection that
was never made is certain, one that ended before its answer is not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.client.seen import Seen
from aimem_node.client.wire_http import WireError, WireTimeoutError
from aimem_node.client.wire_http import request as ask_http
from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure, from_json
from aimem_node.contract.operations import OPERATIONS

JSON_TYPE: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The unix sockets of one node."""

    name: str
    "Of the node."
    grpc: str
    http: str
    mcp: str


class Speaker(Protocol):
    """One client's conversation with one node."""

    via: str
    seen: Seen
    "What this conversation has been shown. Another one may stand here after `open`."

    async def open(self) -> None:
        """Be ready to ask. Raises Failure, certain to have done nothing."""
        ...

    async def call(self, operation: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, or Failure."""
        ...

    async def close(self) -> None:
        """Let go of the node. The next `open` begins again."""
        ...


class GrpcSpeaker:
    """The project's own client."""

    via = "grpc"

    def __init__(self, endpoint: Endpoint, seen: Seen, patience_s: float) -> None:
        self.seen = seen
        self._client = GrpcClient.unix(endpoint.grpc, patience_s)
        self._client.seen = seen

    async def open(self) -> None:
        """It opens itself."""

    async def call(self, operation: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """See Speaker."""
        request = codec.from_json(OPERATIONS[operation].request, dict(fields))
        try:
            answer: dict[str, Any] = codec.to_json(await self._client.call(operation, request))
        except Failure as failure:
            if not failure.definite or failure.code is Code.UNAVAILABLE:
                await self._client.close()  # a new connection has no back-off
            raise
        return answer

    async def close(self) -> None:
        """See Speaker."""
        await self._client.close()


class HttpSpeaker:
    """JSON over HTTP, a connection for each call, in a thread of its own."""

    via = "http"

    def __init__(self, endpoint: Endpoint, seen: Seen, patience_s: float) -> None:
        self.seen = seen
        self._socket = endpoint.http
        self._patience_s = patience_s
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Each call opens its own connection."""
        self._thread = self._thread or ThreadPoolExecutor(1, "chaos-http")

    async def call(self, operation: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """See Speaker."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._call, operation, dict(fields))
        except Failure as failure:
            self.seen.failed(failure)
            raise

    async def close(self) -> None:
        """A call that is under way ends by itself when its time is up."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False)

    def _call(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        method, path, body = http_form(operation, fields)
        headers = [("content-type", JSON_TYPE), *self.seen.headers()]
        try:
            status, told, text = ask_http(
                self._socket, method, path, body, headers, self._patience_s
            )
        except WireTimeoutError as error:
            raise Failure(Code.DEADLINE, error.message) from None
        except WireError as error:
            code = Code.UNAVAILABLE if error.definite else Code.UNKNOWN_OUTCOME
            raise Failure(code, error.message) from None
        try:
            answer: dict[str, Any] = json.loads(text)
        except ValueError:
            raise Failure(Code.UNKNOWN_OUTCOME, f"HTTP {status} without JSON") from None
        if status >= 400:
            raise from_json(answer)
        self.seen.heard(told.items())
        return answer


def http_form(operation: str, fields: dict[str, Any]) -> tuple[str, str, bytes | None]:
    """Method, path with query, and body of a call."""
    rule = OPERATIONS[operation].http[0]
    path, rest = rule.path, dict(fields)
    for name in rule.path_params:
        path = path.replace("{" + name + "}", quote(str(rest.pop(name)), safe=""))
    if rule.body:
        return rule.method, path, json.dumps(rest).encode()
    query = urlencode(list(_pairs(rest)))
    return rule.method, f"{path}?{query}" if query else path, None


def _pairs(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", text) for inner, text in _pairs(value))
        elif isinstance(value, list):
            yield from ((name, str(one)) for one in value)
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        else:
            yield name, str(value)
