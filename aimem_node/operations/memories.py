"""Store, read and change single memories."""

from dataclasses import replace
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    BulkStoreRequest,
    BulkStoreResponse,
    DeleteRequest,
    DeleteResponse,
    GetRequest,
    GetResponse,
    ListRequest,
    ListResponse,
    OnConflict,
    PromoteRequest,
    PromoteResponse,
    Scope,
    StoreRequest,
    StoreResponse,
    Tier,
    UpdateRequest,
    UpdateResponse,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.cursors import read_cursor, write_cursor
from aimem_node.operations.lives import first_expiry_us, higher, later
from aimem_node.operations.past import get_as_of
from aimem_node.operations.registry import afterwards, operation
from aimem_node.operations.shapes import (
    LIVE,
    MEMORY,
    body,
    deleted,
    edit,
    facts,
    found,
    has_ended,
    links_shown,
    memory_of,
    place_filter,
    taken_title,
    wanted,
)  # fmt: skip
from aimem_node.operations.sight_of import refuse_reserved
from aimem_node.store.listing import Order
from aimem_node.store.rows import MemoryRow
from aimem_sync.change import Change

TAGS_MAX = 50
CONTRADICTIONS_SHOWN_MAX = 5
PRIORITY_NEW = 5
CONFIDENCE_NEW = 1.0


@operation
def store(call: WriteCall, request: StoreRequest) -> StoreResponse:
    """Store a new memory, or update the live one with its title in its namespace."""
    return store_memory(call, request)


@afterwards("Store")
def similar_titles(call: ReadCall, request: StoreRequest, stored: StoreResponse) -> dict[str, Any]:
    """Name other memories of the namespace whose titles share words. It refuses nothing."""
    here = wanted(call, place_filter(request.namespace))
    hits = call.view.similar_titles(request.title, here, CONTRADICTIONS_SHOWN_MAX + 1)
    others = tuple(record_id for record_id in hits if record_id != stored.id)
    return {"potential_contradictions": others[:CONTRADICTIONS_SHOWN_MAX]}


@operation
def bulk_store(call: WriteCall, request: BulkStoreRequest) -> BulkStoreResponse:
    """Store many, all of them or none."""
    answers = []
    for index, one in enumerate(request.memories):
        try:
            _refuse_own_key(one)
            answers.append(store_memory(call, one, index))
        except Failure as failure:
            raise failure.under(f"$.memories[{index}]") from None
    updated = sum(answer.duplicate for answer in answers)
    return BulkStoreResponse(
        created=len(answers) - updated, updated=updated, ids=tuple(a.id for a in answers)
    )


def _refuse_own_key(one: StoreRequest) -> None:
    if one.options is not None and one.options.request_key:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a memory of a bulk store has no request key of its own",
            path="$.options.request_key",
            next="Give one key for all of them, in the options of the whole request.",
        )


def store_memory(call: WriteCall, request: StoreRequest, index: int = 0) -> StoreResponse:
    """Store one of the memories of a request, of which each has an index."""
    agent_id = call.speaker(request.agent_id)
    refuse_reserved(request.namespace)
    old = None
    if request.on_conflict != OnConflict.NEW:
        old = taken_title(call, request.namespace, request.title)
    if old is not None and request.on_conflict == OnConflict.ERROR:
        raise Failure(
            Code.CONFLICT,
            f"{request.namespace!r} already has a memory with this title: {old.record_id}",
            path="$.title",
            next="Choose another title, or on_conflict update or new.",
            details={"id": old.record_id},
        )
    if old is not None:
        return _store_again(call, request, old)
    record_id = call.new_id(index)
    expires_us = first_expiry_us(request.tier, request.expires_at, request.ttl_secs, call.now_us)
    call.tx.change(
        edit(
            record_id,
            call.now_us,
            tags=_unique(request.tags),
            body=body(request.title, request.content, request.metadata or {}),
            facts=facts(
                call.author,
                agent_id,
                request.source,
                call.now_us,
                request.session,
                request.happened_at,
            ),
            namespace=request.namespace,
            scope=(request.scope or Scope.PRIVATE).value,
            tier=request.tier.value,
            priority=PRIORITY_NEW if request.priority is None else request.priority,
            confidence=CONFIDENCE_NEW if request.confidence is None else request.confidence,
            expires_at=expires_us,
            life=LIVE,
        )
    )
    return StoreResponse(
        id=record_id, tier=request.tier, title=request.title, namespace=request.namespace,
        agent_id=agent_id, duplicate=False, expires_at=expires_us,
    )  # fmt: skip


