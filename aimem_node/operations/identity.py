"""Who is who: whose a memory is, which principals are one person, who may speak as which agent.

A principal is only unique on its node, so "user:ann" of two machines are two until one registered
agent binds both. Whoever registered an agent first keeps it. Two nodes may register one id without
having heard of each other: both records merge into one, in which the first in the order of writes
stands as the holder, on every node alike, and what the other one bound does not count.

To be bound to an agent is to speak as it. To be one person with its holder is more, since whatever
one of them wrote is the other's too: that takes the word of the one who is bound, or an operator's.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aimem_node.store.rows import MemoryRow
from aimem_node.store.view import View
from aimem_sync.display import display
from aimem_sync.dot import Dot
from aimem_sync.state import RecordState

AGENT: Final = "agent"
REGISTERED: Final = "registered"
"""The register that says who registered an agent, and when. Written once by each that did."""
PRINCIPALS: Final = "principals"
"""The register that says who else may speak as it, who bound each of them, and who agreed."""
AGREED: Final = "agreed"
"""Said of whoever was bound by another, and named themselves later."""
_WHOLE: Final = re.compile(r"@[0-9a-f]{32}\Z")
REGISTERS_REMEMBERED: Final = 8
"""States of the register of agents that are kept at hand: a process runs one node, a test few."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One agent, as it is registered."""

    agent_id: str
    agent_type: str
    capabilities: tuple[str, ...]
    registered_us: int
    principals: tuple[str, ...]
    "Who may speak as it, the holder first."
    one_person: tuple[str, ...] = ()
    "Those of them who are one person: the holder, who agreed to it, and whom an operator bound."

    @property
    def holder(self) -> str:
        """Who registered it first."""
        return self.principals[0]


@dataclass(frozen=True, slots=True)
class Person:
    """One person, under all their names."""

    name: str
    "The first of their agents, in alphabetical order."
    principals: frozenset[str]


@dataclass(frozen=True, slots=True)
class Register:
    """All agents, and whose they are."""

    agents: Mapping[str, Registered] = field(default_factory=dict)
    of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    "By principal: the agents that it is bound to, in alphabetical order."
    persons: Mapping[str, Person] = field(default_factory=dict)
    "By principal: who it is together with others. One that holds no agent is only itself."


def owner_of(row: MemoryRow) -> str:
    """The principal whose memory it is: who first wrote it, at the node where that was."""
    return whole(row.author, node_of(row.write_id))


def whole(author: str, node_id: str) -> str:
    """An author as the whole cluster knows them: the principal.

    What was approved is written on the node of the last vote, and names whoever asked in full.
    """
    return author if is_in_full(author) else f"{author}@{node_id}"


def is_in_full(name: str) -> bool:
    """Whether a name says its node, as a principal's does and no agent's may."""
    return _WHOLE.search(name) is not None


def node_of(write_id: str) -> str:
    """The node that wrote an op, by the op's name; empty for what is no name of an op."""
    return write_id.partition(".")[0] if write_id else ""


def principal_of(author: str, dot: Dot) -> str:
    """The principal behind an op."""
    return whole(author, dot.origin.node_id)


def person_of(view: View, principal: str) -> str:
    """The agent that a person is called by; the principal itself if it is bound to none."""
    person = register_of(view).persons.get(principal)
    return principal if person is None else person.name


def same_person(view: View, one: str, other: str) -> bool:
    """Whether two principals are one person, also by way of others."""
    return other in everyone_with(view, one)


def everyone_with(view: View, principal: str) -> frozenset[str]:
    """A principal, and all who are one person with it."""
    person = register_of(view).persons.get(principal)
    return frozenset((principal,)) if person is None else person.principals


def share_an_agent(view: View, one: str, other: str) -> bool:
    """Whether two principals may speak as one agent, whether or not both agreed to be one."""
    of = register_of(view).of
    return not set(of.get(one, ())).isdisjoint(of.get(other, ()))


