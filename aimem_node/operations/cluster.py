"""Look at the members and change them: promote, evict, leave, and go on without a lost majority.

A change is the voters' to decide, never this node's. So what can be known to fail is refused at
once and for a reason that names nodes; a decree that nobody can answer would only time out, and
leave the operator with a change that may still come to pass.
"""

from typing import Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    ClusterStatusRequest,
    ClusterStatusResponse,
    EvictRequest,
    ForceEpochRequest,
    ForceEpochResponse,
    LeaveRequest,
    MembersChanged,
    MemberStatus,
    PromoteMemberRequest,
)
from aimem_node.operations.call import ClusterCall
from aimem_node.operations.forced_line import Forced, new_cluster_id, read_line, write_line
from aimem_node.operations.registry import awaits
from aimem_sync.members import Config, Member, Role, why_not_forced

UNREACHABLE: Final = "unreachable"
"""The state of a member that has not been heard of for more than two beats."""
ID_CHARS_MIN: Final = 4
"""Of the beginning of a node id, before it is taken for that of a node that is gone."""


@awaits
async def cluster_status(
    call: ClusterCall, _request: ClusterStatusRequest
) -> ClusterStatusResponse:
    """Who belongs, and how each member stands as this node sees it."""
    return call.cluster.status(call.now_us)


@awaits
async def promote_member(call: ClusterCall, request: PromoteMemberRequest) -> MembersChanged:
    """Let a learner vote. To promote a voter changes nothing.

    Raises CONFLICT with what the learner lacks: a voter that lacks ops would count toward W for
    writes that rest on what it does not hold.
    """
    member = call.cluster.find(request.node)
    if member.role is Role.VOTER:
        return _changed(call.cluster.plane.config, member, f"{called(member)} votes already")
    status = call.cluster.status(call.now_us)
    check_majority(call, status)
    seen = _seen(status, member)
    if seen is None or seen.state == UNREACHABLE:
        raise Failure(
            Code.CONFLICT, f"{called(member)} is out of reach, so nobody knows what it lacks",
            path="$.node", next="See `aimem-node status`; start it, then it votes by itself.",
        )  # fmt: skip
    if seen.lag_ops:
        raise Failure(
            Code.CONFLICT, f"{called(member)} still lacks {ops(seen.lag_ops)}",
            path="$.node",
            next="Nothing need be done: it votes once it has them. Watch it: "
            "aimem-node status --watch",
            details={"lag_ops": seen.lag_ops},
        )  # fmt: skip

    def make(config: Config) -> Config:
        now = config.member(member.node_id)
        return config.with_voter(member.node_id) if now and now.role is Role.LEARNER else config

    config = await call.cluster.change(make)
    return _changed(config, member, f"{called(member)} is a voter (epoch {config.epoch})")


@awaits
async def evict(call: ClusterCall, request: EvictRequest) -> MembersChanged:
    """Remove a member for ever. To evict one that is gone changes nothing.

    Raises CONFLICT for this node itself and for the last voter.
    """
    plane = call.cluster.plane
    gone = _gone(plane.config, request.node)
    if gone:
        said = f"{gone[:8]} does not belong any more"
        return _changed(plane.config, gone, said)
    member = call.cluster.find(request.node)
    if member.node_id == plane.identity.node_id:
        raise Failure(
            Code.CONFLICT, f"{called(member)} is the node you are asking",
            path="$.node", next="To take it out of the cluster: aimem-node leave",
        )  # fmt: skip
    if plane.config.voters == {member.node_id}:
        raise Failure(
            Code.CONFLICT, f"{called(member)} is the last voter: nobody could decide anything",
            path="$.node", next="Promote another one first: aimem-node promote NODE",
        )  # fmt: skip
    status = call.cluster.status(call.now_us)
    check_majority(call, status)
    seen = _seen(status, member)

    def make(config: Config) -> Config:
        return config.without(member.node_id) if config.member(member.node_id) else config

    config = await call.cluster.change(make)
    said = f"{called(member)} is evicted (epoch {config.epoch}); its keys open nothing any more"
    if seen is not None and seen.ahead_ops:
        said += f". It had {ops(seen.ahead_ops)} that this node lacks"
    return _changed(config, member, said)


@awaits
async def leave(call: ClusterCall, request: LeaveRequest) -> MembersChanged:
    """Leave the cluster and go on alone, with all memories that are here.

    Raises CONFLICT for the last voter and for a node that is alone, and with the ops that nobody
    else holds when there still are any after some waiting and `force` is not set.
    """
    plane, me = call.cluster.plane, call.cluster.me
    before = plane.config
    if len(before.members) == 1:
        raise Failure(
            Code.CONFLICT, "this node is alone: there is nothing to leave",
            next="To end it: aimem-node stop",
        )  # fmt: skip
    if before.voters == {me.node_id}:
        raise Failure(
            Code.CONFLICT, "this node is the last voter: the others could decide nothing",
            next="Promote another one first: aimem-node promote NODE",
        )  # fmt: skip
    check_majority(call, call.cluster.status(call.now_us), f"Run aimem-node evict {me.node_id[:8]}")
    config = await call.cluster.leave(force=bool(request.force))
    said = (
        f"this node has left cluster {before.cluster_id[:8]} and goes on alone, with all its "
        f"memories, as cluster {config.cluster_id[:8]}"
    )
    return _changed(config, me, said)


