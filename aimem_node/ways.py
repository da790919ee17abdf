"""Open every way in that the settings ask for, one after the other.

The heavy rooms (gRPC, HTTP) are imported here, when a node starts, and the MCP SDK not even
then: it comes with the first MCP client.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from aimem_node.config import Settings, split_address
from aimem_node.contract.errors import Code, Failure

Opened = tuple[Any, tuple[str, ...]]
GRPC_GRACE_S = 1.0


class _Grpc:
    """The gRPC server with the grace that a stopping node gives its callers."""

    def __init__(self, server: Any) -> None:
        self._server = server

    async def stop(self) -> None:
        await self._server.stop(GRPC_GRACE_S)


async def open_ways(
    core: Any, settings: Settings, socket: Callable[[str], str]
) -> AsyncIterator[Opened]:
    """Each way in with the addresses it listens on. The caller stops them in reverse order."""
    yield await _grpc(core, settings, socket("grpc"))
    yield await _http(core, settings, socket("http"))
    yield await _mcp(core, socket("mcp"))


async def _grpc(core: Any, settings: Settings, path: str) -> Opened:
    from aimem_node.rpc.grpc_server import GrpcServer, TlsListener, UnixListener

    listeners: tuple[UnixListener | TlsListener, ...] = (UnixListener(path),)
    if settings.grpc:
        listeners += (TlsListener(*split_address("grpc", settings.grpc)),)
    dispatcher = core.dispatcher
    server = GrpcServer(
        dispatcher, core.replica.identity, core.access, dispatcher.authenticator, listeners
    )
    await server.start()
    return _Grpc(server), server.addresses


async def _http(core: Any, settings: Settings, path: str) -> Opened:
    from aimem_node.gateways.http import Extras, app
    from aimem_node.gateways.serving import HttpServing

    gateway = app(
        core.dispatcher,
        Extras(metrics=core.metrics.text, admit=core.dispatcher.authenticator.authenticate),
    )
    tcp = split_address("http", settings.http) if settings.http else None
    serving = HttpServing(gateway, path, tcp)
    try:
        bound = await serving.start()
    except OSError as error:
        raise _cannot_listen("HTTP", settings.http or path, error) from None
    addresses = [f"unix:{path}"]
    if bound.tcp is not None:
        addresses.append(f"http://{bound.tcp[0]}:{bound.tcp[1]}")
    return serving, tuple(addresses)


async def _mcp(core: Any, path: str) -> Opened:
    from aimem_node.gateways.mcp_socket import McpSocket

    listener = McpSocket(core.dispatcher, path)
    try:
        await asyncio.shield(listener.start())
    except OSError as error:
        raise _cannot_listen("MCP", path, error) from None
    return listener, (f"mcp+unix:{path}",)


def _cannot_listen(who: str, where: str, error: OSError) -> Failure:
    return Failure(
        Code.UNAVAILABLE,
        f"{who} cannot listen on {where}: {error.strerror}",
        next="Stop what listens there, or give another address.",
    )
