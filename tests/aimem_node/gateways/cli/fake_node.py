"""A node that answers what the test says, over HTTP on a unix socket, in a thread."""

import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aimem_node import places


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class FakeNode:
    """Listens where the node of `data_dir` would."""

    def __init__(self) -> None:
        # Short, since a socket's path may have 107 bytes and pytest's directories are long.
        self.home = tempfile.mkdtemp(prefix="am")
        self.data_dir = os.path.join(self.home, "data")
        self.env = os.environ | {
            "AIMEM_DATA_DIR": self.data_dir,
            "AIMEM_RUNTIME_DIR": os.path.join(self.home, "run"),
            "AIMEM_NO_START": "1",
        }
        for name in ("AIMEM_AGENT_ID", "AIMEM_NODE", "NO_COLOR"):
            self.env.pop(name, None)
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], tuple[int, Any]] = lambda _: (200, {})
        """Status and answer: an object, a list for a stream, or bytes for what is no HTTP."""
        self._listener: socket.socket | None = None

    def path(self, which: str = "http") -> str:
        return places.socket_path(self.data_dir, which, self.env)

    def listen(self) -> "FakeNode":
        os.makedirs(os.path.dirname(self.path()), mode=0o700, exist_ok=True)
        os.makedirs(self.data_dir, mode=0o700, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path())
        self._listener.listen()
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()
        return self

    def close(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            try:
                with link, link.makefile("rwb") as wire:
                    self._one(wire)
            except (OSError, ValueError, IndexError):
                continue  # the caller left early, as some tests want

    def _one(self, wire: Any) -> None:
        first = wire.readline().decode().split()
        headers: dict[str, str] = {}
        while line := wire.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        raw = wire.read(int(headers.get("content-length", 0)))
        asked = Asked(first[0], first[1], headers, json.loads(raw) if raw else None)
        self.asked.append(asked)
        status, answer = self.answer(asked)
        if isinstance(answer, bytes):
            wire.write(answer)
        elif isinstance(answer, list):
            wire.write(b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
            for item in answer:
                line = item if isinstance(item, bytes) else json.dumps(item).encode() + b"\n"
                wire.write(b"%x\r\n%s\r\n" % (len(line), line))
            wire.write(b"0\r\n\r\n")
        else:
            said = json.dumps(answer).encode()
            wire.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(said)) + said)
        wire.flush()
