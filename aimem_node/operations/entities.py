"""Name the people, projects and things that memories speak of.

An entity is a memory under the same id, so it is found, shared, archived and deleted like one. Its
other names are tags of a record beside it: of names that two nodes give it at the same time both
stay. Nothing keeps two nodes from registering the same name at once, and so a name may mean several
entities: that is said, none is chosen, and they can be merged.
"""

from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    Entity,
    EntityGetByAliasRequest,
    EntityGetByAliasResponse,
    EntityListRequest,
    EntityListResponse,
    EntityRegisterRequest,
    EntityRegisterResponse,
    Scope,
    Tier,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.cursors import read_words_cursor, write_cursor
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import (
    LIVE,
    body,
    edit,
    facts,
    place_filter,
    taken_title,
    wanted,
)  # fmt: skip
from aimem_node.operations.sight_of import refuse_reserved
from aimem_node.store.listing import Filter
from aimem_node.store.naming import folded
from aimem_node.store.projection import ENTITY
from aimem_node.store.rows import MemoryRow
from aimem_sync.change import Change

PRIORITY = 7
ALIASES_MAX = 500
"""Names of one entity. A merge adds up, so this is more than one request may give."""
CANDIDATES_MAX = 20
"""Entities that an ambiguous name is answered with."""


@operation
def entity_register(call: WriteCall, request: EntityRegisterRequest) -> EntityRegisterResponse:
    """Register an entity, or add to the one of that name in its namespace."""
    speaker = call.speaker(request.agent_id)
    refuse_reserved(request.namespace)
    here = Filter(namespaces=(request.namespace,))
    known = call.view.entities_called(
        folded(request.canonical_name), wanted(call, here), 1, by_alias=False
    )
    if known:
        entity_id, name = known[0].record_id, known[0].title
        _add_to(call, known[0], request)
    else:
        name = request.canonical_name
        entity_id = _begin(call, request, speaker)
    add_aliases(call, entity_id, name, request.aliases)
    aliases = call.view.aliases_of((entity_id,)).get(entity_id, ())
    return EntityRegisterResponse(
        entity_id=entity_id,
        canonical_name=name,
        namespace=request.namespace,
        aliases=aliases,
        created=not known,
        ambiguous_aliases=tuple(
            one
            for one in dict.fromkeys((name, *request.aliases))
            if _means_another(call, one, here, entity_id)
        ),
    )


def _begin(call: WriteCall, request: EntityRegisterRequest, speaker: str) -> str:
    name, namespace = request.canonical_name, request.namespace
    other = taken_title(call, namespace, name)
    if other is not None:
        raise Failure(
            Code.CONFLICT,
            f"{namespace!r} has a memory with this title that is no entity: {other.record_id}",
            path="$.canonical_name",
            next="Choose another name or namespace, or rename that memory.",
            details={"id": other.record_id},
        )
    entity_id = call.new_id()
    metadata = {**(request.metadata or {}), "kind": ENTITY}
    call.tx.change(
        edit(
            entity_id,
            call.now_us,
            tags=(ENTITY,),
            body=body(name, name, metadata),
            facts=facts(call.author, speaker, "api", call.now_us, None, None),
            namespace=namespace,
            scope=(request.scope or Scope.PRIVATE).value,
            tier=Tier.LONG.value,
            priority=PRIORITY,
            confidence=1.0,
            expires_at=None,
            life=LIVE,
        )
    )
    return entity_id


def _add_to(call: WriteCall, row: MemoryRow, request: EntityRegisterRequest) -> None:
    """What the request says of a known entity, as far as it is new."""
    registers: dict[str, Any] = {}
    metadata = {**row.metadata, **(request.metadata or {}), "kind": ENTITY}
    if metadata != row.metadata:
        registers["body"] = body(row.title, row.content, metadata)
    if request.scope is not None and request.scope.value != row.scope:
        registers["scope"] = request.scope.value
    if registers:
        call.tx.change(edit(row.record_id, call.now_us, life=LIVE, **registers))


def add_aliases(call: WriteCall, entity_id: str, name: str, given: tuple[str, ...]) -> list[str]:
    """Give an entity further names, and say which were new: in any capitals each is kept once.

    Raises INVALID_ARGUMENT for more than ALIASES_MAX.
    """
    have = call.view.aliases_of((entity_id,)).get(entity_id, ())
    known = {folded(one) for one in (name, *have)}
    new: list[str] = []
    for one in given:
        if folded(one) not in known:
            known.add(folded(one))
            new.append(one)
    if len(have) + len(new) > ALIASES_MAX:
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"an entity has at most {ALIASES_MAX} aliases",
            path="$.aliases",
            next="Give fewer.",
        )
    if new:
        call.tx.change(Change(f"{ENTITY}:{entity_id}", ENTITY, tag=tuple(new)))
    return new


def _means_another(call: ReadCall, name: str, place: Filter, entity_id: str) -> bool:
    called = call.view.entities_called(folded(name), wanted(call, place), 2)
    return any(row.record_id != entity_id for row in called)


@operation
def entity_get_by_alias(
    call: ReadCall, request: EntityGetByAliasRequest
) -> EntityGetByAliasResponse:
    """The one entity that has the name, or all that it could be."""
    place = place_filter(None)
    if request.namespace is not None:
        place = Filter(namespaces=(request.namespace,))
    rows = call.view.entities_called(folded(request.alias), wanted(call, place), CANDIDATES_MAX)
    candidates = shown_entities(call, rows)
    if len(candidates) != 1:
        return EntityGetByAliasResponse(ambiguous=bool(candidates), candidates=candidates)
    one = candidates[0]
    return EntityGetByAliasResponse(
        found=True, entity_id=one.entity_id, canonical_name=one.canonical_name,
        namespace=one.namespace, aliases=one.aliases,
    )  # fmt: skip


@operation
def entity_list(call: ReadCall, request: EntityListRequest) -> EntityListResponse:
    """Entities by their names, one page."""
    chosen = wanted(call, place_filter(request.namespace))
    after = read_words_cursor("entities", request.cursor, 2)
    start = None if after is None else (after[0], after[1])
    rows, then = call.view.list_entities(chosen, start, request.limit)
    entities = shown_entities(call, rows)
    return EntityListResponse(
        entities=entities, count=len(entities), next_cursor=write_cursor("entities", then)
    )


def shown_entities(call: ReadCall, rows: list[MemoryRow]) -> tuple[Entity, ...]:
    """The entities that these memories stand for, with their other names."""
    aliases = call.view.aliases_of([row.record_id for row in rows])
    return tuple(
        Entity(
            entity_id=row.record_id,
            canonical_name=row.title,
            namespace=row.namespace,
            aliases=aliases.get(row.record_id, ()),
        )
        for row in rows
    )
