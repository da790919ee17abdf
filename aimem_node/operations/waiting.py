"""Wait for what has been written to be on enough disks."""

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import WaitDurableRequest, WaitDurableResponse, WriteResult
from aimem_node.operations.call import ClusterCall
from aimem_node.operations.registry import awaits
from aimem_node.replica.writing import DEADLINE_MS, Wish
from aimem_sync.dot import Dot
from aimem_sync.faults import OpFault


@awaits
async def wait_durable(call: ClusterCall, request: WaitDurableRequest) -> WaitDurableResponse:
    """COMMITTED once enough voters hold the op, PENDING when the time is up before that.

    Raises NOT_FOUND for an op that is not in any log here: nothing can be said of it yet.
    """
    try:
        dot = Dot.parse(request.write_id)
    except OpFault as fault:
        raise Failure(
            Code.INVALID_ARGUMENT, f"{request.write_id!r} is no write id: {fault}",
            path="$.write_id", next="Give it as the write's answer did: origin:sequence.",
        ) from fault  # fmt: skip
    if not call.cluster.plane.core.intake.have().covers(dot):
        raise Failure(
            Code.NOT_FOUND, f"this node has not heard of the write {request.write_id}",
            path="$.write_id", next="Ask the node that answered the write, or a little later.",
        )  # fmt: skip
    deadline_ms = DEADLINE_MS if request.deadline_ms is None else request.deadline_ms
    ack = await call.cluster.replica.wait(dot, Wish(request.w or 0, deadline_ms))
    return WaitDurableResponse(
        write=WriteResult(
            outcome=ack.outcome,
            write_ids=(request.write_id,),
            acks=ack.acks,
            needed=ack.needed,
            replayed=False,
            reason=ack.reason,
            peers=ack.peers,
        )
    )
