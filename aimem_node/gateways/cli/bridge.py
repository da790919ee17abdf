"""`aimem mcp`: stdin and stdout of an AI client, byte for byte, to the node's MCP socket.

It understands nothing of what passes and keeps nothing, so it is ready at once and there is
nothing in it to lose. Reading from one side stops while the other cannot take more; a client
that is slow to read therefore slows the node and fills no memory.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time

from aimem_node import places
from aimem_node.gateways.cli import arguments, failures, node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFACE_VERSION = 1
PROFILES = ("core", "standard", "full")
CHUNK_BYTES = 65_536
PENDING_BYTES_MAX = 1_048_576
"""Held for a side that does not read. Then the other side is not read either."""
PIPE_WRITE_BYTES = 4_096
"""A pipe that is ready takes this much without blocking (PIPE_BUF)."""
DRAIN_S = 6.0
"""After stdin has closed: a second more than the node goes on working on what it was asked."""


def run(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Bridge until stdin closes. 0 then; 5 if the node went away first."""
    profile = _read_options(rest, settings)
    link = open_link(settings, env)
    preface = {
        "aimem_mcp": PREFACE_VERSION,
        "profile": profile,
        "agent_id": settings.get("agent_id"),
    }
    first = bytearray(json.dumps(preface).encode() + b"\n")
    if pump(link, sys.stdin.fileno(), sys.stdout.fileno(), first):
        return 0
    raise failures.CallFailure(
        "UNAVAILABLE",
        "the node closed the connection",
        next_step="Reconnect in the client; the node is started again then.",
    )


def _read_options(rest: list[str], settings: dict[str, Any]) -> str:
    profile = "core"
    index = 0
    while index < len(rest):
        flag, equals, value = rest[index].partition("=")
        taken = arguments.take_global(settings, rest, index)
        if taken:
            index += taken
            continue
        if flag != "--profile":
            known = ["--profile", *arguments.GLOBALS]
            raise arguments.unknown_flag(rest[index], known, "aimem help mcp")
        if not equals:
            index += 1
            value = rest[index] if index < len(rest) else ""
        profile = value
        index += 1
    if profile not in PROFILES:
        raise failures.usage(
            f"unknown profile {profile!r}", f"One of: {', '.join(PROFILES)}", "$.profile"
        )
    return profile


def open_link(settings: dict[str, Any], env: Mapping[str, str]) -> socket.socket:
    """A connection to the node's MCP socket, starting the node if that is allowed."""
    if settings.get("node"):
        raise failures.usage(
            "aimem mcp speaks to the node on this machine only",
            "Leave out --node (and AIMEM_NODE); for another machine use its HTTPS address /mcp.",
        )
    data_dir = node.data_dir_of(settings, env)
    path = places.socket_path(data_dir, "mcp", dict(env))
    try:
        return node.connect(path)
    except OSError:
        pass
    deadline = time.monotonic() + node.START_WAIT_S
    node.reach(data_dir, env, not settings.get("no_start"))
    while True:
        try:
            return node.connect(path)
        except OSError as error:
            if time.monotonic() > deadline:
                why = f"although the node runs: {error.strerror or error}"
                raise node.down(data_dir, path, why) from None
        time.sleep(node.POLL_S)


def pump(link: socket.socket, source: int, sink: int, up: bytearray) -> bool:
    """Carry bytes both ways until an end closes. True if it was stdin.

    `up` is what goes to the node, and holds what it is to be told first.
    """
    link.setblocking(False)
    down = bytearray()
    """From the node, for the client."""
    source_open, link_open, told = True, True, False
    drain_until = 0.0
    while link_open or down:
        reading = [source] if source_open and len(up) < PENDING_BYTES_MAX else []
        if link_open and len(down) < PENDING_BYTES_MAX:
            reading.append(link.fileno())
        writing = ([link.fileno()] if up and link_open else []) + ([sink] if down else [])
        wait_s = None if source_open else max(0.0, drain_until - time.monotonic())
        ready, able, _ = select.select(reading, writing, [], wait_s)
        if not ready and not able and not source_open:
            return True
        if source in ready:
            chunk = os.read(source, CHUNK_BYTES)
            up += chunk
            if not chunk:
                source_open = False
                drain_until = time.monotonic() + DRAIN_S
        if link.fileno() in ready:
            link_open = _receive(link, down)
        if link.fileno() in able and link_open:
            link_open = _send(link, up)
        if sink in able:
            del down[: os.write(sink, down[:PIPE_WRITE_BYTES])]
        if not source_open and not up and not told and link_open:
            link.shutdown(socket.SHUT_WR)
            told = True
    return not source_open


def _receive(link: socket.socket, taken: bytearray) -> bool:
    """Take what the node has sent; False if it has gone."""
    try:
        chunk = link.recv(CHUNK_BYTES)
    except BlockingIOError:
        return True
    except OSError:
        return False
    taken += chunk
    return bool(chunk)


def _send(link: socket.socket, pending: bytearray) -> bool:
    """Send what the node takes now; False if it has gone."""
    try:
        del pending[: link.send(pending)]
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True