@awaits
async def force_epoch(call: ClusterCall, request: ForceEpochRequest) -> ForceEpochResponse:
    """Go on with the members to keep, or with those that another survivor's line names.

    Raises CONFLICT while a majority can be reached: then nothing is lost, and evict does it.
    """
    if bool(request.keep) == bool(request.adopt):
        raise Failure(
            Code.INVALID_ARGUMENT, "give either the members to keep or a line to adopt",
            path="$.keep", next="On the first survivor: aimem-node force-epoch --keep NODE …; on "
            "each other: aimem-node force-epoch --adopt LINE",
        )  # fmt: skip
    if request.adopt:
        forced = read_line(request.adopt)
        if _is_adopted(call, forced):
            return _forced(forced)
    else:
        forced = await _force(call, request.keep)
    await call.cluster.force(forced.config)
    return _forced(forced)


async def _force(call: ClusterCall, keep: tuple[str, ...]) -> Forced:
    old = call.cluster.plane.config
    kept = frozenset(call.cluster.find(text).node_id for text in keep)
    me = call.cluster.me
    if me.node_id not in kept:
        raise Failure(
            Code.CONFLICT, f"{called(me)}, the node you are asking, is not among those to keep",
            path="$.keep", next="Name it too, or ask one of the nodes that go on.",
        )  # fmt: skip
    near = _voters_near(old, call.cluster.status(call.now_us))
    if len(near) >= old.majority:
        raise Failure(
            Code.CONFLICT,
            f"{len(near)} of {len(old.voters)} voters are in reach, and {old.majority} can decide",
            path="$.keep", next="Nothing has to be forced: aimem-node evict NODE",
        )  # fmt: skip
    return Forced(old.cluster_id, old.forced(kept, new_cluster_id(old, kept)))


def _is_adopted(call: ClusterCall, forced: Forced) -> bool:
    """Whether this node has gone that way already. Raises CONFLICT if it may not."""
    old, me = call.cluster.plane.config, call.cluster.plane.identity
    if old.cluster_id == forced.config.cluster_id:
        return True
    if old.cluster_id != forced.ended:
        raise Failure(
            Code.CONFLICT,
            f"the line ends cluster {forced.ended[:8]}; this node is of {old.cluster_id[:8]}",
            path="$.adopt", next="Bring it to the nodes that it keeps, and to no others.",
        )  # fmt: skip
    member = forced.config.member(me.node_id)
    if member is None or me.fingerprint not in member.fingerprints:
        raise Failure(
            Code.CONFLICT, "the line does not keep this node",
            path="$.adopt", next="Force it anew on the first survivor, keeping this node too.",
        )  # fmt: skip
    reason = why_not_forced(old, forced.config)
    if reason:
        raise Failure(
            Code.CONFLICT, f"this node knows of later changes than the line: {reason}",
            path="$.adopt", next="Force it here instead, and bring this node's line to the others.",
        )  # fmt: skip
    return False


def _forced(forced: Forced) -> ForceEpochResponse:
    config = forced.config
    return ForceEpochResponse(
        cluster_id=config.cluster_id,
        epoch=config.epoch,
        voters=len(config.voters),
        line=write_line(forced) if len(config.members) > 1 else "",
    )


def check_majority(call: ClusterCall, status: ClusterStatusResponse, instead: str = "Ask") -> None:
    """Refuse a change that nobody could decide now. Raises CONFLICT or UNAVAILABLE, definite."""
    config, me = call.cluster.plane.config, call.cluster.me
    if me.role is not Role.VOTER:
        voters = [m for m in config.members if m.role is Role.VOTER]
        raise Failure(
            Code.CONFLICT, "this node does not vote, and only a voter can ask for a change",
            next=f"{instead} on {called(voters[0])}.",
        )  # fmt: skip
    near = _voters_near(config, status)
    if len(near) < config.majority:
        silent = [m for m in config.members if m.node_id in config.voters - near]
        raise Failure(
            Code.UNAVAILABLE,
            f"{config.majority} of {len(config.voters)} voters must agree, and "
            f"{', '.join(called(m) for m in silent)} cannot be reached",
            next="Bring them back. Only if they are lost for good: aimem-node force-epoch --help",
        )


def _voters_near(config: Config, status: ClusterStatusResponse) -> frozenset[str]:
    silent = {one.node_id for one in status.members if one.state == UNREACHABLE}
    return config.voters - silent


def _seen(status: ClusterStatusResponse, member: Member) -> MemberStatus | None:
    return next((one for one in status.members if one.node_id == member.node_id), None)


def _gone(config: Config, text: str) -> str:
    """The id of the one node that is gone and has this id, or begins so; "" if there is none."""
    wanted = text.lower()
    if any(text in (m.name, m.node_id) or m.node_id.startswith(wanted) for m in config.members):
        return ""
    found = [n for n in config.retired if n.startswith(wanted) and len(wanted) >= ID_CHARS_MIN]
    return found[0] if len(found) == 1 else ""


def called(member: Member) -> str:
    """What people call a member."""
    return member.name or member.node_id[:8]


def ops(count: int) -> str:
    """A number of ops in words."""
    return f"{count:,} op" + ("" if count == 1 else "s")


def _changed(config: Config, member: Member | str, said: str) -> MembersChanged:
    return MembersChanged(
        epoch=config.epoch,
        voters=len(config.voters),
        needed=config.majority,
        node_id=member if isinstance(member, str) else member.node_id,
        said=said,
    )
