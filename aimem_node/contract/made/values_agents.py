# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Know the agents, and let them write to each other."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import Tier, WriteOptions, WriteResult
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AgentRegisterRequest(Value):
    """What AgentRegister is asked."""

    agent_id: str
    agent_type: str
    """human, system, or ai:<name>."""
    capabilities: tuple[str, ...] = ()
    """What it can do."""
    principals: tuple[str, ...] = ()
    """Bind another principal too, as name@node: it may speak as this agent. It is the same
    person once an operator bound it, or it names itself here.
    """
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AgentRegisterResponse(Value):
    """What AgentRegister answers."""

    registered: bool = False
    id: str = ""
    agent_id: str = ""
    agent_type: str = ""
    capabilities: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    """Who may speak as it."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Agent(Value):
    """Agent, as it crosses a process boundary."""

    agent_id: str = ""
    agent_type: str = ""
    capabilities: tuple[str, ...] = ()
    registered_at: int | None = None
    last_seen_at: int | None = None
    principals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AgentListRequest(Value):
    """What AgentList is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AgentListResponse(Value):
    """What AgentList answers."""

    count: int = 0
    agents: tuple[Agent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NotifyRequest(Value):
    """What Notify is asked."""

    target_agent_id: str
    title: str
    payload: str
    """What the message says."""
    priority: int = 5
    tier: Tier = Tier.MID
    agent_id: str | None = None
    """Who sends. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NotifyResponse(Value):
    """What Notify answers."""

    id: str = ""
    from_: str = ""
    to: str = ""
    namespace: str = ""
    tier: Tier | None = None
    delivered_at: int | None = None
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class InboxRequest(Value):
    """What Inbox is asked."""

    agent_id: str | None = None
    """Whose; the caller's when absent. Only who may speak as it may read it."""
    unread_only: bool = False
    limit: int = 50
    cursor: str | None = None
    """Where the page before ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Message(Value):
    """Message, as it crosses a process boundary."""

    id: str = ""
    from_: str = ""
    title: str = ""
    payload: str = ""
    priority: int = 0
    tier: Tier | None = None
    created_at: int | None = None
    read: bool = False
    read_at: int | None = None
    access_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class InboxResponse(Value):
    """What Inbox answers."""

    agent_id: str = ""
    namespace: str = ""
    count: int = 0
    unread_only: bool = False
    messages: tuple[Message, ...] = ()
    next_cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class InboxMarkRequest(Value):
    """What InboxMark is asked."""

    ids: tuple[str, ...]
    """Their ids, or the first characters of them."""
    unread: bool = False
    """Mark them unread instead."""
    agent_id: str | None = None
    """Whose inbox; the caller's when absent. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class InboxMarkResponse(Value):
    """What InboxMark answers."""

    marked: int = 0
    """How many changed."""
    write: WriteResult | None = None
