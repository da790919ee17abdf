# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""See how memories are arranged."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import NamespaceCount


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespacesRequest:
    """What Namespaces is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespacesResponse:
    """What Namespaces answers."""

    namespaces: tuple[NamespaceCount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTaxonomyRequest:
    """What GetTaxonomy is asked."""

    namespace_prefix: str | None = None
    """Only below this one."""
    depth: int = 8
    """Levels below the prefix."""
    limit: int = 1000
    """Namespaces to walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyNode:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTaxonomyResponse:
    """What GetTaxonomy answers."""

    tree: TaxonomyNode | None = None
    total_count: int = 0
    truncated: bool = False
    """Some namespaces were not walked because of the limit."""
