"""An export of MemPalace: JSON lines by wing and room, or the Markdown pages made for reading.

In the pages each drawer is a heading with its id, the text as a quotation, and a table of where
it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aimem_node.gateways.cli.mining.chats import NO_TEXT, Item, each
from aimem_node.gateways.cli.mining.composing import AUTHOR, sha256
from aimem_node.gateways.cli.mining.found import (
    Found,
    Unfit,
    Unreadable,
    facts_of,
    moment,
    plain,
    tags_of,
    text_of,
)
from aimem_node.gateways.cli.mining.sources import Tree, whole_text

_ROW = re.compile(r"\|\s*(Source|Filed|Added by)\s*\|\s*(.*?)\s*\|")
_PAGE_TITLE = re.compile(r"# (.+?) / (.+)")
PAGES_ABOUT = frozenset({"index.md", "overview.md", "manifest.json", "export-manifest.json",
                         "_kg.json"})  # fmt: skip


def find(tree: Tree) -> Iterator[Item]:
    """Every drawer."""
    for name in tree.names():
        base = name.rpartition("/")[2].lower()
        if base in PAGES_ABOUT:
            continue
        if base.endswith((".jsonl", ".json")):
            yield from each(tree, name, drawer, "drawers", "memories")
        elif base.endswith(".md"):
            yield from _page(tree, name)


def drawer(where: str, value: dict[str, Any]) -> Item:
    """One drawer of the JSON lines."""
    content = text_of(value.get("document")) or text_of(value.get("content"))
    facts = facts_of(value.get("metadata")) or facts_of(
        {name: value[name] for name in ("wing", "room", "source_file", "filed_at", "added_by")
         if name in value}
    )  # fmt: skip
    return _note(where, text_of(value.get("id")), content, facts)


def _page(tree: Tree, name: str) -> Iterator[Item]:
    try:
        lines = whole_text(tree, name).replace("\r\n", "\n").split("\n")
    except Unreadable as error:
        yield Unfit(name, str(error))
        return
    *_, wing, room = ("", "", *name.removesuffix(".md").split("/"))
    titled = _PAGE_TITLE.fullmatch(lines[0].strip())
    if titled:
        wing, room = titled.groups()
    # The texts are quoted, so a heading at the beginning of a line is never part of one.
    starts = [number for number, line in enumerate(lines) if line.startswith("## ")]
    if not starts:
        yield Unfit(name, "no drawers in it", broken=False)
        return
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        quoted = [line for line in lines[start + 1 : end] if line.startswith(">")]
        facts = {"wing": wing, "room": room}
        for line in lines[start + 1 : end]:
            row = _ROW.fullmatch(line.strip())
            if row and row.group(2) not in ("", "unknown"):
                facts[_NAMES[row.group(1)]] = row.group(2)
        content = "\n".join(line[2:] if line[1:2] == " " else line[1:] for line in quoted)
        yield _note(f"{name}, line {start + 1}", lines[start][3:].strip(), content, facts)


_NAMES = {"Source": "source_file", "Filed": "filed_at", "Added by": "added_by"}


def _note(where: str, key: str, content: str, facts: dict[str, Any]) -> Item:
    if not plain(content):
        return Unfit(where, NO_TEXT, broken=False)
    metadata = facts_of(facts)
    author = text_of(metadata.pop("added_by", ""))
    if author:
        metadata[AUTHOR] = author
    if key:
        metadata["original_id"] = key
    return Found(
        where=where,
        key=key or sha256(content),
        title=text_of(metadata.get("title")),
        text=content,
        session=text_of(metadata.get("source_file")) or key,
        at_us=moment(metadata.get("filed_at")),
        tags=tags_of(metadata.get("wing"), metadata.get("room")),
        metadata=metadata,
        is_note=True,
    )
