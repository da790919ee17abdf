"""(h) What nodes told one another: confirmations stand, epochs are decided once, the evicted hear
nothing.

These look at what members said at the time, not at what is left in the end, so they find faults
that healed by themselves before anybody read the disks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import inf
from typing import Final

from chaos.checker.case import Case
from chaos.checker.check import Check
from chaos.checker.evidence import Ack
from chaos.history import Fault

NODE_ID_CHARS: Final = 32
OTHER_VERSION: Final = "upgrade"
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


def confirmed(case: Case) -> Check:
    """I4: whoever was told that a write is done was told so when W members had it on disk.

    Held by: the node whose log it is in, the node that answered, and every node that had confirmed
    that far to anybody. A confirmation is written down before it is sent, so none is missed; but
    builds of another version write none down, and are believed until they do. The simulator has an
    oracle of its own for this, which sees every disk.
    """
    said = _confirmations(case)
    mute = _mute_until(case)
    tried, broken = 0, []
    judged = any(said.values()) and not case.seen.is_simulated
    for deed in case.deeds if judged else ():
        for told in deed.oks:
            if not told.write_ids or not told.w or told.w < 2:
                continue
            for dot in told.write_ids:
                origin, _, seq = dot.rpartition(":")
                tried += 1
                holders = {case.name_of(dot).partition(".")[0], told.node}
                holders |= {
                    name for name, by_log in said.items()
                    if _upto(by_log.get(origin, ([], [])), told.t_ns) >= int(seq)
                }  # fmt: skip
                holders |= {name for name, until_ns in mute.items() if told.t_ns < until_ns}
                if len(holders) < told.w:
                    broken.append(
                        f"{deed}: {case.name_of(dot)} was called done at {told.node} when"
                        f" {len(holders)} of {told.w} had confirmed it"
                    )
    return Check("(h) done means confirmed by W (I4)", tried, tuple(broken))


def _confirmations(case: Case) -> dict[str, dict[str, tuple[list[int], list[int]]]]:
    """By node and log: times, and how far it had confirmed by then at the most."""
    found: dict[str, dict[str, tuple[list[int], list[int]]]] = {}
    for name, given in case.seen.acks.items():
        logs = found.setdefault(name, {})
        for ack in sorted(given, key=lambda one: one.t_ns):
            times, ends = logs.setdefault(ack.origin, ([], []))
            times.append(ack.t_ns)
            ends.append(max(ack.seq, ends[-1] if ends else 0))
    return found


def _mute_until(case: Case) -> dict[str, float]:
    """Nodes of a run with another version, and since when each of them writes down what it
    confirms."""
    if not any(one.fault == OTHER_VERSION for one in case.seen.faults):
        return {}
    firsts = {
        name: min((a.t_ns for a in told), default=inf) for name, told in case.seen.acks.items()
    }
    return {name: firsts.get(name, inf) for name in case.seen.states}


def _upto(log: tuple[list[int], list[int]], t_ns: int) -> int:
    at = bisect_right(log[0], t_ns)
    return log[1][at - 1] if at else 0


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
