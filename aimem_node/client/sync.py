"""Ask a node and wait for the answer: for scripts, the demo and benches."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any

import grpc

from aimem_node.client.grpc_wire import CALL_TIMEOUT_S, Route, failure_of
from aimem_node.client.seen import Seen
from aimem_node.contract.codec import from_wire, to_wire
from aimem_node.contract.errors import Failure
from aimem_node.contract.operations import OPERATIONS


class SyncClient:
    """One node, reached over one channel. Threads may share it, and its session."""

    def __init__(
        self, route: Route, timeout_s: float = CALL_TIMEOUT_S, max_wait_ms: int | None = None
    ) -> None:
        """Opens the channel; whether a node is there shows at the first call. See GrpcClient."""
        self._route = route
        self._timeout_s = timeout_s
        self.seen = Seen(max_wait_ms)
        credentials = route.credentials()
        if credentials is None:
            self._channel = grpc.insecure_channel(route.target, route.options())
        else:
            self._channel = grpc.secure_channel(route.target, credentials, route.options())
        self._methods: dict[str, Any] = {}

    @classmethod
    def unix(cls, path: str, timeout_s: float = CALL_TIMEOUT_S) -> "SyncClient":
        """The node behind a socket on this machine."""
        return cls(Route.unix(path), timeout_s)

    @property
    def token(self) -> str:
        """All that this client has been shown or has written; empty before the first answer."""
        return self.seen.token

    def go_on(self, token: str) -> None:
        """See no less than the client that this token is of."""
        self.seen.hear(token)

    def __enter__(self) -> "SyncClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the node; calls in progress fail."""
        self._channel.close()

    def call(self, operation: str, request: Any) -> Any:
        """The response to a request of the contract, or the node's own Failure."""
        method = self._method(operation)
        beside = (*self._route.metadata(), *self.seen.headers())
        try:
            answer, call = method.with_call(
                to_wire(request), timeout=self._timeout_s, metadata=beside
            )
        except grpc.RpcError as error:
            raise self._failure(error) from None
        self.seen.heard(call.trailing_metadata())
        return from_wire(OPERATIONS[operation].response, answer)

    def stream(self, operation: str, request: Any) -> Iterator[Any]:
        """The responses one by one, or Failure. Close it to stop early."""
        call = self._method(operation)(to_wire(request), metadata=self._route.metadata())
        response = OPERATIONS[operation].response
        try:
            for answer in call:
                yield from_wire(response, answer)
        except grpc.RpcError as error:
            raise self._failure(error) from None
        finally:
            call.cancel()

    def _method(self, name: str) -> Any:
        method = self._methods.get(name)
        if method is None:
            operation = OPERATIONS[name]
            channel = self._channel
            kind = channel.unary_stream if operation.streaming else channel.unary_unary
            method = self._methods[name] = kind(operation.grpc_path)
        return method

    def _failure(self, error: Any) -> Failure:
        trailing = error.trailing_metadata() or ()
        failure = failure_of(self._route.target, error.code(), error.details() or "", trailing)
        self.seen.failed(failure)
        return failure
