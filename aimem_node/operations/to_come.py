"""Operations that are declared and not built yet. This module goes when the last of them is."""

from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.operations import registry


def _refuse(call: Any, _request: Any) -> Any:
    raise Failure(Code.UNIMPLEMENTED, f"{call.operation} is not built yet")


def fill() -> None:
    """Answer what nobody answers."""
    answered = {*registry.HANDLERS, *registry.STREAMERS, *registry.WAITERS, *registry.OFFLINE}
    for name in set(OPERATIONS) - answered:
        registry.HANDLERS[name] = _refuse
