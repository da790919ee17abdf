"""How each other member stands to one write, in a word and in words.

Whoever reads it has just been told that a write is pending, or was not done at all; what helps is
not the count but which machine to look at. So every member is named, with the one thing that keeps
it from counting.
"""

from __future__ import annotations

from collections.abc import Mapping

from aimem_sync.dot import Origin
from aimem_sync.effects import PeerState
from aimem_sync.links import Link
from aimem_sync.members import Config, Role
from aimem_sync.messages import Status

REFUSALS: Mapping[Status, str] = {
    Status.STALE_EPOCH: "it lives in another epoch",
    Status.FORK: "it holds another history of this log",
    Status.STORAGE: "its disk did not take it",
    Status.DAMAGED: "what it was sent did not match its hash",
}


def peer_states(
    config: Config, links: Mapping[str, Link], origin: Origin, seq: int, now_us: int,
    eligible: frozenset[str] | None = None, *, written: bool = True,
) -> tuple[PeerState, ...]:  # fmt: skip
    """Every member but this node, by node id, and its state to op `seq` of a log.

    Not `written` means that the op after it was refused: then it is not what a member holds that
    matters, but why it was not counted on.
    """
    found = []
    for member in config.members:
        link = links.get(member.node_id)
        if link is not None:
            known = _sure(member.role, link, eligible)
            holds = link.held.get(origin, 0) >= seq
            if known is None and holds and written:
                known = "holds", "on its disk"
            known = known or _trouble(link, origin, now_us)
            if known is None and holds:
                known = "holds", "all that is here"
            found.append((member.node_id, *(known or _behind(link, origin, seq))))
    return tuple(found)


def _sure(role: Role, link: Link, eligible: frozenset[str] | None) -> tuple[str, str] | None:
    """Why it does not count whatever it does."""
    if eligible is not None and link.node_id not in eligible:
        return "refused", "the namespace is not shared with it"
    if role is Role.LEARNER:
        return "learner", "it does not count until it is promoted"
    return None


def _trouble(link: Link, origin: Origin, now_us: int) -> tuple[str, str] | None:
    if link.heard_us is None:
        return "unreachable", "not heard of since this node started"
    if not link.in_reach(now_us):
        return "unreachable", f"last heard of {(now_us - link.heard_us) / 1e6:.1f} s ago"
    if link.refusal in REFUSALS and link.is_refusing(origin):
        return "refused", REFUSALS[link.refusal]
    if link.is_slow(now_us):
        return "behind", "it answers far more slowly than it used to"
    return None


def _behind(link: Link, origin: Origin, seq: int) -> tuple[str, str]:
    return "behind", f"{seq - link.held.get(origin, 0)} ops to go"
