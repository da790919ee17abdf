# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Ask what was known of how memories belong together, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aimem_node.contract.made.values_nouns import Relation, WriteOptions, WriteResult
from aimem_node.contract.value import Value


class Direction(StrEnum):
    """Which way links are followed."""

    OUT = "out"
    """From source to target."""
    IN = "in"
    """From target to source."""
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgQueryRequest(Value):
    """What KgQuery is asked."""

    source_id: str
    """Where to begin (its id or the first characters of it)."""
    max_depth: int = 1
    """Steps from there."""
    valid_at: int | None = None
    """Only links that held at this moment; absent means now, or the moment of as_of where that
    is earlier.
    """
    as_of: int | None = None
    """As it was known at this moment, whatever has been learned since."""
    allowed_agents: tuple[str, ...] = ()
    """Only links that one of these agents stated; absent means anyone."""
    limit: int = 200
    """At most this many memories."""
    direction: Direction = Direction.OUT
    """Which way to follow links."""
    relations: tuple[Relation, ...] = ()
    """Only these relations; absent means all."""
    include_invalid: bool = False
    """Also links that hold no longer, or not yet."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgNode(Value):
    """One memory that was reached, with the last link of the way to it."""

    target_id: str = ""
    """The memory that was reached."""
    source_id: str = ""
    """The memory one step before it."""
    link_id: str = ""
    relation: Relation | None = None
    valid_from: int | None = None
    valid_until: int | None = None
    observed_at: int | None = None
    """When the link became known."""
    observed_by: str = ""
    title: str = ""
    target_namespace: str = ""
    depth: int = 0
    """Steps from the beginning."""
    path: str = ""
    """Ids from the beginning to here, joined by "->"."""
    direction: Direction | None = None
    """Which way the last link runs: out is said by source_id about target_id, in the other way
    round.
    """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgQueryResponse(Value):
    """What KgQuery answers."""

    source_id: str = ""
    max_depth: int = 0
    memories: tuple[KgNode, ...] = ()
    paths: tuple[str, ...] = ()
    """The path of each of them."""
    count: int = 0
    truncated: bool = False
    """True when links were left unfollowed, for the limit or for the bound on the work."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgTimelineRequest(Value):
    """What KgTimeline is asked."""

    source_id: str
    """The memory whose links are shown (its id or the first characters of it)."""
    since: int | None = None
    """That began to hold then or later."""
    until: int | None = None
    """That began to hold then or earlier."""
    limit: int = 200
    """At most this many."""
    as_of: int | None = None
    """As it was known at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgEvent(Value):
    """KgEvent, as it crosses a process boundary."""

    target_id: str = ""
    link_id: str = ""
    relation: Relation | None = None
    valid_from: int | None = None
    valid_until: int | None = None
    observed_at: int | None = None
    observed_by: str = ""
    title: str = ""
    target_namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgTimelineResponse(Value):
    """What KgTimeline answers."""

    source_id: str = ""
    events: tuple[KgEvent, ...] = ()
    count: int = 0
    truncated: bool = False
    """True when there is more than the limit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgInvalidateRequest(Value):
    """What KgInvalidate is asked."""

    source_id: str
    """The memory that says it."""
    target_id: str
    """The memory it is said about."""
    relation: Relation
    """The relation that ends."""
    valid_until: int | None = None
    """From when on it holds no longer; now when absent. Not before it began."""
    agent_id: str | None = None
    """Who says so. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KgInvalidateResponse(Value):
    """What KgInvalidate answers."""

    found: bool = False
    """False when there is no such link; then nothing was written."""
    id: str = ""
    source_id: str = ""
    target_id: str = ""
    relation: Relation | None = None
    valid_until: int | None = None
    previous_valid_until: int | None = None
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SupersedeRequest(Value):
    """What Supersede is asked."""

    winner_id: str
    """The memory that holds from now on."""
    loser_id: str
    """The memory that it takes the place of."""
    at: int | None = None
    """From when on; now when absent."""
    keep: bool = False
    """Leave the loser live instead of archiving it."""
    agent_id: str | None = None
    """Who says so. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SupersedeResponse(Value):
    """What Supersede answers."""

    superseded: bool = False
    winner_id: str = ""
    loser_id: str = ""
    link_id: str = ""
    archived: bool = False
    write: WriteResult | None = None
