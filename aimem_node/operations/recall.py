"""Find memories. The keyword tier: candidates by full text, then bounded factors.

Scores are normalised before anything is multiplied in, so that no constant can drown the match
itself: a factor moves a hit by a tenth, never from the bottom to the top. Where the system this
one follows added +8 for a long memory of priority 10, an unrelated one could win.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aimem_node.contract.values import (
    Memory,
    Reason,
    RecallRequest,
    RecallResponse,
    SearchRequest,
    SearchResponse,
    SessionStartRequest,
    SessionStartResponse,
    Tier,
)  # fmt: skip
from aimem_node.operations.call import ReadCall
from aimem_node.operations.lives import HALF_LIFE_US
from aimem_node.operations.messages import unread_of
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import memory_of, place_filter, tokens, wanted
from aimem_node.operations.standards import standards_for
from aimem_node.store.listing import PAGE_BYTES_MAX, Filter, Order
from aimem_node.store.rows import MemoryRow, size_bytes

POOL_MIN = 40
"""Candidates that are ranked, at least; twice what is asked for if that is more. The factors move
a hit by a fifth, and need no wider choice than this."""
RECENCY_SHARE = 0.15
PRIORITY_STEP = 0.02
CONFIDENCE_SHARE = 0.2
TIER_FACTOR = {Tier.SHORT: 0.97, Tier.MID: 1.0, Tier.LONG: 1.03}
ANCESTOR_STEP = 0.3
"""A memory one level above the asked namespace counts 1/1.3 of one in it."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with what made its score."""

    row: MemoryRow
    score: float
    factors: dict[str, float]


@operation
def recall(call: ReadCall, request: RecallRequest) -> RecallResponse:
    """The best fits, best first, within the budget. What is returned lives longer by it."""
    place, leaf = with_ancestors(request.namespace)
    chosen = wanted(
        call, place, tier=request.tier, tags=request.tags, agent_id=request.agent_id,
        session=request.session, since=request.since, until=request.until,
        as_agent=request.as_agent,
    )  # fmt: skip
    standards = standards_for(call, request.namespace, request.as_agent)
    given_anyway = {one.standard_id for one in standards}
    pool = max(POOL_MIN, 2 * request.limit) + len(given_anyway)
    result = call.view.search(request.context, "any", chosen, pool)
    rows = {row.record_id: row for row in call.view.memories([h.record_id for h in result.hits])}
    best = max((hit.score for hit in result.hits), default=1.0) or 1.0
    ranked = [
        _rank(rows[hit.record_id], hit.score / best, call.now_us, leaf)
        for hit in result.hits
        if hit.record_id in rows and hit.record_id not in given_anyway
    ]
    ranked.sort(key=lambda one: (-one.score, -one.row.lamport, one.row.record_id))
    kept, used = within_budget([one.row for one in ranked[: request.limit]], request.budget_tokens)
    given = [one for one in ranked[: request.limit] if one.row.record_id in kept]
    call.touches.add({one.row.record_id: one.row.expires_us for one in given}, call.now_us)
    memories = tuple(memory_of(call, one.row, round(one.score, 3)) for one in given)
    reasons = tuple(Reason(id=one.row.record_id, factors=one.factors) for one in given)
    return RecallResponse(
        memories=memories,
        count=len(memories),
        mode="keyword",
        tokens_used=used,
        budget_tokens=request.budget_tokens,
        left_out=min(len(ranked), request.limit) - len(memories),
        candidates=result.candidates,
        unavailable=("semantic: no embedder is configured",),
        reasons=reasons if request.explain else (),
        standards=standards,
    )


def with_ancestors(namespace: str | None) -> tuple[Filter, str]:
    """Where to look, and the namespace from which distance counts: one with '/' includes all
    above it; a flat name or a pattern is what it says, and has no distance."""
    if not namespace or "/" not in namespace or namespace.endswith("/*"):
        return place_filter(namespace), ""
    parts = place_filter(namespace).namespaces[0].split("/")
    return Filter(
        namespaces=tuple("/".join(parts[:n]) for n in range(len(parts), 0, -1))
    ), namespace


