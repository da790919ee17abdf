"""Ask a node over gRPC: on this machine's unix socket, or over TLS with both ends pinned."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from aimem_node.client.grpc_wire import CALL_TIMEOUT_S, Route, TlsFiles, failure_of
from aimem_node.client.seen import Seen
from aimem_node.contract.codec import from_wire, to_wire
from aimem_node.contract.errors import Failure
from aimem_node.contract.operations import OPERATIONS


class GrpcClient:
    """One node, reached over one channel, from one event loop.

    What an answer has shown, no later one lacks: `token` goes along with every call. Give it to
    `go_on` of another client, and this holds there too.
    """

    def __init__(
        self, route: Route, timeout_s: float = CALL_TIMEOUT_S, max_wait_ms: int | None = None
    ) -> None:
        """Opens nothing yet. timeout_s bounds each call, not streams.

        max_wait_ms: how long the node may wait for what this client has seen; None: as it likes.
        """
        self._route = route
        self._timeout_s = timeout_s
        self.seen = Seen(max_wait_ms)
        self._channel: grpc.aio.Channel | None = None
        self._methods: dict[str, Any] = {}

    @classmethod
    def unix(cls, path: str, timeout_s: float = CALL_TIMEOUT_S) -> "GrpcClient":
        """The node behind a socket on this machine."""
        return cls(Route.unix(path), timeout_s)

    @classmethod
    def tls(
        cls,
        address: str,
        files: TlsFiles,
        bearer: str | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> "GrpcClient":
        """The node at "host:port"; it must show exactly the certificate in files."""
        return cls(Route(address, files, bearer), timeout_s)

    @property
    def token(self) -> str:
        """All that this client has been shown or has written; empty before the first answer."""
        return self.seen.token

    def go_on(self, token: str) -> None:
        """See no less than the client that this token is of."""
        self.seen.hear(token)

    async def __aenter__(self) -> "GrpcClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the node; calls in progress fail. A later call opens it again."""
        channel, self._channel = self._channel, None
        self._methods.clear()
        if channel is not None:
            await channel.close()

    async def call(self, operation: str, request: Any) -> Any:
        """The response to a request of the contract, or the node's own Failure."""
        method = self._method(operation)
        body = to_wire(request)
        beside = (*self._route.metadata(), *self.seen.headers())
        call = method(body, timeout=self._timeout_s, metadata=beside)
        try:
            answer = await call
            self.seen.heard(await call.trailing_metadata())
        except grpc.aio.AioRpcError as error:
            raise self._failure(error) from None
        except asyncio.CancelledError:
            raise await self._why_cancelled(call) from None
        return from_wire(OPERATIONS[operation].response, answer)

    async def stream(self, operation: str, request: Any) -> AsyncIterator[Any]:
        """The responses one by one, or Failure. Close it to stop early."""
        call = self._method(operation)(to_wire(request), metadata=self._route.metadata())
        response = OPERATIONS[operation].response
        try:
            async for answer in call:
                yield from_wire(response, answer)
        except grpc.aio.AioRpcError as error:
            raise self._failure(error) from None
        except asyncio.CancelledError:
            raise await self._why_cancelled(call) from None
        finally:
            call.cancel()

    def _method(self, name: str) -> Any:
        method = self._methods.get(name)
        if method is None:
            operation = OPERATIONS[name]
            channel = self._opened()
            kind = channel.unary_stream if operation.streaming else channel.unary_unary
            method = self._methods[name] = kind(operation.grpc_path)
        return method

    def _opened(self) -> grpc.aio.Channel:
        if self._channel is None:
            route, credentials = self._route, self._route.credentials()
            if credentials is None:
                self._channel = grpc.aio.insecure_channel(route.target, route.options())
            else:
                self._channel = grpc.aio.secure_channel(route.target, credentials, route.options())
        return self._channel

    def _failure(self, error: grpc.aio.AioRpcError) -> Failure:
        trailing = error.trailing_metadata() or ()
        failure = failure_of(self._route.target, error.code(), error.details() or "", trailing)
        self.seen.failed(failure)
        return failure

    async def _why_cancelled(self, call: Any) -> BaseException:
        """gRPC raises CancelledError also when the *node* cancelled; only ours may pass as one."""
        task = asyncio.current_task()
        if task is None or task.cancelling() or not call.done():
            call.cancel()
            return asyncio.CancelledError()
        code, details = await call.code(), await call.details()
        return failure_of(self._route.target, code, details or "", ())
