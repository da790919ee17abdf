"""Make fewer memories of many, and one of two that do not agree. Nothing is lost by it.

What is replaced goes into the archive with a link to what replaced it, and every step is written
down so that it can be undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    ConsolidateRequest,
    ConsolidateResponse,
    ResolveRequest,
    ResolveResponse,
    Scope,
)  # fmt: skip
from aimem_node.operations.call import WriteCall
from aimem_node.operations.curation_log import record_step
from aimem_node.operations.graph import SUPERSEDES, archive_superseded, supersede_by
from aimem_node.operations.links import end_link, state_link
from aimem_node.operations.lives import ACCESS_COUNT_MAX, first_expiry_us
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import (
    LIVE,
    MEMORY,
    archived,
    body,
    edit,
    facts,
    found,
    taken_title,
)  # fmt: skip
from aimem_node.operations.sight_of import refuse_reserved
from aimem_node.store.rows import MemoryRow
from aimem_sync.change import Change

CONTRADICTS: Final = "contradicts"
DERIVED: Final = "derived_from"
CONSOLIDATED: Final = "consolidated"
"""Why a memory is in the archive that was made part of another one."""
SOURCE: Final = "consolidation"
SOURCES_MIN: Final = 2
PRIORITY_MIN: Final = 5
TAGS_MAX: Final = 50
KEPT_PRIORITY: Final = 1
KEPT_CONFIDENCE: Final = 0.1
_NARROW: Final = tuple(
    one.value for one in (Scope.PRIVATE, Scope.TEAM, Scope.UNIT, Scope.ORG, Scope.COLLECTIVE)
)
"""Scopes, the narrowest first."""


@operation
def resolve(call: WriteCall, request: ResolveRequest) -> ResolveResponse:
    """Let one of two that contradict each other take the place of the other."""
    speaker = call.speaker(request.agent_id)
    winner = found(call, request.winner_id, "$.winner_id")
    loser = found(call, request.loser_id, "$.loser_id", life="any")
    refuse_reserved(loser.namespace, "$.loser_id")
    link_id = supersede_by(call, winner, loser, speaker)
    linked = bool(call.tx.ops)
    ended = _end_contradictions(call, winner.record_id, loser.record_id)
    goes = not request.keep and loser.life == "live"
    was = _put_last(call, loser) if request.keep and loser.life == "live" else {}
    if goes:
        archive_superseded(call, loser)
    step_id = ""
    if call.tx.ops:
        step_id = record_step(
            call, "resolve", (loser.record_id,), winner.record_id, namespace=winner.namespace,
            agent_id=speaker, archived=(loser.record_id,) if goes else (),
            links=(link_id,) if linked else (), ended=ended, was=was,
        )  # fmt: skip
    return ResolveResponse(
        resolved=True,
        winner_id=winner.record_id,
        loser_id=loser.record_id,
        archived=goes or loser.life == "archived",
        step_id=step_id,
    )


def _end_contradictions(call: WriteCall, one: str, other: str) -> dict[str, int | None]:
    """End the links by which either contradicts the other; until when each was to hold."""
    ended: dict[str, int | None] = {}
    for source, target in ((one, other), (other, one)):
        for link in call.view.links_between(source, target, CONTRADICTS):
            if link.valid_until_us is None or link.valid_until_us > call.now_us:
                ended[link.record_id] = link.valid_until_us
                end_link(call, link, max(call.now_us, link.valid_from_us))
    return ended


def _put_last(call: WriteCall, loser: MemoryRow) -> dict[str, dict[str, Any]]:
    """Leave a memory live, behind all others; what it had before."""
    priority = min(KEPT_PRIORITY, loser.priority)
    confidence = min(KEPT_CONFIDENCE, loser.confidence)
    if (priority, confidence) == (loser.priority, loser.confidence):
        return {}
    call.tx.change(edit(loser.record_id, call.now_us, priority=priority, confidence=confidence))
    return {loser.record_id: {"priority": loser.priority, "confidence": loser.confidence}}


@operation
def consolidate(call: WriteCall, request: ConsolidateRequest) -> ConsolidateResponse:
    """Write one memory that says what several said, and archive these behind it.

    It is as sure as the least sure of them, as important as the most important, and seen by no
    more than the one that fewest see. Rules and standards of theirs are not taken over.
    """
    speaker = call.speaker(request.agent_id)
    rows = _sources(call, request.ids)
    namespace = request.namespace or _common_namespace(rows)
    refuse_reserved(namespace)
    _refuse_taken(call, namespace, request.title, rows)
    ids = [row.record_id for row in rows]
    record_id = call.new_id()
    call.tx.change(_made(call, request, rows, record_id, namespace, speaker))
    links = []
    for at, source_id in enumerate(ids):
        for index, relation in ((2 * at + 1, DERIVED), (2 * at + 2, SUPERSEDES)):
            links.append(call.new_id(index))
            state_link(call, links[-1], record_id, source_id, relation, speaker)
        life = archived(CONSOLIDATED, call.now_us, None)
        call.tx.change(Change(source_id, MEMORY, set={"life": life}))
    step_id = record_step(
        call, "consolidate", ids, record_id, namespace=namespace, agent_id=speaker,
        archived=ids, links=links, made=(record_id,),
    )  # fmt: skip
    return ConsolidateResponse(id=record_id, consolidated=len(ids), step_id=step_id)


def _sources(call: WriteCall, ids: Sequence[str]) -> list[MemoryRow]:
    """The live memories that the ids name, each once."""
    rows: dict[str, MemoryRow] = {}
    for at, prefix in enumerate(ids):
        row = found(call, prefix, f"$.ids[{at}]")
        refuse_reserved(row.namespace, f"$.ids[{at}]")
        rows[row.record_id] = row
    if len(rows) < SOURCES_MIN:
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"at least {SOURCES_MIN} different memories are made one",
            path="$.ids",
            next="Name the others too.",
        )
    return list(rows.values())


def _common_namespace(rows: Sequence[MemoryRow]) -> str:
    """Where all of them lie, or the nearest namespace above them."""
    paths = [row.namespace.split("/") for row in rows]
    common = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    if not common:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "these memories lie in namespaces that have nothing in common",
            path="$.namespace",
            next="Say in which namespace the new memory is to lie.",
        )
    return "/".join(common)


def _refuse_taken(call: WriteCall, namespace: str, title: str, rows: Sequence[MemoryRow]) -> None:
    """Refuse a title that another memory has. One that goes may leave its own."""
    other = taken_title(call, namespace, title)
    if other is not None and other.record_id not in {row.record_id for row in rows}:
        raise Failure(
            Code.CONFLICT,
            f"{namespace!r} already has a memory with this title: {other.record_id}",
            path="$.title",
            next="Choose another title, or consolidate that one too.",
            details={"id": other.record_id},
        )


def _made(
    call: WriteCall,
    request: ConsolidateRequest,
    rows: Sequence[MemoryRow],
    record_id: str,
    namespace: str,
    speaker: str,
) -> Change:
    """The new memory."""
    often = Counter(tag for row in rows for tag in row.tags)
    tags = sorted(often, key=lambda tag: (-often[tag], tag))[:TAGS_MAX]
    metadata = {
        "derived_from": [row.record_id for row in rows],
        "consolidated_from_agents": sorted({row.agent_id for row in rows if row.agent_id}),
    }
    change = edit(
        record_id,
        call.now_us,
        tags=tags,
        body=body(request.title, request.summary, metadata),
        facts=facts(call.author, speaker, SOURCE, call.now_us, None, None),
        namespace=namespace,
        scope=_NARROW[min(map(_breadth, rows))],
        tier=request.tier.value,
        priority=max(PRIORITY_MIN, *(row.priority for row in rows)),
        confidence=min(row.confidence for row in rows),
        expires_at=first_expiry_us(request.tier, None, None, call.now_us),
        life=LIVE,
    )
    recalls = min(ACCESS_COUNT_MAX, sum(row.access_count for row in rows))
    return replace(change, count={"access": recalls}) if recalls else change


def _breadth(row: MemoryRow) -> int:
    """How many see a memory. A scope of a later version counts as the narrowest."""
    return _NARROW.index(row.scope) if row.scope in _NARROW else 0