def _rank(row: MemoryRow, match: float, now_us: int, leaf: str) -> Ranked:
    tier = Tier(row.tier)
    age_us = max(0, now_us - row.created_us)
    fresh: float = 2.0 ** (-age_us / HALF_LIFE_US[tier])
    factors = {
        "match": match,
        "recency": 1 - RECENCY_SHARE + RECENCY_SHARE * fresh,
        "priority": 1 + PRIORITY_STEP * (row.priority - 5),
        "confidence": 1 - CONFIDENCE_SHARE + CONFIDENCE_SHARE * row.confidence,
        "tier": TIER_FACTOR[tier],
    }
    if leaf:
        above = leaf.count("/") - row.namespace.count("/")
        factors["distance"] = 1 / (1 + ANCESTOR_STEP * max(0, above))
    score = 1.0
    for value in factors.values():
        score *= value
    return Ranked(row, score, {name: round(value, 4) for name, value in factors.items()})


def within_budget(rows: Sequence[MemoryRow], budget_tokens: int | None) -> tuple[set[str], int]:
    """Which of the rows fit, taken in order; the first always does. Also the tokens they cost.

    Whatever the budget, an answer ends at PAGE_BYTES_MAX: stock gRPC clients take no 4 MiB.
    """
    kept: set[str] = set()
    used = weight = 0
    for row in rows:
        cost, more = tokens(row), size_bytes(row)
        fits = budget_tokens is None or used + cost <= budget_tokens
        if not kept or (fits and weight + more <= PAGE_BYTES_MAX):
            kept.add(row.record_id)
            used += cost
            weight += more
    return kept, used


@operation
def search(call: ReadCall, request: SearchRequest) -> SearchResponse:
    """Memories that hold all the words, by how well they match. Changes nothing."""
    chosen = wanted(
        call, place_filter(request.namespace), tier=request.tier, tags=request.tags,
        agent_id=request.agent_id, session=request.session, min_priority=request.min_priority,
        since=request.since, until=request.until, as_agent=request.as_agent,
    )  # fmt: skip
    hits = call.view.search(request.query, "all", chosen, request.limit).hits
    scores = {hit.record_id: hit.score for hit in hits}
    rows = call.view.memories(list(scores))
    kept, _used = within_budget(rows, None)
    results = tuple(
        memory_of(call, row, round(scores[row.record_id], 3))
        for row in rows
        if row.record_id in kept
    )
    return SearchResponse(
        results=results,
        count=len(results),
        query=request.query,
        left_out=len(rows) - len(results),
    )


@operation
def session_start(call: ReadCall, request: SessionStartRequest) -> SessionStartResponse:
    """The most important memories, the recent first, here and in the ancestors; before them what
    everyone should know who works here, and how many messages wait."""
    place, _ = with_ancestors(request.namespace)
    chosen = wanted(call, place, agent_id=request.agent_id, as_agent=request.as_agent)
    standards = standards_for(call, request.namespace, request.as_agent)
    given_anyway = {one.standard_id for one in standards}
    more = request.limit + len(given_anyway)
    listed, _then = call.view.list_memories(chosen, Order.IMPORTANCE, None, more)
    rows = [row for row in listed if row.record_id not in given_anyway][: request.limit]
    kept, used = within_budget(rows, request.budget_tokens)
    memories: tuple[Memory, ...] = tuple(
        memory_of(call, row) for row in rows if row.record_id in kept
    )
    return SessionStartResponse(
        memories=memories,
        count=len(memories),
        mode="session_start",
        tokens_used=used,
        session_id=call.chance.record_id(),
        standards=standards,
        unread=unread_of(call, request.agent_id),
    )
