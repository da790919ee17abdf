"""Import every module of operations, so that each registers its handlers."""

from aimem_node.operations import (  # noqa: F401
    agents,
    archive,
    audit,
    cluster,
    copies,
    entities,
    forgetting,
    governance,
    graph,
    joining,
    links,
    memories,
    merging,
    messages,
    namespaces,
    pending,
    recall,
    standards,
    subscriptions,
    syncing,
    to_come,
    transfer,
    upkeep,
    verifying,
    waiting,
)  # fmt: skip

to_come.fill()
