"""Every way in, with a dispatch behind it that answers what a test says: for what a lone node
cannot be brought to say, such as that a write is pending."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aimem_node import places
from aimem_node.client.inprocess import InProcessClient
from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.http import app
from aimem_node.gateways.mcp_socket import McpSocket
from aimem_node.gateways.serving import HttpServing
from aimem_node.replica.identity import Identity
from aimem_node.rpc.access import Access
from aimem_node.rpc.grpc_server import GrpcServer, UnixListener
from aimem_node.rpc.principals import Authenticator

Answer = Callable[[str, Any, Credentials], Any]


class Scripted:
    """A dispatch that does what `answer` does."""

    def __init__(self) -> None:
        self.answer: Answer = lambda operation, _request, _who: OPERATIONS[operation].response()
        self.asked: list[tuple[str, Any, Credentials]] = []

    async def call(self, operation: str, request: Any, credentials: Credentials) -> Any:
        self.asked.append((operation, request, credentials))
        return self.answer(operation, request, credentials)

    async def stream(
        self, operation: str, request: Any, credentials: Credentials
    ) -> AsyncIterator[Any]:
        raise AssertionError("no stream is asked for here")
        yield


class Stub:
    """Looks to the ways in of tests.surfaces.ways like a running node."""

    def __init__(self, place: Path, name: str = "d") -> None:
        """Stubs of one place are nodes of one user, who has one session with all of them."""
        self.data_dir = place / name
        self.data_dir.mkdir()
        self.env = {
            **os.environ,
            "AIMEM_DATA_DIR": str(self.data_dir),
            "AIMEM_RUNTIME_DIR": str(place / "r"),
            "AIMEM_NO_START": "1",
        }
        self.aimem = os.path.join(os.path.dirname(sys.executable), "aimem")
        self.dispatch = Scripted()
        self.me = Credentials(channel=Channel.INPROCESS, surface="inprocess")
        self.inside = InProcessClient(self.dispatch, self.me)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.run(self._start())

    async def _start(self) -> None:
        home = str(self.data_dir)
        access = Access(home, SystemClock())
        self._grpc = GrpcServer(
            self.dispatch, Identity.load_or_create(home, SystemChance()), access,
            Authenticator(access, SystemClock()), (UnixListener(self.socket("grpc")),),
        )  # fmt: skip
        self._http = HttpServing(app(self.dispatch), unix_path=self.socket("http"))
        self._mcp = McpSocket(self.dispatch, self.socket("mcp"))
        await self._grpc.start()
        await self._http.start()
        await self._mcp.start()

    def run(self, coroutine: Any, timeout_s: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        request = codec.from_json(OPERATIONS[operation].request, fields)
        return codec.to_json(self.run(self.inside.call(operation, request)))

    def socket(self, which: str) -> str:
        return places.socket_path(str(self.data_dir), which, self.env)

    async def _stop(self) -> None:
        await self._mcp.stop()
        await self._http.stop()
        await self._grpc.stop(0)

    def stop(self) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
