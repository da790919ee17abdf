"""Find memories: what fits a question, what holds all the words, what to know at the start.

What fits is found and ranked in finding; here it is cut to the limit and the budget and told.
"""

from collections.abc import Sequence

from aimem_node.contract.values import (
    Memory,
    Pool,
    Reason,
    RecallRequest,
    RecallResponse,
    SearchRequest,
    SearchResponse,
    SessionStartRequest,
    SessionStartResponse,
)  # fmt: skip
from aimem_node.operations import recall_past
from aimem_node.operations.call import ReadCall
from aimem_node.operations.expansion import expand
from aimem_node.operations.finding import Wish, find
from aimem_node.operations.messages import unread_of
from aimem_node.operations.registry import operation
from aimem_node.operations.reranking import read_again
from aimem_node.operations.shapes import memory_of, place_filter, tokens, wanted
from aimem_node.operations.standards import standards_for
from aimem_node.store.listing import PAGE_BYTES_MAX, Filter, Order
from aimem_node.store.rows import MemoryRow, size_bytes

RERANKED = 50
"""Hits that are read again where that is asked for, before the cut: as many as a recall may
give."""
EXPAND_BUDGET_S = 1.5
NONE: tuple[tuple[str, ...], str] = ((), "")


@operation
def recall(call: ReadCall, request: RecallRequest) -> RecallResponse:
    """The best fits, best first, within the budget. What is returned lives longer by it, unless it
    is there only for what stands beside it: or what nobody asks for would live for ever."""
    if request.as_of is not None:
        return recall_past.recall_as_of(call, request, request.as_of)
    place, leaf = with_ancestors(request.namespace)
    chosen = wanted(
        call, place, tier=request.tier, tags=request.tags, agent_id=request.agent_id,
        session=request.session, since=request.since, until=request.until,
        as_agent=request.as_agent,
    )  # fmt: skip
    standards = standards_for(call, request.namespace, request.as_agent)
    given_anyway = {one.standard_id for one in standards}
    added, not_added = expand(call, request.context, EXPAND_BUDGET_S) if request.expand else NONE
    found = find(
        call,
        Wish(
            request.context, chosen, leaf, added, by_meaning=request.mode != "keyword",
            context=" ".join(request.context_tokens),
        ),
    )  # fmt: skip
    ranked = [one for one in found.ranked if one.record_id not in given_anyway]
    again = read_again(call, request.rerank, request.context, ranked[:RERANKED])
    best = again.ranked[: request.limit]
    rows = {row.record_id: row for row in call.view.memories([one.record_id for one in best])}
    kept, used = within_budget(list(rows.values()), request.budget_tokens)
    given = [one for one in best if one.record_id in kept]
    own = [one.record_id for one in given if one.record_id not in found.beside]
    call.touches.add({record_id: rows[record_id].expires_us for record_id in own}, call.now_us)
    return RecallResponse(
        memories=tuple(memory_of(call, rows[one.record_id], round(one.score, 3)) for one in given),
        count=len(given),
        mode=found.mode + ("+rerank" if again.ran else ""),
        tokens_used=used,
        budget_tokens=request.budget_tokens,
        left_out=len(best) - len(given),
        candidates=sum(found.pools.values()),
        unavailable=(
            *found.unavailable,
            *_told("rerank", again.unavailable),
            *_told("expand", not_added),
        ),
        reasons=tuple(Reason(id=one.record_id, factors=one.factors) for one in given)
        if request.explain
        else (),
        standards=standards,
        pools=tuple(Pool(name=name, candidates=n) for name, n in found.pools.items()),
        expanded=added,
    )


def _told(what: str, unavailable: str) -> tuple[str, ...]:
    return (f"{what}: {unavailable}",) if unavailable else ()


def with_ancestors(namespace: str | None) -> tuple[Filter, str]:
    """Where to look, and the namespace from which distance counts: one with '/' includes all
    above it; a flat name or a pattern is what it says, and has no distance."""
    if not namespace or "/" not in namespace or namespace.endswith("/*"):
        return place_filter(namespace), ""
    parts = place_filter(namespace).namespaces[0].split("/")
    return Filter(
        namespaces=tuple("/".join(parts[:n]) for n in range(len(parts), 0, -1))
    ), namespace


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
    if request.as_of is not None:
        return recall_past.search_as_of(call, request, request.as_of)
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
