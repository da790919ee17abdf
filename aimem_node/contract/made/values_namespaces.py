# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""See how memories are arranged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimem_node.contract.made.values_nouns import (
    NamespaceCount,
    Standard,
    WriteOptions,
    WriteResult,
)
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Copies(Value):
    """Where copies of a namespace are kept. What is not set is inherited from the namespace
    above.
    """

    namespace: str = ""
    w: int | None = None
    """Nodes that must hold a write there for it to be committed; absent means a majority."""
    holders: tuple[str, ...] = ()
    """Node ids that may hold it; empty means every member."""
    set_at: str = ""
    """The namespace that says so, which may be one further up; empty if nothing is set."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SetNamespaceCopiesRequest(Value):
    """What SetNamespaceCopies is asked."""

    namespace: str
    w: int | None = None
    """Nodes that must hold a write there; 0 takes the setting away."""
    holders: tuple[str, ...] = ()
    """Node ids or names that may hold it; "none" keeps it on this node, "all" takes the setting
    away.
    """
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SetNamespaceCopiesResponse(Value):
    """What SetNamespaceCopies answers."""

    copies: Copies | None = None
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceCopiesRequest(Value):
    """What NamespaceCopies is asked."""

    namespace: str | None = None
    """What holds there; absent lists all that is set."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceCopiesResponse(Value):
    """What NamespaceCopies answers."""

    copies: tuple[Copies, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespacesRequest(Value):
    """What Namespaces is asked."""

    namespace: str | None = None
    """Show the standard of this namespace too."""
    inherit: bool = False
    """All standards that hold there, the general first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespacesResponse(Value):
    """What Namespaces answers."""

    namespaces: tuple[NamespaceCount, ...] = ()
    standard: NamespaceGetStandardResponse | None = None
    """Only when a namespace was named."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceSetStandardRequest(Value):
    """What NamespaceSetStandard is asked."""

    namespace: str
    """The namespace, or "*" for everything."""
    id: str | None = None
    """The memory. Absent: a new one is made for it, with content."""
    parent: str | None = None
    """Inherit from this namespace, which need not lie above."""
    content: str | None = None
    """What the new memory says, when no id is given."""
    governance: Mapping[str, Any] | None = None
    """Policy of the namespace, as a JSON object: {"write": "any|registered|owner|approve",
    "promote": ..., "delete": ..., "approver": "human|agent:<id>|consensus:<n>"}. The same as
    policy-set.
    """
    agent_id: str | None = None
    """Who sets it. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceSetStandardResponse(Value):
    """What NamespaceSetStandard answers."""

    set: bool = False
    namespace: str = ""
    standard_id: str = ""
    parent: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceGetStandardRequest(Value):
    """What NamespaceGetStandard is asked."""

    namespace: str
    """The namespace, or "*" for everything."""
    inherit: bool = False
    """All that hold there, the general first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceGetStandardResponse(Value):
    """What NamespaceGetStandard answers."""

    namespace: str = ""
    standard: Standard | None = None
    """Its own; absent when it has none."""
    chain: tuple[str, ...] = ()
    """With inherit: the namespaces that were asked, the general first."""
    standards: tuple[Standard, ...] = ()
    """With inherit: those of them that have a standard."""
    count: int = 0
    warning: str = ""
    """What was set but cannot be shown: its memory is gone, or not for the caller to see."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceClearStandardRequest(Value):
    """What NamespaceClearStandard is asked."""

    namespace: str
    """The namespace, or "*" for everything."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamespaceClearStandardResponse(Value):
    """What NamespaceClearStandard answers."""

    cleared: bool = False
    namespace: str = ""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GetTaxonomyRequest(Value):
    """What GetTaxonomy is asked."""

    namespace_prefix: str | None = None
    """Only below this one."""
    depth: int = 8
    """Levels below the prefix."""
    limit: int = 1000
    """Namespaces to walk."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TaxonomyNode(Value):
    """TaxonomyNode, as it crosses a process boundary."""

    namespace: str = ""
    name: str = ""
    """The last segment."""
    count: int = 0
    """Memories in exactly this namespace."""
    subtree_count: int = 0
    """Memories in it and below it, however deep."""
    children: tuple[TaxonomyNode, ...] = ()
    """In alphabetical order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GetTaxonomyResponse(Value):
    """What GetTaxonomy answers."""

    tree: TaxonomyNode | None = None
    total_count: int = 0
    truncated: bool = False
    """Some namespaces were not walked because of the limit."""
