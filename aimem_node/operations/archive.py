"""What is no longer live. Archiving is a state of a record, so nothing of it is lost by it."""

from dataclasses import replace

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    ArchiveListRequest,
    ArchiveListResponse,
    ArchivePurgeRequest,
    ArchivePurgeResponse,
    ArchiveRequest,
    ArchiveResponse,
    ArchiveRestoreRequest,
    ArchiveRestoreResponse,
    ArchiveStatsRequest,
    ArchiveStatsResponse,
    NamespaceCount,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.cursors import read_cursor, write_cursor
from aimem_node.operations.lives import DAY_US
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import (
    LIVE,
    MEMORY,
    archived,
    edit,
    found,
    has_ended,
    memory_of,
    place_filter,
    taken_title,
)  # fmt: skip
from aimem_node.operations.sight_of import sight_of
from aimem_node.store.listing import Filter, Order
from aimem_node.store.sight import MESSAGES
from aimem_sync.change import Change

PURGE_MAX = 2_000
"""Records that one request erases; called again it goes on."""


@operation
def archive(call: WriteCall, request: ArchiveRequest) -> ArchiveResponse:
    """Archive the live memories among the ids, and say which ids name none."""
    call.speaker(request.agent_id)
    reason = request.reason or "archive"
    moved: list[str] = []
    missing: list[str] = []
    for prefix in dict.fromkeys(request.ids):
        try:
            record_id = found(call, prefix, "$.ids").record_id
        except Failure as failure:
            if failure.code != Code.NOT_FOUND:
                raise
            missing.append(prefix)
            continue
        life = archived(reason, call.now_us, None)
        call.tx.change(Change(record_id, MEMORY, set={"life": life}))
        moved.append(record_id)
    return ArchiveResponse(
        archived=tuple(moved), missing=tuple(missing), count=len(moved), reason=reason
    )


@operation
def archive_list(call: ReadCall, request: ArchiveListRequest) -> ArchiveListResponse:
    """The archive, the latest first, one page."""
    place = place_filter(request.namespace)
    wanted = replace(place, life="archived", sight=sight_of(call))
    after = read_cursor("archive", request.cursor, 2)
    rows, then = call.view.list_memories(wanted, Order.ARCHIVED, after, request.limit)
    memories = tuple(memory_of(call, row) for row in rows)
    return ArchiveListResponse(
        archived=memories, count=len(memories), next_cursor=write_cursor("archive", then)
    )


@operation
def archive_restore(call: WriteCall, request: ArchiveRestoreRequest) -> ArchiveRestoreResponse:
    """Bring a memory back with its tags, links, tier and counts, and without an end to its life."""
    call.speaker(request.agent_id)
    row = found(call, request.id, life="any")
    if row.life == "live" and not has_ended(call, row):  # one that has is as good as archived
        raise Failure(
            Code.CONFLICT,
            f"memory {row.record_id} is live already",
            path="$.id",
            next="There is nothing to restore.",
        )
    other = taken_title(call, row.namespace, row.title)
    if other is not None:
        raise Failure(
            Code.CONFLICT,
            f"{row.namespace!r} has a live memory with this title: {other.record_id}",
            path="$.id",
            next="Rename or archive that one first.",
            details={"id": other.record_id},
        )
    call.tx.change(edit(row.record_id, call.now_us, life=LIVE, expires_at=None))
    return ArchiveRestoreResponse(restored=True, id=row.record_id)


@operation
def archive_purge(call: WriteCall, request: ArchivePurgeRequest) -> ArchivePurgeResponse:
    """Erase for good what was archived or deleted before the given age, as far as it is seen."""
    days = request.older_than_days
    before_us = None if days is None else call.now_us - days * DAY_US
    rows = call.view.removed(before_us, 0, PURGE_MAX, sight_of(call))
    ids = [row.record_id for row in rows]
    if not request.dry_run:
        for record_id in ids:
            call.tx.purge(record_id)
    return ArchivePurgeResponse(purged=len(ids), dry_run=request.dry_run)


@operation
def archive_stats(call: ReadCall, _request: ArchiveStatsRequest) -> ArchiveStatsResponse:
    """How much the archive holds, by namespace."""
    archived_here = Filter(life="archived", but_below=MESSAGES, sight=sight_of(call))
    counts = call.view.namespace_counts(archived_here)
    return ArchiveStatsResponse(
        archived_total=sum(n for _, n in counts),
        by_namespace=tuple(NamespaceCount(namespace=name, count=n) for name, n in counts),
    )
