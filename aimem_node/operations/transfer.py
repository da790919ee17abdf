"""Write out everything, and take it in again somewhere else.

The export is a function of the content: behind a first line that names the node, the same
memories and links give the same bytes, in whatever order they were written. So it leaves out what
only this node's log knows (author, order, write id) and sorts by time of storing.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

from aimem_node.contract import codec, validate
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    ExportRecord,
    ExportRecordHeader,
    ExportRecordTrailer,
    ExportRequest,
    ImportRequest,
    ImportResponse,
    Life,
    Memory,
    MemoryLink,
    Scope,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, StreamCall, WriteCall
from aimem_node.operations.kept import KINDS
from aimem_node.operations.registry import operation, streams
from aimem_node.operations.shapes import (
    LINK,
    LIVE,
    MEMORY,
    archived,
    body,
    facts,
    link_of,
    memory_of,
    place_filter,
)  # fmt: skip
from aimem_node.operations.sight_of import refuse_reserved, sees, sight_in
from aimem_node.store.listing import Order
from aimem_node.store.rows import LinkRow, MemoryRow
from aimem_node.store.view import View
from aimem_sync.change import Change

FORMAT = "aimem-export"
FORMAT_VERSION = 1
EXPORT_PAGE = 500
IMPORTED_FROM = "imported_from_agent_id"


@dataclass(slots=True)
class _NoTouches:
    """An export shows what the log knows, not what this node has still to tell it."""

    def of(self, record_id: str) -> None:  # noqa: ARG002
        return None


@dataclass(slots=True)
class _Sum:
    """Counts and the hash of the lines so far."""

    memories: int = 0
    links: int = 0
    sha: Any = field(default_factory=hashlib.sha256)

    def add(self, record: ExportRecord) -> ExportRecord:
        line = codec.dumps(codec.to_json(record))
        self.sha.update(line.encode() + b"\n")
        self.memories += record.memory is not None
        self.links += record.link is not None
        return record


@streams
async def export(call: StreamCall, request: ExportRequest) -> AsyncIterator[ExportRecord]:
    """Header, memories that the caller sees and links between them by time of storing, trailer
    with counts and hash. Messages are left out: they were sent, and cannot be stored again."""
    total = _Sum()
    wanted = place_filter(request.namespace)
    yield ExportRecord(
        header=ExportRecordHeader(format=FORMAT, version=FORMAT_VERSION, node_id=call.node.node_id)
    )
    exported: set[str] = set()
    # One pass over both lives: a memory that is archived or restored meanwhile is met once.
    chosen = replace(wanted, life=None if request.include_archived else "live")
    after: tuple[Any, ...] | None = None
    while True:

        def page(view: View, after: Any = after) -> Any:
            seen = replace(chosen, sight=sight_in(view, call))
            return view.list_memories(seen, Order.CREATED, after, EXPORT_PAGE)

        rows, after = await call.read(page)
        for row in rows:
            exported.add(row.record_id)
            yield total.add(ExportRecord(memory=_exported(row)))
        if after is None:
            break
    after = None
    while True:

        def links_page(view: View, after: Any = after) -> Any:
            links, then = view.list_links(after, EXPORT_PAGE)
            return [link for link in links if _both_ends(link, exported)], then

        links, after = await call.read(links_page)
        for link in links:
            yield total.add(ExportRecord(link=replace(link_of(link), observed_at=None)))
        if after is None:
            break
    yield ExportRecord(
        trailer=ExportRecordTrailer(
            memories=total.memories, links=total.links, sha256=total.sha.hexdigest()
        )
    )


def _exported(row: MemoryRow) -> Memory:
    shown: Any = type("Shown", (), {"touches": _NoTouches(), "pending": _is_durable})
    memory = memory_of(shown, row)
    return replace(memory, author="", order=0, write_id="", conflicts=0)


def _is_durable(_write_id: str) -> bool:
    """What is exported says nothing of how many nodes hold it."""
    return False


@operation
def import_(call: WriteCall, request: ImportRequest) -> ImportResponse:
    """Take records in: new ones under their ids; known ones change only where they differ."""
    importer = call.speaker(request.agent_id)
    done = {"imported": 0, "unchanged": 0, "updated": 0, "restamped": 0}
    for index, memory in enumerate(request.memories):
        try:
            outcome, restamped = take_memory(call, memory, importer, trust=request.trust_source)
        except Failure as failure:
            raise failure.under(f"$.memories[{index}]") from None
        done[outcome] += 1
        done["restamped"] += restamped
    links = 0
    for index, link in enumerate(request.links):
        try:
            links += take_link(call, link, importer, index, trust=request.trust_source)
        except Failure as failure:
            raise failure.under(f"$.links[{index}]") from None
    return ImportResponse(
        imported=done["imported"],
        unchanged=done["unchanged"],
        updated=done["updated"],
        restamped=done["restamped"],
        links=links,
    )


def take_memory(
    call: WriteCall, memory: Memory, importer: str, *, trust: bool = False, keep: bool = True
) -> tuple[str, bool]:
    """Take one record in: imported, updated or unchanged, and whether its agent id was replaced.

    Without `keep` only say what would become of it.
    """
    _refuse_unfit(memory)
    _refuse_other_record(call, memory.id, MEMORY)
    old = call.view.memory(memory.id)
    if old is not None and not sees(call, old):
        raise Failure(
            Code.CONFLICT,
            f"record {memory.id!r} is not yours to see",
            path="$.id",
            next="Give it another id.",
        )
    if old is not None:
        refuse_reserved(old.namespace, "$.id")
    kept, restamped = _claimed(call, memory, old, importer, trust)
    return _import_memory(call, kept, old, keep=keep), restamped


def _refuse_unfit(memory: Memory) -> None:
    refuse_reserved(memory.namespace)
    _refuse_own_name(memory.id)
    if not memory.id or not memory.title.strip() or not memory.content.strip():
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a record needs an id, a title and a content",
            path="$",
            next="Mend the record, or leave it out.",
        )
    if memory.id != memory.id.strip():
        raise Failure(
            Code.INVALID_ARGUMENT,
            "an id begins and ends without a space, or nobody could name it",
            path="$.id",
            next="Give it another id.",
        )
    if memory.life == Life.DELETED:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a deleted memory cannot be imported",
            path="$.life",
            next="Leave it out, or make it live or archived.",
        )


def _refuse_own_name(record_id: str) -> None:
    """What begins like the ids of records of other kinds would stand in their way."""
    kind, colon, _ = record_id.partition(":")
    if colon and kind in KINDS:
        raise Failure(
            Code.PERMISSION_DENIED,
            f"{record_id!r} is a name of the node's own",
            path="$.id",
            next="Give it another id.",
        )


def _refuse_other_record(call: WriteCall, record_id: str, kind: str) -> None:
    """An id names one record for ever: not one that was erased, nor one of another kind."""
    state = call.view.state(record_id)
    if state is None or (state.type in ("", kind) and not state.purged):
        return
    why = "was erased for good" if state.purged else f"is a {state.type} and no {kind}"
    raise Failure(
        Code.CONFLICT,
        f"record {record_id!r} {why}",
        path="$.id",
        next="Give it another id.",
    )


def _claimed(
    call: WriteCall, memory: Memory, old: MemoryRow | None, importer: str, trust: bool
) -> tuple[Memory, bool]:
    """The record with an author that this caller may name; the original stays as a claim.

    Whoever is known here as its author stays it: an import does not make it someone else's.
    """
    original = memory.agent_id
    if old is not None and original == old.agent_id:
        return memory, False
    if original == importer or (trust and original and call.may_claim(original)):
        return memory, False
    if trust and original:
        raise Failure(
            Code.PERMISSION_DENIED,
            f"you may not speak for {original!r}",
            path="$.agent_id",
            next="Import without trust_source, or as someone who may.",
        )
    metadata = dict(memory.metadata)
    if original:
        metadata.setdefault(IMPORTED_FROM, original)
    stamped = importer if old is None else old.agent_id
    # The claim takes room: what is kept must still be within the bounds of a record.
    return validate.check(replace(memory, agent_id=stamped, metadata=metadata)), bool(original)


def _import_memory(call: WriteCall, memory: Memory, old: MemoryRow | None, *, keep: bool) -> str:
    registers = _registers(call, memory, old)
    if old is None:
        if keep:
            call.tx.change(Change(memory.id, MEMORY, set=registers, tag=memory.tags,
                                  count={"access": memory.access_count}))  # fmt: skip
        return "imported"
    shown = call.view.display(memory.id)
    assert shown is not None
    differing = {
        name: value
        for name, value in registers.items()
        if not _same(name, shown.values.get(name), value)
    }
    untag = tuple(tag for tag in old.tags if tag not in memory.tags)
    tag = tuple(tag for tag in memory.tags if tag not in old.tags)
    more = max(0, memory.access_count - old.access_count)
    if not (differing or tag or untag or more):
        return "unchanged"
    if memory.updated_at is None:
        differing["updated_at"] = call.now_us
    if keep:
        call.tx.change(Change(memory.id, MEMORY, set=differing, tag=tag, untag=untag,
                              count={"access": more} if more else {}))  # fmt: skip
    return "updated"


def _registers(call: ReadCall, memory: Memory, old: MemoryRow | None) -> dict[str, Any]:
    """The registers a record speaks of. Times it does not give are those it has here, or now."""
    now_us = call.now_us
    created_us = _given(memory.created_at, None if old is None else old.created_us, now_us)
    updated_us = _given(memory.updated_at, None if old is None else old.updated_us, created_us)
    is_archived = memory.life == Life.ARCHIVED
    at_us = _given(memory.archived_at, None if old is None else old.archived_us, now_us)
    reason = memory.archive_reason or "archive"
    expiry_us = memory.expires_at if reason == "ttl_expired" else None
    registers: dict[str, Any] = {
        "body": body(memory.title, memory.content, memory.metadata),
        "facts": facts(
            call.author if old is None else old.author,
            memory.agent_id,
            memory.source or "import",
            created_us,
            memory.session,
            memory.happened_at,
        ),
        "namespace": memory.namespace,
        "scope": (memory.scope or Scope.PRIVATE).value,
        "tier": memory.tier.value,
        "priority": memory.priority,
        "confidence": memory.confidence,
        "expires_at": memory.expires_at,
        "updated_at": updated_us,
        "life": archived(reason, at_us, expiry_us) if is_archived else LIVE,
    }
    if memory.last_accessed_at is not None:
        registers["accessed_at"] = memory.last_accessed_at
    return registers


def _given(*times_us: int | None) -> int:
    """The first that is given. 1970 began at 0, which is a time like any other."""
    return next(time_us for time_us in times_us if time_us is not None)


def take_link(
    call: WriteCall,
    link: MemoryLink,
    importer: str,
    index: int,
    *,
    trust: bool = False,
    coming: frozenset[str] = frozenset(),
    keep: bool = True,
) -> int:
    """Take one link in: 1 if that is or changes anything. `coming`: ids of memories that count as
    if they were here."""
    if link.id:
        _refuse_own_name(link.id)
        _refuse_other_record(call, link.id, LINK)
    if link.source_id == link.target_id:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a memory cannot be linked to itself",
            path="$.target_id",
            next="Leave the link out.",
        )
    for path, record_id in (("$.source_id", link.source_id), ("$.target_id", link.target_id)):
        row = call.view.memory(record_id)
        if record_id not in coming and (row is None or not sees(call, row)):
            raise Failure(
                Code.NOT_FOUND, f"no memory {record_id!r}", path=path,
                next="Import the memories first.",
            )  # fmt: skip
    relation = link.relation.value
    record_id = link.id or call.new_id(index)
    known = call.view.link(record_id)
    if known is not None and not _is_seen(call, known):
        raise Failure(
            Code.CONFLICT,
            f"record {record_id!r} is not yours to see",
            path="$.id",
            next="Give it another id.",
        )
    if known is None and not link.id:
        between = call.view.links_between(link.source_id, link.target_id, relation)
        known = between[0] if between else None
    said = (link.source_id, link.target_id, relation, link.valid_until)
    if known is not None and known.life == "live" and said == _said(known):
        return 0
    from_us = _given(link.valid_from, link.created_at, call.now_us)
    registers: dict[str, Any] = {
        "body": {
            "source_id": link.source_id,
            "target_id": link.target_id,
            "relation": relation,
            **_observed(call, link, known, importer, trust),
            "created_at": _given(link.created_at, call.now_us),
            "valid_from": from_us,
            "valid_from_given": link.valid_from is not None,
        },
        "valid_until": link.valid_until,
        "life": LIVE,
    }
    if keep:
        link_id = record_id if known is None else known.record_id
        call.tx.change(Change(link_id, LINK, set=registers))
    return 1


def _is_seen(call: ReadCall, link: LinkRow) -> bool:
    """Whether nothing that a link leads to is out of the caller's sight."""
    rows = call.view.memories(sorted({link.source_id, link.target_id}))
    return all(sees(call, row) for row in rows)


