# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""State how memories belong together."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import MemoryLink, Relation, WriteOptions, WriteResult
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LinkRequest(Value):
    """What Link is asked."""

    source_id: str
    """The memory that says it (its id or the first characters of it)."""
    target_id: str
    """The memory it is said about."""
    relation: Relation = Relation.RELATED_TO
    """What the one says about the other."""
    valid_from: int | None = None
    """From when on it holds; now when absent."""
    valid_until: int | None = None
    """Until when it holds."""
    agent_id: str | None = None
    """Who says so. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LinkResponse(Value):
    """What Link answers."""

    linked: bool = False
    """False when the same link was already there and holds."""
    id: str = ""
    source_id: str = ""
    target_id: str = ""
    relation: Relation | None = None
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnlinkRequest(Value):
    """What Unlink is asked."""

    source_id: str
    """The memory that says it."""
    target_id: str
    """The memory it is said about."""
    relation: Relation | None = None
    """Only this relation; all of them when absent."""
    agent_id: str | None = None
    """Who removes it. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnlinkResponse(Value):
    """What Unlink answers."""

    deleted: bool = False
    count: int = 0
    """How many links were removed."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GetLinksRequest(Value):
    """What GetLinks is asked."""

    id: str
    """The id, or the first characters of it."""
    limit: int = 200
    """At most this many from it and as many to it: those that began to hold last."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GetLinksResponse(Value):
    """What GetLinks answers."""

    links: tuple[MemoryLink, ...] = ()
    count: int = 0
    truncated: bool = False
    """True when there are more than the limit, from it or to it."""