def _store_again(call: WriteCall, request: StoreRequest, old: MemoryRow) -> StoreResponse:
    """Update the memory that has the title: its tier and its life never get shorter by this."""
    tier = higher(Tier(old.tier), request.tier)
    expires_us = None
    if tier != Tier.LONG:
        asked = first_expiry_us(request.tier, request.expires_at, request.ttl_secs, call.now_us)
        expires_us = later(old.expires_us, asked)
    metadata = old.metadata if request.metadata is None else request.metadata
    registers: dict[str, Any] = {
        "body": body(request.title, request.content, metadata),
        "tier": tier.value,
        "expires_at": expires_us,
        "life": LIVE,
    }
    if request.priority is not None:
        registers["priority"] = max(old.priority, request.priority)
    if request.confidence is not None:
        registers["confidence"] = request.confidence
    if request.scope is not None:
        registers["scope"] = request.scope.value
    if request.session is not None or request.happened_at is not None:
        registers["facts"] = _facts_of(old, request.session, request.happened_at)
    _refuse_too_many_tags(set(old.tags) | set(request.tags))
    call.tx.change(edit(old.record_id, call.now_us, tags=_unique(request.tags), **registers))
    return StoreResponse(
        id=old.record_id, tier=tier, title=request.title, namespace=request.namespace,
        agent_id=old.agent_id, duplicate=True, expires_at=expires_us,
    )  # fmt: skip


@operation
def get(call: ReadCall, request: GetRequest) -> GetResponse:
    """Read one memory, live or archived, with the links that touch it."""
    if request.as_of is not None:
        return get_as_of(call, request, request.as_of)
    row = found(call, request.id, life="any")
    return GetResponse(memory=memory_of(call, row), links=links_shown(call, row.record_id))


@operation
def update(call: WriteCall, request: UpdateRequest) -> UpdateResponse:
    """Change the given fields and no others. An answer without change appends nothing."""
    call.speaker(request.agent_id)
    row = found(call, request.id)
    refuse_reserved(row.namespace, "$.id")
    if request.namespace is not None:
        refuse_reserved(request.namespace)
    registers = _updated_registers(call, request, row)
    add, remove = _tag_changes(request, row)
    if registers or add or remove:
        registers["life"] = LIVE
        change = edit(row.record_id, call.now_us, tags=add, **registers)
        call.tx.change(replace(change, untag=remove))
    now = found(call, row.record_id)
    call.tx.shown.add(row.record_id)
    return UpdateResponse(updated=bool(call.tx.ops), memory=memory_of(call, now))


def _updated_registers(call: WriteCall, request: UpdateRequest, row: MemoryRow) -> dict[str, Any]:
    registers: dict[str, Any] = {}
    title = row.title if request.title is None else request.title
    namespace = row.namespace if request.namespace is None else request.namespace
    if (title, namespace) != (row.title, row.namespace) or has_ended(call, row):
        _refuse_taken(call, row.record_id, namespace, title)
    new = body(
        title,
        row.content if request.content is None else request.content,
        row.metadata if request.metadata is None else request.metadata,
    )
    if new != body(row.title, row.content, row.metadata):
        registers["body"] = new
    if namespace != row.namespace:
        registers["namespace"] = namespace
    if (request.session, request.happened_at) != (None, None):
        said = _facts_of(row, request.session, request.happened_at)
        if said != _facts_of(row, None, None):
            registers["facts"] = said
    if request.priority is not None and request.priority != row.priority:
        registers["priority"] = request.priority
    if request.confidence is not None and request.confidence != row.confidence:
        registers["confidence"] = request.confidence
    if request.scope is not None and request.scope.value != row.scope:
        registers["scope"] = request.scope.value
    registers.update(_updated_life(call, request, row))
    return registers


def _updated_life(call: WriteCall, request: UpdateRequest, row: MemoryRow) -> dict[str, Any]:
    """Tier and expiry. Long has no end unless the caller names one; a lower tier gets its own."""
    registers: dict[str, Any] = {}
    if request.expires_at is not None and request.clear_expiry:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "expires_at and clear_expiry exclude each other",
            path="$.clear_expiry",
            next="Give one of them.",
        )
    expires_us = row.expires_us
    if request.tier is not None and request.tier.value != row.tier:
        registers["tier"] = request.tier.value
        expires_us = first_expiry_us(request.tier, None, None, call.now_us)
        if higher(request.tier, Tier(row.tier)) == request.tier:
            expires_us = later(row.expires_us, expires_us)  # raised: it lives no shorter for it
    if request.expires_at is not None:
        expires_us = first_expiry_us(Tier(row.tier), request.expires_at, None, call.now_us)
    if request.clear_expiry:
        expires_us = None
    if expires_us != row.expires_us:
        registers["expires_at"] = expires_us
    return registers


