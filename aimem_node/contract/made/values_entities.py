# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Name the people, projects and things that memories speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimem_node.contract.made.values_nouns import Scope, WriteOptions, WriteResult
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Entity(Value):
    """A named thing. It is a memory too, under the same id."""

    entity_id: str = ""
    canonical_name: str = ""
    namespace: str = ""
    aliases: tuple[str, ...] = ()
    """Other names, in alphabetical order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityRegisterRequest(Value):
    """What EntityRegister is asked."""

    canonical_name: str
    namespace: str = "global"
    aliases: tuple[str, ...] = ()
    """Other names for it."""
    metadata: Mapping[str, Any] | None = None
    """Anything else, as a JSON object. Of a known entity, what is given here is added."""
    agent_id: str | None = None
    """Who says so. Checked against the connection."""
    scope: Scope | None = None
    """Who may see it."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityRegisterResponse(Value):
    """What EntityRegister answers."""

    entity_id: str = ""
    canonical_name: str = ""
    namespace: str = ""
    aliases: tuple[str, ...] = ()
    created: bool = False
    """False when it was known."""
    ambiguous_aliases: tuple[str, ...] = ()
    """Aliases that another entity of the namespace has too."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityGetByAliasRequest(Value):
    """What EntityGetByAlias is asked."""

    alias: str
    namespace: str | None = None
    """Only here; anywhere when absent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityGetByAliasResponse(Value):
    """What EntityGetByAlias answers."""

    found: bool = False
    """True when exactly one entity has the name."""
    entity_id: str = ""
    canonical_name: str = ""
    namespace: str = ""
    aliases: tuple[str, ...] = ()
    ambiguous: bool = False
    """True when several have it: candidates lists them, and none is chosen."""
    candidates: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityListRequest(Value):
    """What EntityList is asked."""

    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    limit: int = 50
    cursor: str | None = None
    """Where the page before ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityListResponse(Value):
    """What EntityList answers."""

    entities: tuple[Entity, ...] = ()
    count: int = 0
    next_cursor: str = ""
    """Ask again with it for the next page; empty at the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityMergeRequest(Value):
    """What EntityMerge is asked."""

    into_id: str
    """The entity that stays."""
    from_id: str
    """The entity that goes into it."""
    agent_id: str | None = None
    """Who says so. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntityMergeResponse(Value):
    """What EntityMerge answers."""

    merged: bool = False
    entity: Entity | None = None
    links: int = 0
    """Links that were stated anew for the entity that stays."""
    links_left: int = 0
    """Links that were left where they are, because they hold no longer or are too many for one
    write.
    """
    write: WriteResult | None = None
