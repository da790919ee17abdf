"""Claude's data export (conversations.json, or JSON lines) and Claude Code's session logs.

The two are told apart by their first record. Of both only what people and the assistant said is
taken: thinking, tool calls and their results are neither's memory, and are most of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aimem_node.gateways.cli.mining import chatgpt, claude_code
from aimem_node.gateways.cli.mining.chats import Item, chosen, each, finished
from aimem_node.gateways.cli.mining.composing import sha256
from aimem_node.gateways.cli.mining.found import Found, Message, Unfit, dicts, moment, text_of
from aimem_node.gateways.cli.mining.sources import Tree

ROLES = {"human": "user", "user": "user", "assistant": "assistant"}


def find(tree: Tree) -> Iterator[Item]:
    """Every conversation of an export, and every session below a directory."""
    for name in chosen(tree, "conversations.json", "*.jsonl"):
        if name.endswith(".jsonl") and claude_code.is_session(tree, name):
            yield from claude_code.session(tree, name)
        else:
            yield from each(tree, name, conversation, "conversations")


def conversation(where: str, value: dict[str, Any]) -> Item:
    """One conversation of the export."""
    if isinstance(value.get("mapping"), dict):
        return chatgpt.conversation(where, value)
    said = value.get("chat_messages", value.get("messages"))
    if not isinstance(said, list):
        return Unfit(where, "has no list of messages")
    messages = tuple(one for message in dicts(said) for one in _message(message))
    key = text_of(value.get("uuid")) or text_of(value.get("id"))
    created = value.get("created_at")
    return finished(
        Found(
            where=where,
            key=key or sha256(*(one.text for one in messages[:1]), str(created)),
            title=text_of(value.get("name")) or text_of(value.get("title"))
            or next((one.text for one in messages if one.role == "user"), ""),
            messages=messages,
            at_us=moment(created),
        )
    )  # fmt: skip


def _message(value: dict[str, Any]) -> Iterator[Message]:
    role = ROLES.get(text_of(value.get("sender")) or text_of(value.get("role")))
    if role is None:
        return
    pieces = [said_in(value.get("content")) or text_of(value.get("text"))]
    for file in dicts(value.get("attachments")):
        # What is pasted in one long piece becomes a file, and is often the point of it all.
        name = text_of(file.get("file_name")) or "pasted text"
        pieces.append(f"[{name}]\n{text_of(file.get('extracted_content'))}")
    pieces += [f"[{text_of(file.get('file_name'))}]" for file in dicts(value.get("files"))]
    text = "\n".join(piece for piece in pieces if piece.strip() and piece != "[]")
    if text.strip():
        yield Message(role, text, moment(value.get("created_at")))


def said_in(content: Any) -> str:
    """The text of a message's content: a text, or the text blocks of a list."""
    if isinstance(content, str):
        return content
    blocks = [text_of(block.get("text")) for block in dicts(content) if block.get("type") == "text"]
    return "\n".join(block for block in blocks if block.strip())
