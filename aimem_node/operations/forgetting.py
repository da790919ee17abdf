"""Forget what matches; show what a memory used to say."""

import json
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    ForgetRequest,
    ForgetResponse,
    HistoryRequest,
    HistoryResponse,
    MemoryVersion,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.cursors import read_cursor, write_cursor
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import (
    MEMORY,
    archived,
    found,
    place_filter,
    seen_ids,
    wanted,
)  # fmt: skip
from aimem_node.operations.sight_of import sees, sight_of
from aimem_node.store.listing import PAGE_BYTES_MAX
from aimem_node.store.rows import PlacedOp
from aimem_node.store.view import View
from aimem_sync.change import Change
from aimem_sync.op import Kind, Op
from aimem_sync.state import RecordState

FORGET_MAX = 1_000
"""Memories that one request moves. The answer says how many were left."""
OPS_PER_STEP = 32
"""Versions read at a time: 4 MiB of the largest."""


@operation
def forget(call: WriteCall, request: ForgetRequest) -> ForgetResponse:
    """Archive or erase every live memory that matches all the given filters."""
    call.speaker(request.agent_id)
    if not (request.namespace or request.pattern or request.tier):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "forget needs a namespace, a pattern or a tier",
            next="Name what to forget; try it with dry_run first.",
        )
    if request.erase and not call.operator:
        raise Failure(
            Code.PERMISSION_DENIED,
            "only the operator may erase for good, as with a purge of the archive",
            path="$.erase",
            next="Leave erase out: what is forgotten goes into the archive.",
        )
    chosen = wanted(call, place_filter(request.namespace), tier=request.tier)
    ids = call.view.matching_ids(request.pattern, chosen, FORGET_MAX + 1)
    if request.dry_run:
        return ForgetResponse(would_delete=len(ids), dry_run=True, archived=not request.erase)
    if len(ids) > FORGET_MAX:
        raise Failure(
            Code.TOO_LARGE,
            f"more than {FORGET_MAX} memories match",
            next="Narrow it: a namespace, a tier, or rarer words.",
        )
    for record_id in ids:
        if request.erase:
            call.tx.purge(record_id)
        else:
            life = archived("forget", call.now_us, None)
            call.tx.change(Change(record_id, MEMORY, set={"life": life}))
    return ForgetResponse(deleted=len(ids), archived=not request.erase)


@operation
def history(call: ReadCall, request: HistoryRequest) -> HistoryResponse:
    """Every op of a memory, newest first, and which of them stand unresolved side by side."""
    record_id = found_anyhow(call, request.id)
    state = call.view.state(record_id)
    before = read_cursor("history", request.cursor, 1)
    ops, then = _page(call.view, record_id, None if before is None else before[0], request.limit)
    versions = tuple(_version(placed.op, state) for placed in ops)
    return HistoryResponse(
        id=record_id, versions=versions, count=len(versions),
        next_cursor=write_cursor("history", then),
    )  # fmt: skip


def _page(
    view: View, record_id: str, before: int | None, limit: int
) -> tuple[list[PlacedOp], tuple[int] | None]:
    """Up to `limit` ops, fewer where they hold much text, and where the next page begins."""
    kept: list[PlacedOp] = []
    size_bytes = 0
    while found_here := view.ops_of(record_id, before, OPS_PER_STEP):
        for placed in found_here:
            if len(kept) == limit or size_bytes >= PAGE_BYTES_MAX:
                return kept, (kept[-1].pos,)
            kept.append(placed)
            size_bytes += len(placed.op.body or b"")
        before = found_here[-1].pos
    return kept, None


def found_anyhow(call: ReadCall, prefix: str) -> str:
    """The id of a record whose history the caller may see. A deleted memory has one too, and one
    that was erased, which says no more than that. A link's is for whom both ends are; what is
    neither is for the operator."""
    state = call.view.state(prefix)
    if state is None:
        return found(call, prefix, life="any").record_id
    row = call.view.memory(prefix)
    if row is not None:
        seen = sees(call, row)
    else:
        link, sight = call.view.link(prefix), sight_of(call)
        ends = set() if link is None else {link.source_id, link.target_id}
        seen = sight is None or (state.purged and not sight.narrows)
        seen = seen or (bool(ends) and ends <= seen_ids(call, ends))
    if not seen:
        raise Failure(Code.NOT_FOUND, f"no memory {prefix!r}", path="$.id")
    return prefix


def _version(op: Op, state: RecordState | None) -> MemoryVersion:
    current, conflicting = [], []
    for register, heads in (state.heads if state is not None else {}).items():
        mine = [version for version in heads if version.dot == op.dot]
        if mine and len(heads) == 1:
            current.append(register)
        elif mine:
            conflicting.append(register)
    return MemoryVersion(
        write_id=str(op.dot),
        order=op.lamport,
        kind=op.kind,
        author=op.author,
        written_at=op.wall_us,
        change=_change(op),
        current=tuple(sorted(current)),
        conflicting=tuple(sorted(conflicting)),
    )


def _change(op: Op) -> dict[str, Any]:
    if op.body is None:
        return {"erased": True}
    if op.kind != Kind.EDIT:
        return {"kind": op.kind}
    said: dict[str, Any] = json.loads(op.body)
    return {part: said[part] for part in ("set", "tag", "untag", "count") if said.get(part)}