def _observed(
    call: WriteCall, link: MemoryLink, known: LinkRow | None, importer: str, trust: bool
) -> dict[str, str]:
    """Who states a link, as of memories: the importer, and the original stays as a claim."""
    original = link.observed_by
    if original in (None, "", importer):
        return {"observed_by": importer}
    if known is not None and (known.observed_by, *_said(known)[:3]) == (
        original, link.source_id, link.target_id, link.relation.value,
    ):  # fmt: skip
        return {"observed_by": original}
    if trust and call.may_claim(original):
        return {"observed_by": original}
    if trust:
        raise Failure(
            Code.PERMISSION_DENIED,
            f"you may not speak for {original!r}",
            path="$.observed_by",
            next="Import without trust_source, or as someone who may.",
        )
    return {"observed_by": importer, IMPORTED_FROM: original}


def _said(link: LinkRow) -> tuple[Any, ...]:
    return (link.source_id, link.target_id, link.relation, link.valid_until_us)


def _same(name: str, shown: Any, imported: Any) -> bool:
    """Whether an import would change a register. Who first wrote a record is not the importer's."""
    if name == "facts" and isinstance(shown, dict):
        return {**shown, "author": ""} == {**imported, "author": ""}
    return bool(shown == imported)


def _both_ends(link: LinkRow, exported: set[str]) -> bool:
    return link.source_id in exported and link.target_id in exported
