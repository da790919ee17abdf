"""How to reach a node: the same questions in process, over gRPC and, bare, over HTTP.

Importing this package costs nothing, since the command line does it before every call: the
names below are looked up when they are first used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aimem_node.client.reaching import Client, connect

__all__ = ["Client", "connect"]


def __getattr__(name: str) -> object:
    """Import what is asked for, and not before."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aimem_node.client import reaching

    return getattr(reaching, name)
