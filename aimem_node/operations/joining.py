"""Let another machine in, or go to another's cluster."""

from typing import TYPE_CHECKING

from aimem_node.contract.values import (
    ApproveRequest,
    ApproveResponse,
    InviteRequest,
    InviteResponse,
    JoinRequest,
    JoinResponse,
    MembersChanged,
    RotateKeyRequest,
)  # fmt: skip
from aimem_node.operations.call import ClusterCall
from aimem_node.operations.cluster import check_majority
from aimem_node.operations.registry import awaits

if TYPE_CHECKING:  # a lone node is spared them
    from aimem_node.replica.admission import Admission
    from aimem_node.replica.joining import Joining


@awaits
async def invite(call: ClusterCall, request: InviteRequest) -> InviteResponse:
    """A line that is good for one machine. It is shown here and never again."""
    check_majority(call, call.cluster.status(call.now_us))
    await call.cluster.met()
    office: Admission = call.cluster.invites
    made = await office.invite(request.name or "", request.ttl_s, request.address or "")
    return InviteResponse(
        line=made.line,
        invite_id=made.invite_id,
        expires_at=made.expires_us,
        address=made.address,
    )


@awaits
async def join(call: ClusterCall, request: JoinRequest) -> JoinResponse:
    """Begin, go on, or say how far it is. Failures on the way are in the answer."""
    await call.cluster.met()
    joining: Joining = call.cluster.joining
    return await joining.begin(
        line=request.line or "",
        knock=request.knock or "",
        fingerprint=request.fingerprint or "",
        name=request.name or "",
        address=request.address or "",
        bring=request.bring,
    )


@awaits
async def approve(call: ClusterCall, request: ApproveRequest) -> ApproveResponse:
    """Admit a machine that knocked, by its fingerprint or the beginning of it."""
    await call.cluster.met()
    office: Admission = call.cluster.invites
    member, epoch = await office.approve(request.fingerprint, request.name or "")
    return ApproveResponse(node_id=member.node_id, name=member.name, epoch=epoch)


@awaits
async def rotate_key(call: ClusterCall, _request: RotateKeyRequest) -> MembersChanged:
    """Give this node a new key. When this returns, the old one opens nothing any more."""
    check_majority(call, call.cluster.status(call.now_us))
    await call.cluster.met()
    config = await call.cluster.rotating.run()
    me = call.cluster.me
    return MembersChanged(
        epoch=config.epoch,
        voters=len(config.voters),
        needed=config.majority,
        node_id=me.node_id,
        said=f"the key is now {me.fingerprints[0]}",
    )