def registered(view: View, agent_id: str) -> Registered | None:
    """One agent; None if nobody has registered it."""
    state = view.state(f"{AGENT}:{agent_id}")
    return None if state is None else _registered(state)


def registered_to_another(view: View, agent_id: str, principal: str) -> str:
    """Who holds an agent id that this principal is not bound to; empty if it may speak as it."""
    agent = registered(view, agent_id)
    return "" if agent is None or principal in agent.principals else agent.holder


_remembered: OrderedDict[Any, Register] = OrderedDict()


def register_of(view: View) -> Register:
    """All agents. Read anew only when one of their records has changed."""
    marks = view.record_marks(f"{AGENT}:")
    if not marks:
        return Register()
    known = _remembered.get(marks)
    if known is None:
        states = (view.state(record_id) for record_id, _ in marks)
        known = _register(one for state in states if state and (one := _registered(state)))
        _remembered[marks] = known
        while len(_remembered) > REGISTERS_REMEMBERED:
            _remembered.popitem(last=False)
    return known


def _register(agents: Any) -> Register:
    by_id = {one.agent_id: one for one in agents}
    of: dict[str, list[str]] = {}
    for agent_id in sorted(by_id):
        for principal in by_id[agent_id].principals:
            of.setdefault(principal, []).append(agent_id)
    bound = {principal: tuple(mine) for principal, mine in of.items()}
    return Register(by_id, bound, _persons(by_id))


def _persons(agents: Mapping[str, Registered]) -> dict[str, Person]:
    """Who is one person: whoever is it with one of them is it with all."""
    persons: dict[str, Person] = {}
    for agent_id in sorted(agents):
        ours = agents[agent_id].one_person
        known = [persons[principal] for principal in ours if principal in persons]
        name = min((agent_id, *(one.name for one in known)))
        everyone = frozenset(ours).union(*(one.principals for one in known))
        persons |= dict.fromkeys(everyone, Person(name, everyone))
    return persons


def _registered(state: RecordState) -> Registered | None:
    """What a record says. Whatever a later version may write into it, somebody must hold it."""
    first = min(state.heads.get(REGISTERED, ()), key=lambda one: one.order_key, default=None)
    if state.purged or state.type != AGENT or first is None:
        return None
    said = first.value if isinstance(first.value, dict) else {}
    holder = principal_of(first.author, first.dot)
    shown = display(state)
    at_us = said.get("at")
    wishes = bindings(state)
    principals = (holder, *sorted(_bound(wishes, holder) - {holder}))
    return Registered(
        agent_id=state.record_id.removeprefix(f"{AGENT}:"),
        agent_type=str(shown.values.get("agent_type", "")),
        capabilities=shown.tags,
        registered_us=at_us if isinstance(at_us, int) else first.wall_us,
        principals=principals,
        one_person=tuple(one for one in principals if one == holder or is_agreed(wishes[one])),
    )


def _bound(wishes: Mapping[str, Mapping[str, Any]], holder: str) -> set[str]:
    """The holder, and whom one who was bound, or an operator, has bound."""
    bound = {holder}
    while True:
        more = {
            principal
            for principal, said in wishes.items()
            if said.get("by") in bound or said.get("operator") is True
        } - bound
        if not more:
            return bound
        bound |= more


def is_agreed(said: Mapping[str, Any]) -> bool:
    """Whether a binding makes one person of two: nobody becomes another by their own word alone."""
    return said.get("operator") is True or said.get(AGREED) is True


def bindings(state: RecordState | None) -> dict[str, Mapping[str, Any]]:
    """Who is bound, or was to be, as every standing version says it: two who bind at the same time
    both do, and whoever agreed in one version did."""
    heads = () if state is None else state.heads.get(PRINCIPALS, ())
    found: dict[str, Mapping[str, Any]] = {}
    for head in reversed(heads):
        said = head.value if isinstance(head.value, dict) else {}
        for name, one in said.items():
            known = found.get(name)
            if isinstance(one, dict) and (known is None or is_agreed(one) or not is_agreed(known)):
                found[name] = one
    return found
