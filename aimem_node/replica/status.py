"""How the cluster stands, as this node sees it, in the words of the contract."""

from typing import TYPE_CHECKING, Final

from aimem_node.contract.values import (
    ClusterStatusResponse,
    JoinResponse,
    Knock,
    MemberStatus,
    OriginLag,
)
from aimem_sync.links import Link
from aimem_sync.members import Member
from aimem_sync.op import Origin

if TYPE_CHECKING:
    from aimem_node.replica.cluster import Cluster

OP_BYTES: Final = 700
"""What an op takes on the way when none has been sent yet: a memory of two sentences."""


def status_of(cluster: "Cluster", progress: JoinResponse | None, knocks: tuple[Knock, ...],
              ready_lag_ops: int) -> ClusterStatusResponse:  # fmt: skip
    """All of it, from the core's own books: nobody is asked and nothing is read from disk."""
    plane = cluster.plane
    core, config = plane.core, plane.config
    now_us = plane.clock.monotonic_us()
    members = tuple(_member(cluster, member, now_us) for member in config.members)
    missing = max((one.ahead_ops for one in members), default=0)
    pending = plane.pending_writes()
    diverged = plane.diverged_from()
    refusing = _all_refuse(cluster)
    near = len(plane.in_sync & config.voters)
    few = near < config.majority
    ready = not (core.fenced or diverged or refusing or few) and missing <= ready_lag_ops
    state, reason = "serving", ""
    if core.fenced:
        state, reason = "fenced", core.fenced
    elif progress is not None and progress.step not in ("", "none", "voter", "failed"):
        state, reason = "joining", progress.said
    elif refusing:
        state, reason = "degraded", refusing
    elif diverged:
        names = {member.node_id: member.name or member.node_id[:8] for member in config.members}
        with_whom = ", ".join(names.get(node_id, node_id[:8]) for node_id in sorted(diverged))
        state, reason = "degraded", f"diverged from {with_whom}: the same logs, another state"
    elif few:
        state = "degraded"
        voters = "voter" if near == 1 else "voters"
        reason = f"writes wait: {near} {voters} in sync, {config.majority} are needed"
    elif missing > ready_lag_ops:
        state, reason = "catching up", f"{missing} ops are still to come"
    return ClusterStatusResponse(
        cluster_id=config.cluster_id,
        epoch=config.epoch,
        voters=len(config.voters),
        needed=config.majority,
        in_sync=near,
        members=members,
        pending_writes=pending,
        pending_oldest_ms=plane.watch.oldest_ms(now_us) if pending else 0,
        state=state,
        reason=reason,
        revoked=tuple(sorted(config.revoked)),
        knocks=knocks,
        address=cluster.address,
        progress=progress,
        forked=tuple(str(origin) for origin in sorted(core.intake.forked)),
        ready=ready,
    )


def _all_refuse(cluster: "Cluster") -> str:
    """Why, if every other member refuses this node's key: it is not told of its own eviction."""
    plane = cluster.plane
    others = [m.node_id for m in plane.config.members if m.node_id != plane.identity.node_id]
    why = [plane.net.why_not(node_id) for node_id in others]
    if not others or not all("refuses this node's key" in one for one in why):
        return ""
    return "every other member refuses this node's key: it was evicted, or its key was replaced"


def _member(cluster: "Cluster", member: Member, now_us: int) -> MemberStatus:
    plane = cluster.plane
    core = plane.core
    have = core.intake.have()
    link = core.links.get(member.node_id)
    if link is None:
        return MemberStatus(
            node_id=member.node_id, name=member.name, role=member.role.value,
            address=member.address, fingerprints=member.fingerprints, state="self", reason="",
            lag_ops=0, lag_bytes=0, heard_ms=0, ack_ms=None, clock_offset_ms=0,
            epoch=plane.config.epoch, origins=(), ahead_ops=0,
        )  # fmt: skip
    lags = tuple(_lag(origin, seq, link) for origin, seq in have)
    lag_ops = sum(one.lag_ops for one in lags)
    ahead = sum(max(0, seq - have.get(origin)) for origin, seq in link.held.items())
    state, reason = _state(cluster, member, link, lag_ops, now_us)
    return MemberStatus(
        node_id=member.node_id,
        name=member.name,
        role=member.role.value,
        address=member.address,
        fingerprints=member.fingerprints,
        state=state,
        reason=reason,
        lag_ops=lag_ops,
        lag_bytes=lag_ops * (plane.recent.mean_bytes() or OP_BYTES),
        heard_ms=None if link.heard_us is None else (now_us - link.heard_us) // 1_000,
        ack_ms=None if link.ack_us is None else link.ack_us / 1_000,
        clock_offset_ms=None if link.offset_us is None else link.offset_us // 1_000,
        epoch=link.epoch,
        origins=tuple(one for one in lags if one.lag_ops),
        ahead_ops=ahead,
    )


def _lag(origin: Origin, seq: int, link: Link) -> OriginLag:
    held = link.held.get(origin, 0)
    return OriginLag(origin=str(origin), have=held, lag_ops=max(0, seq - held))


def _state(
    cluster: "Cluster", member: Member, link: Link, lag_ops: int, now_us: int
) -> tuple[str, str]:
    plane = cluster.plane
    if not link.in_reach(now_us):
        why = plane.net.why_not(member.node_id)
        if link.heard_us is None:
            return "unreachable", why or "not heard of since this node started"
        away_s = (now_us - link.heard_us) / 1e6
        return "unreachable", why or f"last heard of {away_s:.1f} s ago"
    if member.node_id in plane.in_sync:
        return "in sync", ""
    _, state, reason = next(
        one for one in plane.core.peer_status(plane.own_dot()) if one[0] == member.node_id
    )
    if state == "learner":
        return ("catching up", f"{lag_ops} ops to go") if lag_ops else ("in sync", "")
    return "lagging", reason
