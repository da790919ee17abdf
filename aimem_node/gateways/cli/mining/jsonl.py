"""JSON lines of our own making: one object for each memory, with any field that a memory has.

Who said it and when it was stored is for the node to say: such fields are kept as a claim in the
metadata, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aimem_node.gateways.cli.mining.chats import Item, chosen, each
from aimem_node.gateways.cli.mining.composing import AUTHOR, sha256
from aimem_node.gateways.cli.mining.found import (
    Found,
    Unfit,
    facts_of,
    moment,
    plain,
    tags_of,
    text_of,
)
from aimem_node.gateways.cli.mining.sources import Tree

KEPT = ("tier", "namespace", "priority", "confidence", "scope", "expires_at")
"""Fields that go through as they are; the node holds them against its rules."""


def find(tree: Tree) -> Iterator[Item]:
    """Every object of every file."""
    for name in chosen(tree, "*.jsonl", "*.ndjson", "*.json"):
        yield from each(tree, name, memory, "memories")


def memory(where: str, value: dict[str, Any]) -> Item:
    """One object as a note. What an export of ours wraps it in is taken off."""
    if isinstance(value.get("memory"), dict):
        value = value["memory"]
    elif "header" in value or "trailer" in value or "link" in value:
        return Unfit(where, "is no memory", broken=False)
    content = text_of(value.get("content"))
    if not plain(content):
        return Unfit(where, "has no content")
    metadata = facts_of(value.get("metadata"))
    author = text_of(value.get("agent_id")) or text_of(value.get("author"))
    if author:
        metadata.setdefault(AUTHOR, plain(author))
    tags = value.get("tags")
    original = text_of(value.get("id"))
    title = text_of(value.get("title"))
    return Found(
        where=where,
        key=original or sha256(title, content),
        title=title,
        text=content,
        session=text_of(value.get("session")) or original,
        at_us=moment(value.get("happened_at", value.get("created_at"))),
        tags=tags_of(*(tags if isinstance(tags, list) else text_of(tags).split(","))),
        metadata=metadata | ({"original_id": original} if original else {}),
        fields={name: value[name] for name in KEPT if value.get(name) is not None},
        is_note=True,
    )
