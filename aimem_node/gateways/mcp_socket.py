"""The unix socket behind `aimem mcp`: one line that says how to serve, then MCP, byte for byte.

The bridge on the other side holds no state, so everything a client may do wrong (say nothing,
say too much, leave in the middle) is met here.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimem_node import logs
from aimem_node.client.seen import Seen
from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials, Dispatch
from aimem_node.contract.errors import Code, Failure
from aimem_node.gateways import listeners
from aimem_node.gateways.lines import LineReader, LineTooLong, rpc_error
from aimem_node.gateways.mcp_sdk import McpSdk, read_profile
from aimem_node.gateways.peercred import Peer, peer_of
from aimem_node.version import VERSION

PREFACE_VERSION = 1
PREFACE_BYTES_MAX = 4096
PREFACE_WAIT_S = 5.0
"""The bridge writes its preface at once; whoever has not by then is no bridge."""

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""gRPC's default message limit, and twice what HTTP takes."""

CLIENTS_MAX = 256
"""Each may keep a few messages of MESSAGE_BYTES_MAX in memory."""

STOP_WAIT_S = 1.5
INVALID_REQUEST = -32600
"""JSON-RPC's code, written here so that refusing needs no SDK."""

_log = logs.get("gateways")


@dataclass(frozen=True, slots=True)
class Preface:
    """What the first line asks for."""

    profile: str
    agent_id: str
    """How the agent wants to be called; empty to be named after its client."""


def read_preface(line: bytes) -> Preface:
    """`{"aimem_mcp": 1, "profile": "core", "agent_id": null}`. Raises Failure for another."""
    value = codec.loads(line, PREFACE_BYTES_MAX)
    if not isinstance(value, Mapping) or value.get("aimem_mcp") != PREFACE_VERSION:
        raise Failure(
            Code.INVALID_ARGUMENT,
            f'the first line is not {{"aimem_mcp": {PREFACE_VERSION}, …}}',
            next="Connect through `aimem mcp` of the same version.",
        )
    agent_id = value.get("agent_id") or ""
    if not isinstance(agent_id, str):
        raise Failure(Code.INVALID_ARGUMENT, "agent_id is not a string", "$.agent_id")
    return Preface(read_profile(value.get("profile", "core"), "$.profile"), agent_id)


class McpSocket:
    """Serves MCP on a unix socket, inside a running asyncio loop."""

    def __init__(
        self, dispatch: Dispatch, path: str, version: str = VERSION, sdk: McpSdk | None = None
    ) -> None:
        self._dispatch = dispatch
        self._path = path
        self._version = version
        self._sdk = sdk or McpSdk()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[Any]] = set()

    async def start(self) -> str:
        """Listen; returns the path. Raises OSError when the socket cannot be opened."""
        listener = listeners.open_unix(self._path)
        self._server = await asyncio.start_unix_server(self._welcome, sock=listener)
        return self._path

    async def stop(self) -> None:
        """Stop listening and end every conversation, within 2 s."""
        if self._server is None:
            return
        self._server.close()
        listeners.remove_unix(self._path)
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        if clients:
            await asyncio.wait(clients, timeout=STOP_WAIT_S)
        self._server = None

    async def __aenter__(self) -> str:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from its first byte to its last. Never raises."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) > CLIENTS_MAX:
                await _turn_away(writer, f"{CLIENTS_MAX} clients are connected already")
                return
            await self._serve(reader, writer)
        except Failure as failure:
            await _turn_away(writer, f"{failure.message}. {failure.next}")
        except LineTooLong as fault:
            await _turn_away(writer, str(fault))
        except asyncio.CancelledError:
            pass  # stopping; asyncio would log it as a fault of the callback
        except (ConnectionError, EOFError):
            pass
        except Exception as fault:
            _log.error("mcp_client_broke", fault=type(fault).__name__, exc_info=fault)
        finally:
            self._clients.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = LineReader(reader, PREFACE_BYTES_MAX)
        try:
            async with asyncio.timeout(PREFACE_WAIT_S):
                first = await lines.next()
        except TimeoutError:
            raise Failure(
                Code.DEADLINE, f"no first line within {PREFACE_WAIT_S:.0f} s", definite=True
            ) from None
        if first is None:
            return
        preface = read_preface(first)
        lines.line_bytes_max = MESSAGE_BYTES_MAX
        credentials = _credentials(peer_of(writer.get_extra_info("socket")), preface)
        module = await self._sdk.module()
        from aimem_node.gateways.mcp_bridge import Bridge

        seen = Seen()
        server = module.build(
            self._dispatch,
            preface.profile,
            self._version,
            lambda _context: credentials,
            lambda _context: seen,
        )
        _log.info(
            "mcp_client_came", profile=preface.profile, uid=credentials.uid, pid=credentials.pid
        )
        await Bridge(lines, writer).serve(server)


def _credentials(peer: Peer, preface: Preface) -> Credentials:
    assert peer.channel is Channel.UNIX
    return Credentials(
        channel=peer.channel,
        uid=peer.uid,
        pid=peer.pid,
        agent_hint=preface.agent_id,
        surface="mcp",
    )


async def _turn_away(writer: asyncio.StreamWriter, why: str) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(rpc_error(INVALID_REQUEST, why))
        await writer.drain()
