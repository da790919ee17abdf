"""mcp-memory-service: its JSON export, or its SQLite file, which is opened for reading only.

Both hold a memory's text with a hash of it as its name. A row that was deleted there stays in
the file with a date, and is left out.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.cli.mining.chats import Item, chosen, each
from aimem_node.gateways.cli.mining.composing import sha256
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

SQLITE_MAGIC = b"SQLite format 3\x00"


def find(tree: Tree) -> Iterator[Item]:
    """Every memory of an export."""
    for name in chosen(tree, "*.json", "*.jsonl"):
        yield from each(tree, name, memory, "memories")


def is_database(path: str) -> bool:
    """Whether a file is one of SQLite's."""
    try:
        with open(path, "rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:
        return False


def find_in_database(path: str) -> Iterator[Item]:
    """Every memory of a database. Raises CallFailure if it is none of theirs."""
    with contextlib.closing(_opened(path)) as database:
        try:
            known = {row[1] for row in database.execute("PRAGMA table_info(memories)")}
            if not {"content", "content_hash"} <= known:
                raise CallFailure(
                    "INVALID_ARGUMENT", f"{path} has no table of mcp-memory-service's memories",
                    next_step="Name its sqlite_vec.db, or a JSON export.",
                )  # fmt: skip
            database.row_factory = sqlite3.Row
            for number, row in enumerate(database.execute("SELECT * FROM memories"), 1):
                try:
                    yield memory(f"row {number}", dict(row))
                except (TypeError, ValueError) as error:
                    yield Unfit(f"row {number}", f"is not built as expected ({error})")
        except sqlite3.Error as error:
            yield Unfit(path, f"cannot be read further: {error}")


def _opened(path: str) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
        # A foreign file: what it declares must not run.
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise CallFailure(
            "CORRUPT", f"cannot open {path}: {error}", next_step="Export it as JSON instead."
        ) from None
    return database


def memory(where: str, value: dict[str, Any]) -> Item:
    """One memory, from the export or from a row."""
    if value.get("deleted_at"):
        return Unfit(where, "was deleted there", broken=False)
    content = text_of(value.get("content"))
    if not plain(content):
        return Unfit(where, "has no content")
    metadata = facts_of(_json(value.get("metadata")))
    for name, kept in (("memory_type", "memory_type"), ("content_hash", "original_id")):
        if text_of(value.get(name)):
            metadata[kept] = plain(text_of(value.get(name)))
    tags = value.get("tags")
    if isinstance(tags, str):
        listed = _json(tags)
        tags = listed if isinstance(listed, list) else tags.split(",")
    at_us = moment(value.get("created_at"))
    return Found(
        where=where,
        key=text_of(value.get("content_hash")) or sha256(content),
        title="",
        text=content,
        at_us=moment(value.get("created_at_iso")) if at_us is None else at_us,
        tags=tags_of(*(tags if isinstance(tags, list) else [])),
        metadata=metadata,
        is_note=True,
    )


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
