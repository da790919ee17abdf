"""Hold what a write comes to against the quotas, in the transaction that makes it.

Counted at the end and not at each change, since a write may make room first and fill it then. A
quota that is exceeded already (it was set later, or two nodes filled it at once) refuses only what
would add to it. How many there are is kept by the store beside the memories, so asking is cheap.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.policy import MEMORIES, PER_AGENT, ROOT, Book, downwards
from aimem_node.store.view import View


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a live memory counts."""

    namespace: str
    agent_id: str


def stands_at(view: View, record_id: str) -> Stands | None:
    """Where a memory counts; None if it is not live, or not there."""
    row = view.memory(record_id)
    return None if row is None or row.life != "live" else Stands(row.namespace, row.agent_id)


def check_quotas(view: View, book: Book, before: Mapping[str, Stands | None]) -> None:
    """Raise PERMISSION_DENIED if a write adds to what has reached its limit.

    `before`: how each memory stood that it has touched.
    """
    more: Counter[tuple[str, str]] = Counter()
    for record_id, was in before.items():
        now = stands_at(view, record_id)
        for stands, by in ((was, -1), (now, 1)):
            for level in () if stands is None else downwards(stands.namespace):
                assert stands is not None
                more[level, ""] += by
                more[level, stands.agent_id] += by
    for (level, agent_id), by in more.items():
        said = book.said(view, level) if by > 0 else None
        limit = None if said is None else said.quota.get(PER_AGENT if agent_id else MEMORIES)
        if limit is None:
            continue
        held = view.population("" if level == ROOT else level, agent_id)
        if held > limit:
            raise _exceeded(level, agent_id, limit, held)


def _exceeded(level: str, agent_id: str, limit: int, held: int) -> Failure:
    of_whom = f" by {agent_id}" if agent_id else ""
    return Failure(
        Code.PERMISSION_DENIED,
        f"the quota set at {level} allows {limit} live memories{of_whom}, and there would be"
        f" {held}",
        next="Archive what is not needed any more, or have the operator raise the quota:"
        f" aimem policy set {level} --quota.",
        details={
            "rule": f"quota: {PER_AGENT if agent_id else MEMORIES} {limit}",
            "set_at": level,
            "namespace": level,
            "limit": limit,
            "held": held,
        },
    )