def _tag_changes(request: UpdateRequest, row: MemoryRow) -> tuple[tuple[str, ...], tuple[str, ...]]:
    have, given = set(row.tags), set(request.tags)
    kept = given if request.replace_tags else have | given
    kept -= set(request.remove_tags)
    _refuse_too_many_tags(kept)
    return tuple(sorted(kept - have)), tuple(sorted(have - kept))


@operation
def delete(call: WriteCall, request: DeleteRequest) -> DeleteResponse:
    """Delete a memory, live or archived: a version like any other, so that it replicates."""
    call.speaker(request.agent_id)
    row = found(call, request.id, life="any")
    call.tx.change(Change(row.record_id, MEMORY, set={"life": deleted(call.now_us)}))
    return DeleteResponse(deleted=True, id=row.record_id)


@operation
def list_(call: ReadCall, request: ListRequest) -> ListResponse:
    """List by importance, one page."""
    chosen = wanted(
        call, place_filter(request.namespace), tier=request.tier, tags=request.tags,
        agent_id=request.agent_id, session=request.session, min_priority=request.min_priority,
        since=request.since, until=request.until, as_agent=request.as_agent,
    )  # fmt: skip
    after = read_cursor("list", request.cursor, 3)
    rows, then = call.view.list_memories(chosen, Order.IMPORTANCE, after, request.limit)
    memories = tuple(memory_of(call, row) for row in rows)
    return ListResponse(
        memories=memories, count=len(memories), next_cursor=write_cursor("list", then)
    )


@operation
def promote(call: WriteCall, request: PromoteRequest) -> PromoteResponse:
    """Keep a memory for ever, or copy it into an ancestor and say where the copy comes from."""
    call.speaker(request.agent_id)
    row = found(call, request.id)
    refuse_reserved(row.namespace, "$.id")
    if request.to_namespace is not None:
        return _promote_up(call, row, request.to_namespace)
    if row.tier != Tier.LONG.value or row.expires_us is not None:
        if has_ended(call, row):
            _refuse_taken(call, row.record_id, row.namespace, row.title, path="$.id")
        call.tx.change(
            edit(row.record_id, call.now_us, tier=Tier.LONG.value, expires_at=None, life=LIVE)
        )
    return PromoteResponse(promoted=True, mode="tier", id=row.record_id, tier=Tier.LONG)


def _promote_up(call: WriteCall, row: MemoryRow, to_namespace: str) -> PromoteResponse:
    if not row.namespace.startswith(to_namespace + "/"):
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"{to_namespace!r} is not an ancestor of {row.namespace!r}",
            path="$.to_namespace",
            next="Name one of the namespaces above the memory's own.",
        )
    _refuse_taken(call, row.record_id, to_namespace, row.title, path="$.to_namespace")
    clone_id = call.new_id()
    call.tx.change(
        edit(
            clone_id,
            call.now_us,
            tags=row.tags,
            body=body(row.title, row.content, row.metadata),
            facts=facts(
                call.author, row.agent_id, row.source, call.now_us, row.session, row.happened_us
            ),
            namespace=to_namespace,
            scope=row.scope,
            tier=row.tier,
            priority=row.priority,
            confidence=row.confidence,
            expires_at=row.expires_us,
            life=LIVE,
        )
    )
    from aimem_node.operations.links import state_link

    state_link(call, call.new_id(1), clone_id, row.record_id, "derived_from")
    return PromoteResponse(
        promoted=True, mode="vertical", id=row.record_id, tier=Tier(row.tier), clone_id=clone_id,
        to_namespace=to_namespace,
    )  # fmt: skip


def _facts_of(row: MemoryRow, session: str | None, happened_us: int | None) -> dict[str, Any]:
    """A memory's facts with another session or time of happening. Who said it never changes."""
    return facts(
        row.author,
        row.agent_id,
        row.source,
        row.created_us,
        row.session if session is None else session,
        row.happened_us if happened_us is None else happened_us,
    )


def _refuse_taken(
    call: ReadCall, record_id: str, namespace: str, title: str, path: str = "$.title"
) -> None:
    other = taken_title(call, namespace, title)
    if other is not None and other.record_id != record_id:
        raise Failure(
            Code.CONFLICT,
            f"{namespace!r} already has a memory with this title: {other.record_id}",
            path=path,
            next="Choose another title, or change that memory.",
            details={"id": other.record_id},
        )


def _refuse_too_many_tags(kept: set[str]) -> None:
    if len(kept) > TAGS_MAX:
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"a memory has at most {TAGS_MAX} tags and this one would have {len(kept)}",
            path="$.tags",
            next="Remove some with remove_tags.",
        )


def _unique(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))
