"""See how memories are arranged."""

from aimem_node.contract.values import (
    GetTaxonomyRequest,
    GetTaxonomyResponse,
    NamespaceCount,
    NamespacesRequest,
    NamespacesResponse,
    TaxonomyNode,
)  # fmt: skip
from aimem_node.operations.call import ReadCall
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import place_filter, wanted
from aimem_node.operations.standards import standard_of
from aimem_node.store.listing import Filter

NAMESPACES_MAX = 10_000


@operation
def namespaces(call: ReadCall, request: NamespacesRequest) -> NamespacesResponse:
    """The namespaces with live memories, by name; and what is set for one of them."""
    counts = call.view.namespace_counts(wanted(call, place_filter(None)), NAMESPACES_MAX)
    return NamespacesResponse(
        namespaces=tuple(NamespaceCount(namespace=name, count=n) for name, n in counts),
        standard=(
            standard_of(call, request.namespace, inherit=bool(request.inherit))
            if request.namespace
            else None
        ),
    )


@operation
def get_taxonomy(call: ReadCall, request: GetTaxonomyRequest) -> GetTaxonomyResponse:
    """The tree of namespaces. What lies deeper than asked still counts in its ancestors."""
    prefix = (request.namespace_prefix or "").strip().rstrip("/")
    place = Filter(below=prefix) if prefix else place_filter(None)
    counts = call.view.namespace_counts(wanted(call, place), request.limit + 1)
    walked = counts[: request.limit]
    exact, subtree, names = _roll_up(walked, prefix, request.depth)
    return GetTaxonomyResponse(
        tree=_node(prefix, exact, subtree, names),
        total_count=sum(n for _, n in walked),
        truncated=len(counts) > request.limit,
    )


def _roll_up(
    counts: list[tuple[str, int]], prefix: str, depth: int
) -> tuple[dict[str, int], dict[str, int], dict[str, set[str]]]:
    """Per node in view: own count, count of the subtree, and children."""
    exact: dict[str, int] = {}
    subtree: dict[str, int] = {prefix: 0}
    children: dict[str, set[str]] = {}
    for name, count in counts:
        exact[name] = count
        subtree[prefix] = subtree.get(prefix, 0) + count
        rest = name[len(prefix) :].strip("/") if prefix else name
        node = prefix
        for segment in rest.split("/")[:depth] if rest else ():
            child = f"{node}/{segment}" if node else segment
            children.setdefault(node, set()).add(child)
            subtree[child] = subtree.get(child, 0) + count
            node = child
    return exact, subtree, children


def _node(
    name: str, exact: dict[str, int], subtree: dict[str, int], children: dict[str, set[str]]
) -> TaxonomyNode:
    return TaxonomyNode(
        namespace=name,
        name=name.rpartition("/")[2],
        count=exact.get(name, 0),
        subtree_count=subtree.get(name, 0),
        children=tuple(
            _node(child, exact, subtree, children) for child in sorted(children.get(name, ()))
        ),
    )
