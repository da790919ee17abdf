"""From what the store keeps to what a caller is shown, and back to what an op says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.validate import namespace_filter
from aimem_node.contract.values import Life, Memory, MemoryLink, Relation, Scope, Tier
from aimem_node.operations.call import ReadCall
from aimem_node.operations.lives import touched
from aimem_node.operations.sight_of import narrowed, sees, sight_of
from aimem_node.store.listing import Filter
from aimem_node.store.rows import LinkRow, MemoryRow
from aimem_node.store.sight import MESSAGES
from aimem_sync.change import Change

MEMORY = "memory"
LINK = "link"
LIVE: Mapping[str, Any] = {"is": "live"}
LINKS_SHOWN_MAX = 200
"""Links each way that are shown with a memory: the last ones. get_links and the graph show more."""
_RELATIONS = frozenset(relation.value for relation in Relation)


def memory_of(call: ReadCall, row: MemoryRow, score: float | None = None) -> Memory:
    """The noun as callers know it, with recalls that are counted here and not yet in the log."""
    tier, expires_us, priority = Tier(row.tier), row.expires_us, row.priority
    count, accessed_us = row.access_count, row.accessed_us
    touch = call.touches.of(row.record_id)
    if touch is not None:
        lived = touched(tier, expires_us, priority, count, touch.times, touch.at_us)
        tier, expires_us, priority = lived.tier, lived.expires_us, lived.priority
        count, accessed_us = count + touch.times, max(accessed_us or 0, touch.at_us)
    return Memory(
        id=row.record_id,
        tier=tier,
        namespace=row.namespace,
        title=row.title,
        content=row.content,
        tags=row.tags,
        priority=priority,
        confidence=row.confidence,
        source=row.source,
        access_count=count,
        created_at=row.created_us,
        updated_at=row.updated_us,
        last_accessed_at=accessed_us,
        expires_at=expires_us,
        metadata=row.metadata,
        agent_id=row.agent_id,
        author=row.author,
        session=row.session,
        happened_at=row.happened_us,
        scope=Scope(row.scope),
        life=Life(row.life),
        archived_at=row.archived_us,
        archive_reason=row.archive_reason,
        order=row.lamport,
        write_id=row.write_id,
        conflicts=row.conflicts,
        score=score,
        pending=bool(row.written_id) and call.pending(row.written_id),
    )


def link_of(row: LinkRow) -> MemoryLink:
    """The noun as callers know it."""
    return MemoryLink(
        id=row.record_id,
        source_id=row.source_id,
        target_id=row.target_id,
        relation=relation_of(row.relation),
        created_at=row.created_us,
        valid_from=row.valid_from_us,
        valid_until=row.valid_until_us,
        observed_by=row.observed_by,
        observed_at=row.observed_us,
    )


def relation_of(word: str) -> Relation:
    """The relation that a link names; one of a later version is at least some relation."""
    return Relation(word) if word in _RELATIONS else Relation.RELATED_TO


def body(title: str, content: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The register that is replaced as one: two authors' sentences are never mixed."""
    return {"title": title, "content": content, "metadata": dict(metadata)}


def facts(
    author: str,
    agent_id: str,
    source: str,
    created_us: int,
    session: str | None,
    happened_us: int | None,
) -> dict[str, Any]:
    """The register that says where a memory comes from."""
    return {
        "author": author,
        "agent_id": agent_id,
        "source": source,
        "created_at": created_us,
        "session": session or "",
        "happened_at": happened_us,
    }


def archived(reason: str, at_us: int, expires_us: int | None) -> dict[str, Any]:
    """The value of the life register of an archived record."""
    return {"is": "archived", "reason": reason, "at": at_us, "expires_at": expires_us}


def deleted(at_us: int) -> dict[str, Any]:
    """The value of the life register of a deleted record."""
    return {"is": "deleted", "at": at_us}


def edit(record_id: str, now_us: int, tags: Sequence[str] = (), **registers: Any) -> Change:
    """A change to a memory that its readers should see as one: it moves `updated_at`."""
    return Change(record_id, MEMORY, set={**registers, "updated_at": now_us}, tag=tuple(tags))


def found(call: ReadCall, prefix: str, path: str = "$.id", life: str = "live") -> MemoryRow:
    """The memory that an id or a unique prefix names, if the caller sees it: what is out of sight
    might as well not exist. Raises NOT_FOUND or AMBIGUOUS."""
    record_id = call.view.resolve_id(prefix, path=path, sight=sight_of(call))
    row = call.view.memory(record_id)
    if row is None or row.life == "deleted":
        raise Failure(Code.NOT_FOUND, f"no memory {prefix!r}", path=path)
    if life == "live" and row.life == "archived":
        raise Failure(
            Code.NOT_FOUND,
            f"memory {prefix!r} is in the archive",
            path=path,
            next=f"Bring it back first: aimem archive-restore {row.record_id}",
        )
    return row


def has_ended(call: ReadCall, row: MemoryRow) -> bool:
    """Whether its life is over and only the collection is still to come: its title is free."""
    return row.expires_us is not None and row.expires_us <= call.now_us


def place_filter(text: str | None, path: str = "$.namespace") -> Filter:
    """A namespace filter as callers write it: a/b, a/b/*, or nothing for everything.

    Everything is without messages: those are looked for where they are, or in the inbox.
    """
    named = None if not text else namespace_filter(text, path)
    if named is None or not named.name:
        return Filter(but_below=MESSAGES)
    if named.subtree:
        return Filter(below=named.name)
    return Filter(namespaces=(named.name,))


def wanted(
    call: ReadCall,
    place: Filter,
    *,
    tier: Tier | None = None,
    tags: Sequence[str] = (),
    agent_id: str | None = None,
    session: str | None = None,
    min_priority: int | None = None,
    since: int | None = None,
    until: int | None = None,
    as_agent: str | None = None,
) -> Filter:
    """The live memories that a request asks for and its caller sees: one translation for every
    kind of search."""
    return replace(
        place,
        sight=narrowed(call, as_agent),
        tier="" if tier is None else tier.value,
        tags=tuple(tags),
        agent_id=agent_id or "",
        session=session or "",
        min_priority=min_priority,
        since_us=since,
        until_us=until,
        now_us=call.now_us,
    )


def taken_title(call: ReadCall, namespace: str, title: str) -> MemoryRow | None:
    """The live memory with this title there, if the caller sees it."""
    return call.view.live_by_title(namespace, title, call.now_us, sight_of(call))


def links_shown(
    call: ReadCall, record_id: str, limit: int = LINKS_SHOWN_MAX, as_of_us: int | None = None
) -> tuple[MemoryLink, ...]:
    """The links that touch a memory and whose other end is seen and has not been deleted.

    At most `limit` each way; with `as_of_us` as they were known then.
    """
    rows = call.view.links_of(record_id, limit, as_of_us)
    seen = seen_ids(call, {end for row in rows for end in (row.source_id, row.target_id)})
    return tuple(link_of(row) for row in rows if {row.source_id, row.target_id} <= seen)


def seen_ids(call: ReadCall, record_ids: Collection[str]) -> set[str]:
    """Of these ids, those of memories that the caller sees and that have not been deleted."""
    rows = call.view.memories(sorted(record_ids))
    return {row.record_id for row in rows if row.life != "deleted" and sees(call, row)}


def tokens(row: MemoryRow) -> int:
    """About how many tokens a memory costs a reader: four bytes each."""
    return (len(row.title.encode()) + len(row.content.encode())) // 4
