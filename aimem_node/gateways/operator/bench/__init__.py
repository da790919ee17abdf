"""`aimem-node bench`: measure the goals of docs/PERFORMANCE.md on this machine.

Everything goes through the ways in that users have, against real nodes in directories of their
own. An existing store is never touched, not even to read it.
"""

from aimem_node.gateways.operator.bench.runner import Options, arguments, main, run

__all__ = ["Options", "arguments", "main", "run"]
