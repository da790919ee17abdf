"""Import every module of operations, so that each registers its handlers."""

from aimem_node.operations import (  # noqa: F401
    archive,
    audit,
    cluster,
    copies,
    forgetting,
    joining,
    links,
    memories,
    namespaces,
    recall,
    to_come,
    transfer,
    upkeep,
    verifying,
    waiting,
)  # fmt: skip

to_come.fill()
