"""Turn whatever a call raised into a failure that a caller may see.

A `Failure` is an answer. Anything else is a bug of ours: its text may hold content of a
memory, so the caller gets its type only and the log gets the rest.
"""

from aimem_node import logs
from aimem_node.contract.errors import Code, Failure

_log = logs.get("gateways")


def as_failure(fault: Exception, operation: str) -> Failure:
    """The failure to answer with. Logs the fault when it is not one already."""
    if isinstance(fault, Failure):
        return fault
    _log.error("call_broke", operation=operation, fault=type(fault).__name__, exc_info=fault)
    return Failure(
        Code.INTERNAL,
        f"the node made a mistake in {operation} ({type(fault).__name__})",
        next="Look into the node's log, and report it.",
    )
