"""Import every module of operations, so that each registers its handlers."""

from aimem_node.operations import (  # noqa: F401
    archive,
    forgetting,
    links,
    memories,
    namespaces,
    recall,
    transfer,
    upkeep,
)  # fmt: skip
