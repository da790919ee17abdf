# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Look after the node: what it holds, what it can do, what leaves it and what comes in."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import (
    Memory,
    MemoryLink,
    NamespaceCount,
    Tier,
    WriteOptions,
    WriteResult,
)
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StatsRequest(Value):
    """What Stats is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TierCount(Value):
    """TierCount, as it crosses a process boundary."""

    tier: Tier | None = None
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StatsResponse(Value):
    """What Stats answers."""

    total: int = 0
    """Live memories, as far as the caller sees them, without messages."""
    by_tier: tuple[TierCount, ...] = ()
    by_namespace: tuple[NamespaceCount, ...] = ()
    expiring_soon: int = 0
    """Live memories whose life ends within an hour."""
    links_count: int = 0
    db_size_bytes: int = 0
    archived: int = 0
    ops: int = 0
    """Ops in the log."""
    conflicts: int = 0
    """Records with versions that stand side by side."""
    embedding: Embedding | None = None
    """Which model gives vectors, and how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Embedding(Value):
    """The model that turns texts into vectors, and how far it is."""

    state: str = ""
    """off, cold (not needed yet), loading, ready, failed or stalled."""
    model: str = ""
    """minilm, onnx:DIR, ollama:MODEL or openai:MODEL."""
    fingerprint: str = ""
    """Names the vectors: nodes with the same exchange them."""
    dimension: int = 0
    vectors: int = 0
    """Memories with a vector."""
    backlog: int = 0
    """Memories without one, or with one of an earlier text or model."""
    lag_s: float = 0.0
    """Seconds for which the first of these has waited."""
    failures: int = 0
    """Texts that could not be embedded so far, and are tried again."""
    why: str = ""
    """Why there are no vectors, or why the last text failed."""
    next: str = ""
    """What to do about it."""
    index: str = ""
    """ready, loading or rebuilding: the index of the vectors."""
    adopted: int = 0
    """Vectors that another node had made."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GcRequest(Value):
    """What Gc is asked."""

    dry_run: bool = False
    """Only count what would be collected."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GcResponse(Value):
    """What Gc answers."""

    collected: int = 0
    dry_run: bool = False
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CapabilitiesRequest(Value):
    """What Capabilities is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CapabilitiesResponse(Value):
    """What Capabilities answers."""

    schema_version: str = ""
    version: str = ""
    tier: str = ""
    """How recall finds: keyword, semantic, or smart with a language model too."""
    features: tuple[str, ...] = ()
    """Named abilities of this node, as it runs now."""
    operations: tuple[str, ...] = ()
    """Every operation it answers."""
    node_id: str = ""
    write_quorum: int = 0
    """How many nodes must hold a write, and how many there are."""
    nodes: int = 0
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HealthRequest(Value):
    """What Health is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HealthResponse(Value):
    """What Health answers."""

    status: str = ""
    '"ok" or "failed".'
    service: str = ""
    version: str = ""
    node_id: str = ""
    reason: str = ""
    """Why it cannot serve."""
    uptime_secs: int = 0
    pid: int = 0
    data_dir: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExportRequest(Value):
    """What Export is asked."""

    namespace: str | None = None
    """Only this namespace; with a trailing /* everything below it too."""
    include_archived: bool = True
    """Archived memories too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExportRecordHeader(Value):
    """ExportRecordHeader, as it crosses a process boundary."""

    format: str = ""
    '"aimem-export"'
    version: int = 0
    node_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExportRecordTrailer(Value):
    """ExportRecordTrailer, as it crosses a process boundary."""

    memories: int = 0
    links: int = 0
    sha256: str = ""
    """SHA-256, in hex, of the canonical JSON of every memory and link line before, each followed
    by a newline.
    """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExportRecord(Value):
    """One line of an export. Exactly one of header, memory, link and trailer is given."""

    header: ExportRecordHeader | None = None
    memory: Memory | None = None
    link: MemoryLink | None = None
    trailer: ExportRecordTrailer | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ImportRequest(Value):
    """What Import is asked."""

    memories: tuple[Memory, ...] = ()
    """The memories, as JSON."""
    links: tuple[MemoryLink, ...] = ()
    """The links, as JSON."""
    trust_source: bool = False
    """Keep the agent ids of the records. They are still checked against the connection."""
    agent_id: str | None = None
    """Who imports. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ImportResponse(Value):
    """What Import answers."""

    imported: int = 0
    """Records that are new here."""
    unchanged: int = 0
    """Records that were here with the same content."""
    updated: int = 0
    """Records that were here and have been changed to what was imported."""
    restamped: int = 0
    """Records whose agent id was replaced by the importer's."""
    links: int = 0
    """Links that were imported."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EventsRequest(Value):
    """What Events is asked."""

    after: str | None = None
    """The token of the last event that was seen, on this node, before or after a restart of it;
    from now on when absent; "start" for the beginning.
    """
    namespace: str | None = None
    """Only this namespace; with a trailing /* everything below it too."""
    limit: int | None = None
    """End after this many events; go on for ever when absent."""
    events: str | None = None
    """Names of events, joined by commas; all when absent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Event(Value):
    """One thing that happened."""

    token: str = ""
    """Ask this node again after this token to go on. It is of no use to another node."""
    event: str = ""
    """memory_stored, message_sent, link_invalidated, policy_set, record_purged, ..."""
    id: str = ""
    namespace: str = ""
    author: str = ""
    happened_at: int | None = None
    agent_id: str = ""
    """Who spoke, where what was written says so."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SyncSinceRequest(Value):
    """What SyncSince is asked."""

    since: int | None = None
    """Changed after this moment; from the beginning when absent."""
    limit: int = 500
    cursor: str | None = None
    """Where the page before ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SyncSinceResponse(Value):
    """What SyncSince answers."""

    memories: tuple[Memory, ...] = ()
    count: int = 0
    next_cursor: str = ""
    """Ask again with it for the next page; empty at the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SyncPushRequest(Value):
    """What SyncPush is asked."""

    memories: tuple[Memory, ...] = ()
    """The memories, as JSON."""
    links: tuple[MemoryLink, ...] = ()
    """The links, as JSON."""
    deletions: tuple[str, ...] = ()
    """Ids of memories that were deleted there."""
    dry_run: bool = False
    """Only count what would change."""
    agent_id: str | None = None
    """Who pushes. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SyncPushResponse(Value):
    """What SyncPush answers."""

    applied: int = 0
    """Memories that were new or changed."""
    noop: int = 0
    """Memories that were here already."""
    deleted: int = 0
    links_applied: int = 0
    dry_run: bool = False
    write: WriteResult | None = None
