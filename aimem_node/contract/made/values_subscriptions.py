# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Be told of what happens, by HTTP calls to a receiver of one's own."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import WriteOptions, WriteResult
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SubscribeRequest(Value):
    """What Subscribe is asked."""

    url: str
    """https://..., at a public address or at one that the operator allows."""
    events: str = "*"
    """Names of events, joined by commas; * is all."""
    secret: str | None = None
    """Signs every delivery. Made and returned once when absent."""
    namespace_filter: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    agent_filter: str | None = None
    """Only what this agent did."""
    agent_id: str | None = None
    """Who subscribes. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SubscribeResponse(Value):
    """What Subscribe answers."""

    id: str = ""
    url: str = ""
    events: str = ""
    namespace_filter: str = ""
    agent_filter: str = ""
    created_by: str = ""
    secret: str = ""
    """The secret that was made, told this once; empty when one was given."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnsubscribeRequest(Value):
    """What Unsubscribe is asked."""

    id: str
    """Its id, or the first characters of it."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnsubscribeResponse(Value):
    """What Unsubscribe answers."""

    id: str = ""
    removed: bool = False
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ListSubscriptionsRequest(Value):
    """What ListSubscriptions is asked."""

    agent_id: str | None = None
    """Of this agent only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Subscription(Value):
    """Subscription, as it crosses a process boundary."""

    id: str = ""
    url: str = ""
    events: str = ""
    namespace_filter: str = ""
    agent_filter: str = ""
    created_by: str = ""
    created_at: int | None = None
    dispatch_count: int = 0
    """Deliveries that were taken, as far as this node knows."""
    failure_count: int = 0
    """Attempts that failed, as far as this node knows."""
    last_dispatched_at: int | None = None
    deliverer: str = ""
    """The node that delivers now."""
    state: str = ""
    """waiting, delivering, retrying, stopped, or blocked; and why."""
    reason: str = ""
    dead: int = 0
    """Deliveries given up."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ListSubscriptionsResponse(Value):
    """What ListSubscriptions answers."""

    count: int = 0
    subscriptions: tuple[Subscription, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeadLettersRequest(Value):
    """What DeadLetters is asked."""

    id: str | None = None
    """Of this subscription only: its id, or the first characters of it."""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeadLetter(Value):
    """DeadLetter, as it crosses a process boundary."""

    id: str = ""
    subscription_id: str = ""
    event: str = ""
    memory_id: str = ""
    given_up_at: int | None = None
    attempts: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeadLettersResponse(Value):
    """What DeadLetters answers."""

    deliveries: tuple[DeadLetter, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReplayRequest(Value):
    """What Replay is asked."""

    id: str
    """The subscription."""
    since: int | None = None
    """Everything since then; only what was given up when absent."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReplayResponse(Value):
    """What Replay answers."""

    id: str = ""
    replayed: int = 0
    """Given-up deliveries that are tried again."""
    write: WriteResult | None = None
