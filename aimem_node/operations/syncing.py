"""For tools that were made for ai-memory's sync: what was changed since, and what others have.

Nodes follow each other's logs instead. A page here is cut by the time of change, so it tells what
stands now and nothing of what was deleted, and what is pushed is an import: it never speaks for
anyone but whoever pushes.
"""

from dataclasses import replace

from aimem_node.contract.errors import Failure
from aimem_node.contract.values import (
    SyncPushRequest,
    SyncPushResponse,
    SyncSinceRequest,
    SyncSinceResponse,
)
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.cursors import read_cursor, write_cursor
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import MEMORY, deleted, memory_of, place_filter
from aimem_node.operations.sight_of import sees, sight_of
from aimem_node.operations.transfer import take_link, take_memory
from aimem_node.store.listing import Order
from aimem_sync.change import Change

LAST_ID = "\U0010ffff"
"""Behind every id there is: a page after a moment begins with what was changed later."""


@operation
def sync_since(call: ReadCall, request: SyncSinceRequest) -> SyncSinceResponse:
    """Live memories that the caller sees, the longest unchanged first, one page."""
    wanted = replace(place_filter(None), now_us=call.now_us, sight=sight_of(call))
    after = read_cursor("sync", request.cursor, 1, texts=1)
    if after is None and request.since is not None:
        after = (request.since, LAST_ID)
    rows, then = call.view.list_memories(wanted, Order.CHANGED, after, request.limit)
    memories = tuple(memory_of(call, row) for row in rows)
    return SyncSinceResponse(
        memories=memories, count=len(memories), next_cursor=write_cursor("sync", then)
    )


@operation
def sync_push(call: WriteCall, request: SyncPushRequest) -> SyncPushResponse:
    """Take in memories and links, and delete by id; or only count what that would change."""
    pusher = call.speaker(request.agent_id)
    keep = not request.dry_run
    applied = links = gone = 0
    for index, memory in enumerate(request.memories):
        try:
            outcome, _ = take_memory(call, memory, pusher, keep=keep)
        except Failure as failure:
            raise failure.under(f"$.memories[{index}]") from None
        applied += outcome != "unchanged"
    coming = frozenset(memory.id for memory in request.memories)
    for index, link in enumerate(request.links):
        try:
            links += take_link(call, link, pusher, index, coming=coming, keep=keep)
        except Failure as failure:
            raise failure.under(f"$.links[{index}]") from None
    for record_id in dict.fromkeys(request.deletions):
        gone += _delete(call, record_id, keep=keep)
    return SyncPushResponse(
        applied=applied, noop=len(request.memories) - applied, deleted=gone, links_applied=links,
        dry_run=not keep,
    )  # fmt: skip


def _delete(call: WriteCall, record_id: str, *, keep: bool) -> int:
    """1 if there is exactly such a memory. What is not here need not be deleted."""
    row = call.view.memory(record_id)
    if row is None or row.life == "deleted" or not sees(call, row):
        return 0
    if keep:
        call.tx.change(Change(record_id, MEMORY, set={"life": deleted(call.now_us)}))
    return 1
