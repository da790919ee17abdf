"""(h) What nodes told one another: confirmations stand, epochs are decided once, the evicted hear
nothing.

These look at what members said at the time, not at what is left in the end, so they find faults
that healed by themselves before anybody read the disks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chaos.checker.case import Case
from chaos.checker.check import Check
from chaos.checker.evidence import Ack
from chaos.history import Fault

NODE_ID_CHARS: Final = 32
TURNED_BACK: Final = ("old-backup",)
"""Faults that put an old disk under a node. What it confirms until the others have told it so is
about that disk, and members count none of it twice."""


def acks(case: Case) -> Check:
    """I3: what one node confirmed to another one in one incarnation never goes down."""
    tried = 0
    broken: list[str] = []
    for name, given in case.seen.acks.items():
        spans = _spans(case.seen.faults, name)
        highest: dict[tuple[int, str, str, str], int] = {}
        for ack in given:
            at = (_age(spans, ack), ack.to, ack.origin, ack.incarnation)
            tried += 1
            if ack.seq < highest.get(at, 0):
                broken.append(
                    f"{name} confirmed {case.name_of(f'{ack.origin}:{highest[at]}')} to"
                    f" {ack.to[:8]}, and later only {ack.seq}"
                )
            highest[at] = max(ack.seq, highest.get(at, 0))
    return Check("(h) confirmations stand (I3)", tried, tuple(broken))


def _spans(faults: Sequence[Fault], name: str) -> list[int]:
    """When this node's disk was, and had been, put back to an older one."""
    return [
        one.t_ns
        for one in faults
        if one.fault in TURNED_BACK and one.phase in {"begin", "end"} and name in one.nodes
    ]


def _age(spans: Sequence[int], ack: Ack) -> int:
    """Which of its disks a node spoke of. Between begin and end it may be either: no two are
    compared then."""
    before = sum(at <= ack.t_ns for at in spans)
    return before if before % 2 == 0 else -ack.t_ns


def configs(case: Case) -> Check:
    """I11: one epoch is one list of members, on every node that knows it."""
    known: dict[str, tuple[str, str]] = {}
    tried = 0
    broken: list[str] = []
    for state in case.seen.states.values():
        for epoch, encoded in (state.head.get("configs") or {}).items():
            tried += 1
            first, node = known.setdefault(str(epoch), (encoded, state.name))
            if first != encoded:
                broken.append(f"epoch {epoch} is not the same at {node} and {state.name}")
    return Check("(h) one list of members an epoch (I11)", tried, tuple(broken))


def evictions(case: Case) -> Check:
    """I12: nobody is told anything by a node in whose epoch it does not belong."""
    rosters = _rosters(case)
    tried = 0
    broken: list[str] = []
    for name, told in case.seen.served.items():
        for one in told:
            belong = rosters.get((one.epoch, _is_node_id(one.to)))
            if belong is None:
                continue
            tried += 1
            if one.to not in belong:
                broken.append(
                    f"{name} answered {one.what} to {one.to[:8]} in epoch {one.epoch},"
                    " where it does not belong"
                )
    return Check("(h) the evicted are told nothing (I12)", tried, tuple(broken))


def _is_node_id(name: str) -> bool:
    """Not a fingerprint, which is longer, or in the simulator a word."""
    return len(name) == NODE_ID_CHARS


def _rosters(case: Case) -> dict[tuple[int, bool], frozenset[str]]:
    """Who belongs, by epoch: the fingerprints, and (True) the node ids. Heads tell it of every
    epoch as `rosters`; of the newest the list of members says the ids."""
    found: dict[tuple[int, bool], frozenset[str]] = {}
    newest = case.seen.newest
    if newest.get("members"):
        found[int(newest["epoch"]), True] = frozenset(newest["members"])
    for state in case.seen.states.values():
        for epoch, members in (state.head.get("rosters") or {}).items():
            found[int(epoch), True] = frozenset(members)
            found[int(epoch), False] = frozenset(one for keys in members.values() for one in keys)
    return found
