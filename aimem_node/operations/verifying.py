"""Check this node against its log and against the other members, and mend what can be mended."""

import asyncio
from collections.abc import Sequence

from aimem_node.contract.errors import Failure
from aimem_node.contract.values import VerifyRequest, VerifyResponse
from aimem_node.operations.call import ClusterCall
from aimem_node.operations.registry import awaits
from aimem_node.replica.comparing import compare_with_members, fetch_broken
from aimem_node.store.verify import Verified


@awaits
async def verify(call: ClusterCall, request: VerifyRequest) -> VerifyResponse:
    """What is wrong here, how each member compares and, if asked for, what was mended.

    A repair fetches broken ops from other members first, since records can only be made again from
    a log that is whole; what is reported as wrong is what is left after it.
    """
    store = call.cluster.replica.store
    found: Verified = await asyncio.to_thread(store.verify, deep=request.deep)
    repaired: Sequence[str] = ()
    if request.repair and (found.problems or found.broken):
        fetched = await fetch_broken(call.cluster.plane, found.broken)
        made = await asyncio.to_thread(store.repair)
        call.cluster.plane.forget_divergences()
        repaired = (*fetched, *made)
        found = await asyncio.to_thread(store.verify, deep=request.deep)
    try:
        peers = await compare_with_members(call.cluster.plane)
    except Failure as failure:  # what is known of this node is worth telling all the same
        peers = [f"not compared: {failure.message}"]
    return VerifyResponse(
        ok=not found.problems and not any("differ" in line for line in peers),
        ops=found.ops,
        records=found.records,
        digest=found.digest,
        problems=tuple(found.problems),
        peers=tuple(peers),
        repaired=tuple(repaired),
    )
