"""Claude Code's session logs: one file of JSON lines for each session.

A line is an event. What one side said is spread over several lines with one message id, and most
other lines are results of tools, which come under the name of the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aimem_node.gateways.cli.mining.chats import Item, finished, values_in
from aimem_node.gateways.cli.mining.found import (
    Found,
    Message,
    Unfit,
    dicts,
    moment,
    tags_of,
    text_of,
)
from aimem_node.gateways.cli.mining.sources import Tree

NOT_SAID = ("<command-", "<local-command", "<system-reminder>", "Caveat: The messages below")
"""How a user's line begins that no user typed."""
LINES_TO_TELL = 20
_MARKS = ("sessionId", "parentUuid", "leafUuid")


def is_session(tree: Tree, name: str) -> bool:
    """Whether a file of JSON lines is a session log."""
    for number, one in enumerate(values_in(tree, name)):
        if number >= LINES_TO_TELL:
            return False
        if isinstance(one, Unfit):
            continue
        value = one[1]
        if isinstance(value, dict) and "type" in value and any(mark in value for mark in _MARKS):
            return True
        if isinstance(value, dict) and ("chat_messages" in value or "mapping" in value):
            return False
    return False


def session(tree: Tree, name: str) -> Iterator[Item]:
    """The conversation of one log; first what could not be read of it."""
    messages: list[Message] = []
    last_id = ""
    title, project = "", ""
    for one in values_in(tree, name):
        if isinstance(one, Unfit):
            yield one
            continue
        line = one[1]
        if not isinstance(line, dict):
            continue
        title = title or text_of(line.get("summary")) or text_of(line.get("customTitle"))
        project = project or text_of(line.get("cwd")).rstrip("/").rpartition("/")[2]
        said = _said(line)
        if said is None:
            continue
        message_id, message = said
        if messages and message_id and message_id == last_id:
            before = messages[-1]
            messages[-1] = Message(before.role, f"{before.text}\n{message.text}", before.at_us)
        else:
            messages.append(message)
        last_id = message_id
    key = name.rpartition("/")[2].removesuffix(".jsonl")
    first = next((one.text for one in messages if one.role == "user"), "")
    yield finished(
        Found(
            where=name,
            key=key,
            title=title or first,
            messages=tuple(messages),
            tags=tags_of(project),
            metadata={"project": project} if project else {},
        )
    )


def _said(line: dict[str, Any]) -> tuple[str, Message] | None:
    """Message id and message of a line on which somebody says something."""
    kind = line.get("type")
    if kind not in ("user", "assistant"):
        return None
    if line.get("isMeta") or line.get("isSidechain") or line.get("isCompactSummary"):
        return None
    message = line.get("message")
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    blocks = [content] if isinstance(content, str) else [
        text_of(block.get("text")) for block in dicts(content) if block.get("type") == "text"
    ]  # fmt: skip
    if kind == "user":
        blocks = [block for block in blocks if not block.lstrip().startswith(NOT_SAID)]
    text = "\n".join(block for block in blocks if block.strip())
    if not text:
        return None
    return text_of(message.get("id")), Message(str(kind), text, moment(line.get("timestamp")))
