"""ChatGPT's data export: conversations.json, a tree of messages for each conversation.

Whoever edits a question or asks for another answer grows a branch. Only the branch that was last
shown is the conversation; the others were thrown away by the people who had it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aimem_node.gateways.cli.mining.chats import Item, chosen, each, finished
from aimem_node.gateways.cli.mining.composing import sha256
from aimem_node.gateways.cli.mining.found import Found, Message, Unfit, moment, text_of
from aimem_node.gateways.cli.mining.sources import Tree

ROLES = frozenset({"user", "assistant"})
HIDDEN = "is_visually_hidden_from_conversation"
PLACEHOLDERS = {
    "image_asset_pointer": "[image]",
    "audio_asset_pointer": "[audio]",
    "real_time_user_audio_video_asset_pointer": "[audio]",
    "video_container_asset_pointer": "[video]",
}


def find(tree: Tree) -> Iterator[Item]:
    """Every conversation of an export."""
    for name in chosen(tree, "conversations.json", "conversations-*.json", "conversations_*.json"):
        yield from each(tree, name, conversation, "conversations")


def conversation(where: str, value: dict[str, Any]) -> Item:
    """One conversation of the export."""
    mapping = value.get("mapping")
    if not isinstance(mapping, dict):
        theirs = "chat_messages" in value
        return Unfit(
            where, "is of Claude's export: mine it as claude" if theirs else "has no mapping"
        )
    nodes = branch(mapping, value.get("current_node"))
    if nodes is None:
        return Unfit(where, "its messages go round in a circle")
    messages = tuple(one for node in nodes for one in _message(node.get("message")))
    key = text_of(value.get("conversation_id")) or text_of(value.get("id"))
    return finished(
        Found(
            where=where,
            key=key or sha256(*(one.text for one in messages[:1]), str(value.get("create_time"))),
            title=text_of(value.get("title")) or _first_said(messages),
            messages=messages,
            at_us=moment(value.get("create_time")),
        )
    )


def branch(mapping: dict[str, Any], current: Any) -> list[dict[str, Any]] | None:
    """The nodes from the root to the one shown last; None if they go round in a circle."""
    if current not in mapping:
        current = _latest_leaf(mapping)
    path: list[dict[str, Any]] = []
    seen: set[str] = set()
    while isinstance(current, str) and isinstance(node := mapping.get(current), dict):
        if current in seen:
            return None
        seen.add(current)
        path.append(node)
        current = node.get("parent")
    return path[::-1]


def _latest_leaf(mapping: dict[str, Any]) -> str | None:
    """Where an export does not say which branch was shown: that of the newest message."""
    newest: tuple[int, str] | None = None
    for name, node in mapping.items():
        if not isinstance(node, dict) or node.get("children"):
            continue
        message = node.get("message")
        at_us = moment(message.get("create_time")) if isinstance(message, dict) else None
        newest = max(newest or (at_us or 0, name), (at_us or 0, name))
    return newest[1] if newest else None


def _message(value: Any) -> Iterator[Message]:
    if not isinstance(value, dict):
        return
    author, metadata = value.get("author"), value.get("metadata")
    role = author.get("role") if isinstance(author, dict) else None
    if role not in ROLES or (isinstance(metadata, dict) and metadata.get(HIDDEN)):
        return
    if value.get("recipient") not in (None, "", "all"):
        return  # the assistant speaks to a tool
    text = _text(value.get("content"))
    if text.strip():
        yield Message(str(role), text, moment(value.get("create_time")))


def _text(content: Any) -> str:
    if not isinstance(content, dict):
        return text_of(content)
    if content.get("content_type") in ("thoughts", "reasoning_recap", "user_editable_context"):
        return ""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return text_of(content.get("text"))
    return "\n".join(said for said in map(_part, parts) if said.strip())


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return text_of(part)
    kind = text_of(part.get("content_type"))
    return text_of(part.get("text")) or PLACEHOLDERS.get(kind, "")


def _first_said(messages: tuple[Message, ...]) -> str:
    return next((one.text for one in messages if one.role == "user"), "")
