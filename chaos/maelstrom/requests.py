"""What Maelstrom's workloads ask for, as changes of records and as reads of them.

An element of a set is a record of its own, named after its value: to add it twice, on two nodes, is
to write the same record twice. A sum is two of the core's counters, for these only grow: one for
what was added, one for what was taken away. An id is the name of the op that drew it, which two
nodes can never give alike. So each workload goes through the merge that memories go through.

A read does not say which workload it belongs to, and its answer has another shape in each. Unless
it is told by `--workload`, a node goes by the records that it holds, and refuses to guess.
"""

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from aimem_sync.canon import Json, canonical_json
from aimem_sync.change import Change
from aimem_sync.limits import NUMBER_MAX
from aimem_sync.state import RecordState
from chaos.maelstrom.wire import Message, WireFault

BROADCAST: Final = "broadcast"
SET: Final = "set"
SUM: Final = "sum"
IDS: Final = "ids"
"""Types of records."""

WORKLOADS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "echo": "",
        "unique-ids": IDS,
        "broadcast": BROADCAST,
        "g-set": SET,
        "g-counter": SUM,
        "pn-counter": SUM,
    }
)
"""Maelstrom's names, and the type of record that a read is about."""

WRITES: Final = frozenset({"broadcast", "add", "generate"})

VALUE: Final = "content"
"""The register that holds an element."""


def change_of(request: Message) -> Change:
    """What one of WRITES asks for. Raises WireFault if it does not say."""
    if request.type == "generate":
        return Change(IDS, IDS, count={"drawn": 1})
    if request.type == "broadcast":
        return _put(BROADCAST, _field(request, "message"))
    if "delta" in request.body and "element" not in request.body:
        return _count(request)
    return _put(SET, _field(request, "element"))


def _field(request: Message, name: str) -> Json:
    if name not in request.body:
        why = f'"{request.type}" without "{name}"'
        raise WireFault(why, request.src, request.msg_id)
    found: Json = request.body[name]
    return found


def _put(kind: str, value: Json) -> Change:
    name = sha256(canonical_json(value)).hexdigest()
    return Change(f"{kind}/{name}", kind, set={VALUE: value})


def _count(request: Message) -> Change:
    delta = request.body["delta"]
    if type(delta) is not int or abs(delta) > NUMBER_MAX:
        why = f'"delta" must be a whole number of at most {NUMBER_MAX}, or as much below zero'
        raise WireFault(why, request.src, request.msg_id)
    return Change(SUM, SUM, count={"up": delta} if delta >= 0 else {"down": -delta})


def read_of(states: Mapping[str, RecordState], workload: str) -> dict[str, Any] | None:
    """What a read brings besides its type; None if nothing tells what is read.

    `workload` is one of WORKLOADS, or empty.
    """
    kind = WORKLOADS[workload] if workload else next((s.type for s in states.values()), "")
    if kind == BROADCAST:
        return {"messages": _values(states, kind)}
    if kind == SET:
        return {"value": _values(states, kind)}
    if kind == SUM:
        counters = states[SUM].counters if SUM in states else {}
        up, down = (sum(counters.get(name, {}).values()) for name in ("up", "down"))
        return {"value": up - down}
    return None


def _values(states: Mapping[str, RecordState], kind: str) -> list[Json]:
    return [state.heads[VALUE][0].value for state in states.values() if state.type == kind]
