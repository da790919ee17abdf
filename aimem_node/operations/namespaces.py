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

NAMESPACES_MAX = 10_000


@operation
def namespaces(call: ReadCall, _request: NamespacesRequest) -> NamespacesResponse:
    """The namespaces with live memories, by name."""
    counts = call.view.namespace_counts(call.now_us, limit=NAMESPACES_MAX)
    return NamespacesResponse(
        namespaces=tuple(NamespaceCount(namespace=name, count=n) for name, n in counts)
    )


@operation
def get_taxonomy(call: ReadCall, request: GetTaxonomyRequest) -> GetTaxonomyResponse:
    """The tree of namespaces. What lies deeper than asked still counts in its ancestors."""
    prefix = (request.namespace_prefix or "").strip().rstrip("/")
    counts = call.view.namespace_counts(call.now_us, prefix, request.limit + 1)
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
