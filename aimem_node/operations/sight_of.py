"""What a caller sees, found out once for each call; and which namespaces nobody writes to by hand.

Everything that reads memories for somebody goes by this: `found` and `wanted` in shapes do so by
themselves. A caller without a place is bounded in nothing but other people's messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.formats import RESERVED_AGENTS
from aimem_node.operations.identity import everyone_with, register_of
from aimem_node.store.rows import MemoryRow
from aimem_node.store.sight import MESSAGES, Inboxes, Sight, lies_below
from aimem_node.store.view import View

if TYPE_CHECKING:
    from aimem_node.operations.call import ReadCall, StreamCall

_SIGHT = "sight"


def sight_of(call: ReadCall) -> Sight | None:
    """What the caller sees; None: everything."""
    if _SIGHT not in call.found_out:
        call.found_out[_SIGHT] = sight_in(call.view, call)
    sight: Sight | None = call.found_out[_SIGHT]
    return sight


def sight_in(view: View, call: ReadCall | StreamCall) -> Sight | None:
    """The same for a stream, which is answered from one view after another."""
    return sight_for(
        view, call.principal, place=call.place, pattern=call.agent_pattern, operator=call.operator
    )


def sight_for(
    view: View, principal: str, *, place: str, pattern: str = "", operator: bool = False
) -> Sight | None:
    """What a principal sees that stands there; None: everything.

    Whoever is not there to be asked, as the owner of a subscription, has the inboxes of its own
    name and of the agents that it is bound to, and no pattern.
    """
    if operator and not place:
        return None
    own = everyone_with(view, principal)
    inboxes = None if operator else _inboxes(view, principal, pattern)
    return Sight(place=place, own=tuple(sorted(own)), inboxes=inboxes)


def _inboxes(view: View, principal: str, pattern: str) -> Inboxes:
    register = register_of(view)
    bound = register.of.get(principal, ())
    return Inboxes(
        names=tuple(inbox_name(agent) for agent in (principal.rpartition("@")[0], *bound)),
        pattern=inbox_name(pattern),
        taken=tuple(inbox_name(agent) for agent in register.agents if agent not in bound),
        reserved=tuple(sorted(RESERVED_AGENTS)),
    )


def inbox_name(agent_id: str) -> str:
    """What an agent's inbox is called: one segment, in which ~ stands for a slash."""
    return agent_id.replace("/", "~")


def inbox_of(agent_id: str) -> str:
    """The namespace of an agent's messages."""
    return f"{MESSAGES}/{inbox_name(agent_id)}"


def narrowed(call: ReadCall, as_agent: str | None) -> Sight | None:
    """What the caller sees, and no more than someone would who stands at `as_agent`."""
    sight = sight_of(call)
    if not as_agent:
        return sight
    return (sight or Sight()).narrowed(as_agent)


def sees(call: ReadCall, row: MemoryRow) -> bool:
    """Whether the caller sees a memory."""
    sight = sight_of(call)
    return sight is None or sight.sees(row)


def concerns(place: str, namespace: str) -> bool:
    """Whether whoever stands at a place may be told, unasked, that something is set for a
    namespace: to others its name says too much."""
    return not place or namespace == "*" or lies_below(namespace, place.partition("/")[0])


def refuse_reserved(namespace: str, path: str = "$.namespace") -> None:
    """Raise PERMISSION_DENIED for a namespace that is written only by operations of its own."""
    if not namespace.startswith("_"):
        return
    step = "Choose a name that begins with something else."
    if namespace.split("/", 1)[0] == MESSAGES:
        step = "Send a message with notify."
    elif namespace == "_agents":
        step = "Register an agent with agent-register."
    raise Failure(
        Code.PERMISSION_DENIED,
        f"{namespace!r} cannot be written by hand: names that begin with _ are the node's own",
        path=path,
        next=step,
    )
