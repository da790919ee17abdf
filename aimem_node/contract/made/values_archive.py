# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""What is no longer live, and how to bring it back."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import Memory, NamespaceCount, WriteOptions, WriteResult
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveRequest(Value):
    """What Archive is asked."""

    ids: tuple[str, ...]
    """Their ids, or the first characters of them."""
    reason: str = "archive"
    """Why, to be kept with it."""
    agent_id: str | None = None
    """Who archives. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveResponse(Value):
    """What Archive answers."""

    archived: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Ids that name no live memory."""
    count: int = 0
    reason: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveListRequest(Value):
    """What ArchiveList is asked."""

    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    limit: int = 50
    """At most this many."""
    cursor: str | None = None
    """Where the page before ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveListResponse(Value):
    """What ArchiveList answers."""

    archived: tuple[Memory, ...] = ()
    count: int = 0
    next_cursor: str = ""
    """Ask again with it for the next page; empty at the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveRestoreRequest(Value):
    """What ArchiveRestore is asked."""

    id: str
    """The id, or the first characters of it."""
    agent_id: str | None = None
    """Who restores. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveRestoreResponse(Value):
    """What ArchiveRestore answers."""

    restored: bool = False
    id: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchivePurgeRequest(Value):
    """What ArchivePurge is asked."""

    older_than_days: int | None = None
    """Only what was archived or deleted longer ago; everything when absent."""
    dry_run: bool = False
    """Only count what would go."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchivePurgeResponse(Value):
    """What ArchivePurge answers."""

    purged: int = 0
    dry_run: bool = False
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveStatsRequest(Value):
    """What ArchiveStats is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ArchiveStatsResponse(Value):
    """What ArchiveStats answers."""

    archived_total: int = 0
    by_namespace: tuple[NamespaceCount, ...] = ()
