"""What the MCP bridge remembers of one conversation, so that it outlives the node's process.

Two things only: how the client opened it, to open it anew with the next process, and which
requests wait for an answer, to tell the client that none will come. Everything else passes.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GONE = -32000
"""JSON-RPC leaves the numbers from here on to the server."""
OPENED = "notifications/initialized"


class Conversation:
    """One client's words and the node's, line by line."""

    def __init__(self, preface: bytes) -> None:
        """`preface`: the line by which a node is told who comes."""
        self._preface = preface
        self._opening: list[bytes] = []
        self._opened_by = ""
        self._under_way: dict[str, Any] = {}
        self._answered_before = ""
        "The request whose next answer the client has had from an earlier process."

    def asked(self, line: bytes) -> None:
        """The client has said this."""
        for message in _messages(line):
            method, key = message.get("method"), _key(message)
            if method == "initialize":
                self._opening, self._opened_by = [line], key
            elif method == OPENED and self._opening:
                self._opening.append(line)
            if method and key:
                self._under_way[key] = message["id"]

    def answered(self, line: bytes) -> bool:
        """The node has said this. Whether it is for the client."""
        for message in _messages(line):
            key = _key(message)
            if not key or "method" in message:
                continue
            if key == self._answered_before:
                self._answered_before = ""
                return False
            self._under_way.pop(key, None)
        return True

    def opening(self) -> bytes:
        """What the next process must be told before anything else."""
        self._answered_before = self._opened_by if self._opening else ""
        return self._preface + b"".join(self._opening)

    def gave_up(self, why: str) -> bytes:
        """Answers to all that waits for one: there will be none, and why. A conversation whose
        opening is among these was never opened."""
        if self._opened_by in self._under_way:
            self._opening = []
        answers = b"".join(_error(one, why) for one in self._under_way.values())
        self._under_way.clear()
        return answers


def _messages(line: bytes) -> list[dict[str, Any]]:
    """The messages of a line; none of one that is no JSON, which is the node's to complain of."""
    try:
        said = json.loads(line)
    except ValueError:
        return []
    return [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, dict)]


def _key(message: dict[str, Any]) -> str:
    """The id of a request or of its answer, so that 1 and "1" differ; empty if there is none."""
    return json.dumps(message["id"]) if message.get("id") is not None else ""


def _error(request: object, why: str) -> bytes:
    body = {"jsonrpc": "2.0", "id": request, "error": {"code": GONE, "message": why}}
    return json.dumps(body).encode() + b"\n"
