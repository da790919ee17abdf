# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Store, read and change single memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aimem_node.contract.made.values_nouns import (
    Memory,
    MemoryLink,
    Scope,
    Tier,
    WriteOptions,
    WriteResult,
)
from aimem_node.contract.value import Value


class OnConflict(StrEnum):
    """What a store does when a live memory already has the title in the namespace."""

    UPDATE = "update"
    """Change that memory."""
    ERROR = "error"
    """Refuse."""
    NEW = "new"
    """Store another one beside it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StoreRequest(Value):
    """What Store is asked."""

    title: str
    """A short line that says what it is about."""
    content: str
    """The memory itself."""
    tier: Tier = Tier.MID
    """How long to keep it: short (6 h), mid (7 days) or long."""
    namespace: str = "global"
    """Where it belongs, such as team/project."""
    tags: tuple[str, ...] = ()
    """Words to find it by."""
    priority: int | None = None
    """1 to 10; 5 for a new memory."""
    confidence: float | None = None
    """0 to 1; 1 for a new memory."""
    source: str = "api"
    """What kind of thing writes."""
    metadata: Mapping[str, Any] | None = None
    """Anything else, as a JSON object."""
    agent_id: str | None = None
    """Who says it. Checked against the connection; taken from it when absent."""
    scope: Scope | None = None
    """Who may see it; private for a new memory."""
    session: str | None = None
    """The session, thread or document it comes from."""
    happened_at: int | None = None
    """When it happened, if not now."""
    expires_at: int | None = None
    """When its life ends. Wins over ttl_secs and the tier."""
    ttl_secs: int | None = None
    """Its life in seconds. Wins over the tier."""
    on_conflict: OnConflict = OnConflict.UPDATE
    """When the title is taken in the namespace: update that memory, fail with an error, or store
    a new one.
    """
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StoreResponse(Value):
    """What Store answers."""

    id: str = ""
    tier: Tier | None = None
    title: str = ""
    namespace: str = ""
    agent_id: str = ""
    duplicate: bool = False
    """True when a live memory with this title was updated."""
    potential_contradictions: tuple[str, ...] = ()
    """Other memories in the namespace whose titles share words with this one."""
    expires_at: int | None = None
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BulkStoreRequest(Value):
    """What BulkStore is asked."""

    memories: tuple[StoreRequest, ...]
    """The memories, as JSON."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BulkStoreResponse(Value):
    """What BulkStore answers."""

    created: int = 0
    """New memories."""
    updated: int = 0
    """Live memories with the same title that were changed."""
    ids: tuple[str, ...] = ()
    """One id for each memory of the request, in its order."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GetRequest(Value):
    """What Get is asked."""

    id: str
    """The id, or the first characters of it."""
    as_of: int | None = None
    """As it was known at this moment, and its links as they were known then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GetResponse(Value):
    """What Get answers."""

    memory: Memory | None = None
    links: tuple[MemoryLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UpdateRequest(Value):
    """What Update is asked."""

    id: str
    """The id, or the first characters of it."""
    title: str | None = None
    """A short line that says what it is about."""
    content: str | None = None
    """The memory itself."""
    tier: Tier | None = None
    """How long to keep it."""
    namespace: str | None = None
    """Where it belongs."""
    tags: tuple[str, ...] = ()
    """Adds these tags."""
    remove_tags: tuple[str, ...] = ()
    """Removes these tags."""
    replace_tags: bool = False
    """Makes tags the whole set, removing every other."""
    priority: int | None = None
    """1 to 10."""
    confidence: float | None = None
    """0 to 1."""
    expires_at: int | None = None
    """When its life ends."""
    clear_expiry: bool = False
    """Lets it live for ever."""
    metadata: Mapping[str, Any] | None = None
    """Replaces the whole metadata object."""
    scope: Scope | None = None
    """Who may see it."""
    session: str | None = None
    """The session, thread or document it comes from."""
    happened_at: int | None = None
    """When it happened."""
    agent_id: str | None = None
    """Who makes the change. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UpdateResponse(Value):
    """What Update answers."""

    updated: bool = False
    memory: Memory | None = None
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeleteRequest(Value):
    """What Delete is asked."""

    id: str
    """The id, or the first characters of it."""
    agent_id: str | None = None
    """Who deletes. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeleteResponse(Value):
    """What Delete answers."""

    deleted: bool = False
    id: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ListRequest(Value):
    """What List is asked."""

    namespace: str | None = None
    """Only this namespace; with a trailing /* everything below it too."""
    tier: Tier | None = None
    """Only this tier."""
    limit: int = 20
    """At most this many."""
    cursor: str | None = None
    """Where the page before ended."""
    tags: tuple[str, ...] = ()
    """All of these tags."""
    agent_id: str | None = None
    """Said by this agent."""
    min_priority: int | None = None
    """At least this priority."""
    since: int | None = None
    """Stored at this time or later."""
    until: int | None = None
    """Stored at this time or earlier."""
    session: str | None = None
    """From this session, thread or document."""
    as_agent: str | None = None
    """See no more than somebody placed in this namespace would."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ListResponse(Value):
    """What List answers."""

    memories: tuple[Memory, ...] = ()
    count: int = 0
    next_cursor: str = ""
    """Ask again with it for the next page; empty at the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PromoteRequest(Value):
    """What Promote is asked."""

    id: str
    """The id, or the first characters of it."""
    to_namespace: str | None = None
    """Copy it into this ancestor of its namespace instead."""
    agent_id: str | None = None
    """Who promotes. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PromoteResponse(Value):
    """What Promote answers."""

    promoted: bool = False
    mode: str = ""
    '"tier" or "vertical".'
    id: str = ""
    tier: Tier | None = None
    clone_id: str = ""
    """The copy in the ancestor namespace."""
    to_namespace: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ForgetRequest(Value):
    """What Forget is asked."""

    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    pattern: str | None = None
    """Memories that hold any of these words."""
    tier: Tier | None = None
    """Only this tier."""
    dry_run: bool = False
    """Only count what would go."""
    erase: bool = False
    """Erase for good instead of archiving: the text leaves the store, the search index and the
    log.
    """
    agent_id: str | None = None
    """Who forgets. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ForgetResponse(Value):
    """What Forget answers."""

    deleted: int = 0
    archived: bool = False
    """True: they are in the archive until it is purged. False: they are erased."""
    would_delete: int = 0
    dry_run: bool = False
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HistoryRequest(Value):
    """What History is asked."""

    id: str
    """The id, or the first characters of it."""
    limit: int = 100
    """At most this many."""
    cursor: str | None = None
    """Where the page before ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MemoryVersion(Value):
    """One write to a memory."""

    write_id: str = ""
    """The op, as origin:sequence."""
    order: int = 0
    kind: str = ""
    """What kind of op it was."""
    author: str = ""
    """The authenticated principal who wrote it."""
    written_at: int | None = None
    """The writer's clock, for people; order does not depend on it."""
    change: Mapping[str, Any] = field(default_factory=dict)
    """What it set, tagged, untagged and counted, as a JSON object."""
    current: tuple[str, ...] = ()
    """Fields in which this version is what is shown now."""
    conflicting: tuple[str, ...] = ()
    """Fields in which it was written beside another version without having seen it, and neither
    has been resolved.
    """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HistoryResponse(Value):
    """What History answers."""

    id: str = ""
    versions: tuple[MemoryVersion, ...] = ()
    """Newest first."""
    count: int = 0
    next_cursor: str = ""
    """Ask again with it for the next page; empty at the end."""
