"""Maelstrom's messages: one JSON object a line, {"src", "dest", "body": {"type", ...}}.

Maelstrom holds an answer against a closed schema: one field too many and the test is broken off. So
an answer carries what the workload names and nothing else; only an error may explain itself. A line
that is no message, or one to somebody who is not there, costs more: its reader of this node's
output gives up, and from then on the node is mute.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from aimem_sync.canon import read_json
from aimem_sync.faults import OpFault


class ErrorCode(IntEnum):
    """Why a request was not done. Only TIMEOUT leaves open whether it was, or will be."""

    TIMEOUT = 0
    NOT_SUPPORTED = 10
    TEMPORARILY_UNAVAILABLE = 11
    MALFORMED_REQUEST = 12
    PRECONDITION_FAILED = 22


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as far as all of them are alike."""

    src: str
    dest: str
    type: str
    body: Mapping[str, Any]
    "All of it, type and ids included."
    msg_id: int | None = None
    "None: no answer is expected."
    in_reply_to: int | None = None


class WireFault(Exception):  # noqa: N818 - the fault is in the line, not here
    """A line that is no message, or a message that asks for nothing that could be done.

    `src` and `msg_id` say whom to tell, where that much could be read.
    """

    def __init__(self, why: str, src: str = "", msg_id: int | None = None) -> None:
        super().__init__(why)
        self.src = src
        self.msg_id = msg_id


def parse(line: bytes) -> Message:
    """Read one line. Raises WireFault."""
    try:
        value = read_json(line)
    except OpFault as cause:
        raise WireFault(str(cause)) from cause
    if not isinstance(value, dict):
        raise WireFault("a message is a JSON object")
    src, dest, body = value.get("src"), value.get("dest"), value.get("body")
    if not (isinstance(src, str) and src and isinstance(dest, str) and dest):
        raise WireFault('"src" and "dest" must name nodes')
    if not isinstance(body, dict):
        raise WireFault('"body" must be a JSON object', src)
    msg_id = _number(body, "msg_id", src, None)
    in_reply_to = _number(body, "in_reply_to", src, msg_id)
    kind = body.get("type")
    if not (isinstance(kind, str) and kind):
        raise WireFault('"body.type" must be text', src, msg_id)
    return Message(src, dest, kind, body, msg_id, in_reply_to)


def _number(body: Mapping[str, Any], name: str, src: str, msg_id: int | None) -> int | None:
    found = body.get(name)
    if found is None or type(found) is int:
        return found
    raise WireFault(f'"body.{name}" must be a whole number', src, msg_id)


def spell(src: str, dest: str, body: Mapping[str, Any]) -> bytes:
    """One line, without its end. ASCII only, so that nothing in it can look like a line's end."""
    return json.dumps({"src": src, "dest": dest, "body": body}, separators=(",", ":")).encode()


def error_body(code: ErrorCode, text: str) -> dict[str, Any]:
    """The body of a refusal."""
    return {"type": "error", "code": int(code), "text": text}
