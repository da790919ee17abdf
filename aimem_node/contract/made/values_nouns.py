# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""The nouns: what the operations speak about. Each is defined here once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aimem_node.contract.value import Value


class Tier(StrEnum):
    """How long a memory is kept."""

    SHORT = "short"
    """Six hours, unless it is recalled."""
    MID = "mid"
    """Seven days, unless it is recalled."""
    LONG = "long"
    """For ever."""


class Scope(StrEnum):
    """Who may see a memory."""

    PRIVATE = "private"
    TEAM = "team"
    UNIT = "unit"
    ORG = "org"
    COLLECTIVE = "collective"


class Relation(StrEnum):
    """What one memory says about another."""

    RELATED_TO = "related_to"
    SUPERSEDES = "supersedes"
    CONTRADICTS = "contradicts"
    DERIVED_FROM = "derived_from"


class Life(StrEnum):
    """Where a record stands in its life."""

    LIVE = "live"
    ARCHIVED = "archived"
    DELETED = "deleted"


class Outcome(StrEnum):
    """How the answer to a write stands."""

    COMMITTED = "committed"
    """On the disks of as many nodes as were asked for."""
    PENDING = "pending"
    """On at least this node's disk; more will follow."""
    AWAITING_APPROVAL = "awaiting_approval"
    """Nothing was done yet: it waits until somebody approves it. That it waits is on disk."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Memory(Value):
    """Something worth remembering."""

    id: str = ""
    """Names the memory for ever, on every node."""
    tier: Tier = Tier.MID
    namespace: str = "global"
    title: str = ""
    content: str = ""
    tags: tuple[str, ...] = ()
    priority: int = 5
    """1 (least) to 10 (most)."""
    confidence: float = 1.0
    """0 to 1."""
    source: str = ""
    """What kind of thing wrote it: user, claude, api, cli, import, ..."""
    access_count: int = 0
    """How often it was recalled."""
    created_at: int | None = None
    """When it was stored."""
    updated_at: int | None = None
    """When it was last changed."""
    last_accessed_at: int | None = None
    """When it was last recalled."""
    expires_at: int | None = None
    """When its life ends; absent means never."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else, as a JSON object."""
    agent_id: str = ""
    """Who said it, as claimed by the writer and checked against the writer's connection."""
    author: str = ""
    """The authenticated principal who first wrote it."""
    session: str = ""
    """The session, thread or document it came from."""
    happened_at: int | None = None
    """When it happened, if that was not when it was stored."""
    scope: Scope = Scope.PRIVATE
    """Who may see it."""
    life: Life = Life.LIVE
    archived_at: int | None = None
    """When it was archived."""
    archive_reason: str = ""
    """Why it was archived."""
    order: int = 0
    """Its place in the order of writes: larger is later, on every node."""
    write_id: str = ""
    """The op that first wrote it, as origin:sequence."""
    conflicts: int = 0
    """How many other versions of it stand beside this one, unresolved. History shows them."""
    score: float | None = None
    """How well it matched, when it was searched for."""
    pending: bool = False
    """True while it is not known that enough nodes hold its newest change on disk."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MemoryLink(Value):
    """A fact that one memory states about another, with the time for which it holds."""

    id: str = ""
    source_id: str = ""
    target_id: str = ""
    relation: Relation = Relation.RELATED_TO
    created_at: int | None = None
    """When the link was stored."""
    valid_from: int | None = None
    """From when on it holds."""
    valid_until: int | None = None
    """Until when it holds; absent means it still does."""
    observed_by: str = ""
    """Who said so."""
    observed_at: int | None = None
    """When it was learned, which is not when it began to hold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WriteOptions(Value):
    """How a write is to be done. Every write takes it."""

    request_key: str = ""
    """Names this request. Sending it again with the same key does nothing new and gives the
    first answer.
    """
    w: int | None = None
    """On how many nodes' disks it must be to be committed; absent means as the namespace asks,
    and if that asks for nothing, a majority of the voters.
    """
    deadline_ms: int | None = None
    """How long to wait for them. After that the answer is pending."""
    allow_pending: bool | None = None
    """Write even when too few nodes are in reach. Over MCP the default is true, elsewhere false."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WriteResult(Value):
    """What became of a write. Every write returns it."""

    outcome: Outcome | None = None
    write_ids: tuple[str, ...] = ()
    """The ops it appended, as origin:sequence. Empty when nothing had to change."""
    acks: int = 0
    """Nodes that hold it on disk, this one included."""
    needed: int = 0
    """Nodes that must hold it for it to be committed."""
    replayed: bool = False
    """True when the request key had been seen, and this is the first answer again."""
    token: str = ""
    """Give it to a read on any node, and the read sees this write."""
    reason: str = ""
    """Why it is still pending."""
    peers: tuple[PeerStatus, ...] = ()
    """Each other node, and whether it holds the write. Only when it is pending."""
    awaiting: Awaiting | None = None
    """What was put before the approvers instead of being done."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Awaiting(Value):
    """What waits for approval."""

    pending_id: str = ""
    action: str = ""
    """The operation."""
    namespace: str = ""
    reason: str = ""
    rule: str = ""
    """The rule that asks, and where it is set."""
    set_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PeerStatus(Value):
    """How one other node stands to a write."""

    node_id: str = ""
    name: str = ""
    state: str = ""
    """holds, behind, unreachable, refused, or learner."""
    reason: str = ""
    """Why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Standard(Value):
    """The standard of one namespace: what everyone who works there should know."""

    namespace: str = ""
    '"*" is for everything.'
    standard_id: str = ""
    title: str = ""
    content: str = ""
    priority: int = 0
    parent: str = ""
    """Its parent, where that is not the namespace above it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceCount(Value):
    """How many memories a namespace holds."""

    namespace: str = ""
    count: int = 0
