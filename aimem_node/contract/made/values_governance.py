# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Say who may do what, and where; decide what waits for approval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aimem_node.contract.made.values_nouns import WriteOptions, WriteResult
from aimem_node.contract.value import Value


class Level(StrEnum):
    """Who may do something."""

    ANY = "any"
    """Whoever may write at all."""
    REGISTERED = "registered"
    """Agents that are registered."""
    OWNER = "owner"
    """Whoever wrote the memory; for a new one, whoever set the namespace's standard."""
    APPROVE = "approve"
    """Anyone, once it has been approved."""
    ADMIN = "admin"
    """The operator."""
    DENY = "deny"
    """Nobody."""


class Secrets(StrEnum):
    """What becomes of a write that holds a secret."""

    REFUSE = "refuse"
    """It is refused."""
    REDACT = "redact"
    """The secret is taken out of it, and the rest is kept."""
    ALLOW = "allow"
    """It is kept as it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicyRule(Value):
    """Who may do one thing."""

    action: str
    """An operation (store, kg-invalidate, ...), an effect (write, promote, delete, link, share,
    purge, govern), or * for all.
    """
    level: Level
    approver: str = ""
    """Who approves: "human" (anyone else who may write), "admin", "agent:<id>", or
    "consensus:<n>" of registered agents.
    """
    delegated: bool = False
    """Namespaces below may say otherwise, even something less strict."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Quota(Value):
    """How much may be kept."""

    memories: int | None = None
    """Live memories here and below."""
    memories_per_agent: int | None = None
    """Of those, by one agent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Policy(Value):
    """What is set for one namespace."""

    namespace: str = ""
    '"*" is for everything.'
    rules: tuple[PolicyRule, ...] = ()
    quota: Quota | None = None
    secrets: Secrets | None = None
    pending_secs: int | None = None
    """How long something waits for approval, in seconds."""
    author: str = ""
    """Who set it last."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicySetRequest(Value):
    """What PolicySet is asked."""

    namespace: str
    """The namespace, or "*" for everything."""
    rules: tuple[PolicyRule, ...] = ()
    """Rules to set, as JSON; those of other actions stay."""
    quota: Quota | None = None
    """Quotas to set; a limit that is absent stays."""
    secrets: Secrets | None = None
    pending_secs: int | None = None
    """How long something waits for approval: an hour to a year; seven days when nothing is set."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicySetResponse(Value):
    """What PolicySet answers."""

    policy: Policy | None = None
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicyGetRequest(Value):
    """What PolicyGet is asked."""

    namespace: str | None = None
    """What holds there, from the top down; absent lists all that is set."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicyGetResponse(Value):
    """What PolicyGet answers."""

    policies: tuple[Policy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicyClearRequest(Value):
    """What PolicyClear is asked."""

    namespace: str
    """The namespace, or "*" for everything."""
    actions: tuple[str, ...] = ()
    """Only the rules of these actions, "quota" or "secrets"; all when absent."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicyClearResponse(Value):
    """What PolicyClear answers."""

    cleared: bool = False
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicyExplainRequest(Value):
    """What PolicyExplain is asked."""

    action: str
    """The operation: store, delete, kg-invalidate, ..."""
    namespace: str
    """Where."""
    id: str | None = None
    """To which memory, where the owner matters."""
    agent_id: str | None = None
    """Who; the caller when absent. Only the operator may ask about others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RuleTaken(Value):
    """One rule on the way down the tree, and what it says of the case."""

    namespace: str = ""
    rule: PolicyRule | None = None
    verdict: str = ""
    """allow, deny or pending."""
    reason: str = ""
    counts: bool = False
    """False when a namespace below it said otherwise, as it may."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolicyExplainResponse(Value):
    """What PolicyExplain answers."""

    verdict: str = ""
    """allow, deny or pending."""
    reason: str = ""
    set_at: str = ""
    """The namespace that decides; empty when nothing is set."""
    rules: tuple[RuleTaken, ...] = ()
    """All rules that were met, from the top down."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Approval(Value):
    """A vote on what waits."""

    voter: str = ""
    """Who voted: a registered agent, or a principal and its node."""
    approved_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingAction(Value):
    """Something that waits for approval, or has been decided."""

    id: str = ""
    action_type: str = ""
    """The operation that was asked for: store, delete, ..."""
    memory_id: str = ""
    namespace: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """The request, as a JSON object."""
    requested_by: str = ""
    requested_at: int | None = None
    status: str = ""
    """pending, approved, rejected, cancelled or expired."""
    decided_by: str = ""
    decided_at: int | None = None
    approvals: tuple[Approval, ...] = ()
    expires_at: int | None = None
    asking_rule: str = ""
    """The rule that asks, and where it is set."""
    set_at: str = ""
    approver: str = ""
    """Who may approve it."""
    quorum: int = 0
    """How many votes it takes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingListRequest(Value):
    """What PendingList is asked."""

    status: str | None = None
    """pending, approved, rejected, cancelled or expired; all when absent."""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingListResponse(Value):
    """What PendingList answers."""

    pending: tuple[PendingAction, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingApproveRequest(Value):
    """What PendingApprove is asked."""

    id: str
    """Its id, or the first characters of it."""
    agent_id: str | None = None
    """Who approves. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingApproveResponse(Value):
    """What PendingApprove answers."""

    approved: bool = False
    """False while votes are missing."""
    status: str = ""
    """pending or approved."""
    id: str = ""
    decided_by: str = ""
    executed: bool = False
    """Whether it has been done."""
    memory_id: str = ""
    """The memory that it made or changed."""
    votes: int = 0
    quorum: int = 0
    reason: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingRejectRequest(Value):
    """What PendingReject is asked."""

    id: str
    """Its id, or the first characters of it."""
    agent_id: str | None = None
    """Who rejects. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingRejectResponse(Value):
    """What PendingReject answers."""

    rejected: bool = False
    id: str = ""
    decided_by: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingCancelRequest(Value):
    """What PendingCancel is asked."""

    id: str
    """Its id, or the first characters of it."""
    agent_id: str | None = None
    """Who cancels. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PendingCancelResponse(Value):
    """What PendingCancel answers."""

    cancelled: bool = False
    id: str = ""
    write: WriteResult | None = None
