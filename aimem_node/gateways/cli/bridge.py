"""`aimem mcp`: stdin and stdout of an AI client, line for line, to the node's MCP socket.

It understands nothing of what passes but where a line ends and which requests are open, so it is
ready at once. Reading from one side stops while the other cannot take more; a client that is slow
to read therefore slows the node and fills no memory.

A node may be stopped, upgraded or shot while a client is connected, and few clients start their
server anew. So the bridge stays: what was under way is answered with an error that says so, and the
next request finds the node again, starting it if that is allowed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import time

from aimem_node import places
from aimem_node.gateways.cli import arguments, failures, node
from aimem_node.gateways.cli.conversation import Conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PREFACE_VERSION = 1
PROFILES = ("core", "standard", "full")
CHUNK_BYTES = 65_536
PENDING_BYTES_MAX = 1_048_576
"""Held for a side that does not read. Then the other side is not read either."""
PIPE_WRITE_BYTES = 4_096
"""A pipe that is ready takes this much without blocking (PIPE_BUF)."""
LINE_BYTES_MAX = 8_388_608
"""Of an answer, twice what the node takes in one message. A longer one passes in pieces."""
DRAIN_S = 6.0
"""After stdin has closed: a second more than the node goes on working on what it was asked."""
LOST = (
    "the node went away before it answered, so whether it did this is not known."
    " Look before you ask again; the next request finds the node or starts it"
)


def run(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Bridge until stdin closes. Raises CallFailure if there is no node to begin with."""
    profile = _read_options(rest, settings)
    preface = {
        "aimem_mcp": PREFACE_VERSION,
        "profile": profile,
        "agent_id": settings.get("agent_id"),
    }
    talk = Conversation(json.dumps(preface).encode() + b"\n")
    first = open_link(settings, env)
    streams = sys.stdin.fileno(), sys.stdout.fileno()
    Bridge(first, lambda: open_link(settings, env), talk, *streams).run()
    return 0


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


class Bridge:
    """Carries lines both ways until the client leaves."""

    def __init__(
        self, link: socket.socket, reach: Callable[[], socket.socket], talk: Conversation,
        source: int, sink: int,
    ) -> None:  # fmt: skip
        """`reach` gives the next connection to a node, or raises CallFailure."""
        self._reach = reach
        self._talk = talk
        self._source, self._sink = source, sink
        self._link: socket.socket | None = None
        self._up, self._down = bytearray(), bytearray()
        "Whole lines for the node and for the client."
        self._asked, self._answered = bytearray(), bytearray()
        "The beginnings of lines that have not ended yet."
        self._leaves_at = 0.0
        "When the client, which has closed its side, is waited for no longer."
        self._begin(link)

    def run(self) -> None:
        """See the class."""
        while self._link is not None or self._down or not self._leaves_at:
            wait_s = max(0.0, self._leaves_at - time.monotonic()) if self._leaves_at else None
            if not self._turn(wait_s):
                return

    def _turn(self, wait_s: float | None) -> bool:
        """Let what can move move. False once the time of who leaves is up."""
        link = self._link
        reading: list[int | socket.socket] = []
        writing: list[int | socket.socket] = [self._sink] if self._down else []
        if not self._leaves_at and len(self._up) + len(self._down) < PENDING_BYTES_MAX:
            reading.append(self._source)
        if link is not None and len(self._down) < PENDING_BYTES_MAX:
            reading.append(link)
        if link is not None and self._up:
            writing.append(link)
        ready, able, _ = select.select(reading, writing, [], wait_s)
        if not ready and not able and self._leaves_at:
            return False
        if link is not None and link in able:
            self._send(link)
        if link is not None and link in ready and not self._receive(link):
            self._lose()
        if self._source in ready:
            self._hear()
        if self._sink in able:
            del self._down[: os.write(self._sink, self._down[:PIPE_WRITE_BYTES])]
        return True

    def _begin(self, link: socket.socket) -> None:
        link.setblocking(False)
        self._link = link
        self._up += self._talk.opening()

    def _hear(self) -> None:
        """Take what the client says. Its last line needs no break."""
        chunk = os.read(self._source, CHUNK_BYTES)
        for line in _lines(self._asked, chunk, LINE_BYTES_MAX):
            self._ask(line)
        if not chunk:
            self._leaves_at = time.monotonic() + DRAIN_S
            if self._asked:
                self._ask(bytes(self._asked))
            self._close_our_side()

    def _ask(self, line: bytes) -> None:
        if self._link is None and line.strip():
            try:
                self._begin(self._reach())
            except failures.CallFailure as failure:
                self._talk.asked(line)
                self._down += self._talk.gave_up(f"{failure.message}. {failure.next_step}")
                return
        self._talk.asked(line)
        self._up += line

    def _send(self, link: socket.socket) -> None:
        """Send what the node takes now. That it has gone is told by its side: there may be more."""
        with contextlib.suppress(BlockingIOError):
            try:
                del self._up[: link.send(self._up)]
            except (BrokenPipeError, ConnectionResetError):
                self._up.clear()
        self._close_our_side()

    def _close_our_side(self) -> None:
        if self._leaves_at and not self._up and self._link is not None:
            with contextlib.suppress(OSError):  # its side tells that it has gone
                self._link.shutdown(socket.SHUT_WR)

    def _receive(self, link: socket.socket) -> bool:
        """Take what the node has sent; False if it has gone."""
        try:
            chunk = link.recv(CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for line in _lines(self._answered, chunk, LINE_BYTES_MAX):
            if self._talk.answered(line):
                self._down += line
        return bool(chunk)

    def _lose(self) -> None:
        """The node has gone. Half a line of it is of no use to anybody."""
        assert self._link is not None
        self._link.close()
        self._link = None
        self._up.clear()
        self._answered.clear()
        self._down += self._talk.gave_up(LOST)


def _lines(begun: bytearray, chunk: bytes, bytes_max: int) -> list[bytes]:
    """The lines that end with this chunk, each with its break; the rest stays in `begun`."""
    begun += chunk
    if len(begun) <= bytes_max and b"\n" not in chunk:
        return []
    *whole, rest = bytes(begun).split(b"\n")
    lines = [line + b"\n" for line in whole]
    if len(rest) > bytes_max:
        lines.append(rest)
        rest = b""
    begun[:] = rest
    return lines
