"""Recall and search as the memories were known at an earlier moment.

What has not changed since is found in the index, which knows no other time than now; what has is
folded from the log again and held against the words. Both are scored alike. There is no index of
what memories used to say, so of those that have changed no more than CHANGED_MAX are looked at,
and the answer says so when there are more.

Who may see a memory is decided twice: by the scope and the place that it had then, and by those
that it has now. What was private then is not told to whom it was widened for later, and what has
become private since is not told any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aimem_node.contract.values import (
    Memory,
    Pool,
    Reason,
    RecallRequest,
    RecallResponse,
    SearchRequest,
    SearchResponse,
    Standard,
)  # fmt: skip
from aimem_node.operations import recall as present
from aimem_node.operations.call import ReadCall
from aimem_node.operations.finding import POOL
from aimem_node.operations.past import NoTouches
from aimem_node.operations.ranking import rank
from aimem_node.operations.shapes import memory_of, place_filter, wanted
from aimem_node.operations.sight_of import narrowed, sight_of
from aimem_node.operations.standards import standards_for
from aimem_node.replica.touch import Touch, Touches
from aimem_node.store.fulltext import Mode
from aimem_node.store.listing import Filter, holds
from aimem_node.store.projection import memory_of as row_of
from aimem_node.store.rows import MemoryRow, tags_text
from aimem_node.store.view import View
from aimem_node.store.view_past import Named
from aimem_sync.display import display

CHANGED_MAX = 2_000
"""Memories changed since that are looked at; folding one again takes about 0.1 ms."""
FOLDED_AT_ONCE = 100
"""Of their ops, which may be 64 KiB each, so many records' stand in memory at once."""
BY_WORDS_ALONE = "semantic: the past is looked for by its words alone"


@dataclass(frozen=True, slots=True)
class Untouched:
    """Shows what was recalled, and counts no recall more."""

    touches: Touches

    def of(self, record_id: str) -> Touch | None:
        """What is counted and not yet told."""
        return self.touches.of(record_id)

    def add(self, recalled: Mapping[str, int | None], now_us: int) -> None:
        """Nothing was recalled."""


@dataclass(frozen=True, slots=True)
class PastHit:
    """A memory as it was, and how well it fits."""

    row: MemoryRow
    score: float


@dataclass(frozen=True, slots=True)
class PastHits:
    """What was found of the past."""

    hits: tuple[PastHit, ...]
    "Best first."
    pools: tuple[Pool, ...]
    unavailable: tuple[str, ...]
    "What could not be looked at, and why."


def recall_as_of(call: ReadCall, request: RecallRequest, as_of_us: int) -> RecallResponse:
    """As recall, of what was known at a moment. Nothing lives longer by it.

    A moment that is still to come is now.
    """
    if as_of_us >= call.now_us:
        unseen = replace(call, touches=Untouched(call.touches))
        return present.recall(unseen, replace(request, as_of=None))
    then = call_then(call, as_of_us)
    place, leaf = present.with_ancestors(request.namespace)
    chosen = wanted(
        then, place, tier=request.tier, tags=request.tags, agent_id=request.agent_id,
        session=request.session, since=request.since, until=request.until,
        as_agent=request.as_agent,
    )  # fmt: skip
    standards, untold = _standards(then, request)
    given_anyway = {one.standard_id for one in standards}
    pool = max(POOL, 2 * request.limit) + len(given_anyway)
    found = past_candidates(then, request.context, "any", chosen, pool)
    best = max((hit.score for hit in found.hits), default=1.0) or 1.0
    ranked = [
        rank(hit.row, {"words": hit.score}, best, then.now_us, leaf)
        for hit in found.hits
        if hit.row.record_id not in given_anyway
    ]
    ranked.sort(key=lambda one: one.order)
    rows = {hit.row.record_id: hit.row for hit in found.hits}
    asked = ranked[: request.limit]
    kept, used = present.within_budget(
        [rows[one.record_id] for one in asked], request.budget_tokens
    )
    given = [one for one in asked if one.record_id in kept]
    unavailable = found.unavailable
    if request.mode != "keyword":
        unavailable = (BY_WORDS_ALONE, *unavailable)
    if untold:
        unavailable += (f"standards: this node does not hold any more what {untold} of them said",)
    return RecallResponse(
        memories=tuple(_shown(then, rows[one.record_id], one.score) for one in given),
        count=len(given),
        mode="keyword",
        tokens_used=used,
        budget_tokens=request.budget_tokens,
        left_out=len(asked) - len(given),
        candidates=sum(pool.candidates for pool in found.pools),
        unavailable=unavailable,
        reasons=tuple(Reason(id=one.record_id, factors=one.factors) for one in given)
        if request.explain
        else (),
        standards=standards,
        pools=found.pools,
    )


def search_as_of(call: ReadCall, request: SearchRequest, as_of_us: int) -> SearchResponse:
    """As search, of what was known at a moment."""
    if as_of_us >= call.now_us:
        return present.search(call, replace(request, as_of=None))
    then = call_then(call, as_of_us)
    chosen = wanted(
        then, place_filter(request.namespace), tier=request.tier, tags=request.tags,
        agent_id=request.agent_id, session=request.session, min_priority=request.min_priority,
        since=request.since, until=request.until, as_agent=request.as_agent,
    )  # fmt: skip
    found = past_candidates(then, request.query, "all", chosen, request.limit)
    kept, _used = present.within_budget([hit.row for hit in found.hits], None)
    results = tuple(
        _shown(then, hit.row, hit.score) for hit in found.hits if hit.row.record_id in kept
    )
    return SearchResponse(
        results=results,
        count=len(results),
        query=request.query,
        left_out=len(found.hits) - len(results),
        unavailable=found.unavailable,
    )


def call_then(call: ReadCall, as_of_us: int) -> ReadCall:
    """The call as if made at that moment. What the caller may see is found out in the present."""
    sight_of(call)
    then = replace(call, now_us=as_of_us, touches=NoTouches())  # type: ignore[arg-type]
    then.found_out.update(call.found_out)
    return then


def past_candidates(then: ReadCall, text: str, mode: Mode, chosen: Filter, limit: int) -> PastHits:
    """The best `limit` memories for a text, as they were known at the moment of the call. `chosen`
    is of then, and holds the sight that the caller has now."""
    told_us = then.now_us
    standing = _standing(then.view, text, mode, chosen, told_us, limit)
    since = then.view.changed_since(told_us, chosen, CHANGED_MAX)
    changed = _changed(then.view, text, mode, chosen, told_us, since.names, limit)
    unavailable: list[str] = []
    if not since.is_all:
        unavailable.append(
            f"past: more than {len(since.names):,} memories have changed since then,"
            " and only those changed last were looked at"
        )
    if changed.lost:
        unavailable.append(
            f"past: this node does not hold any more what {changed.lost:,} of the memories that"
            " have changed since said then"
        )
    pools = (
        Pool(name="keyword", candidates=len(standing)),
        Pool(name="past", candidates=changed.count),
    )
    return PastHits(_best([*standing, *changed.hits], limit), pools, tuple(unavailable))


def _standing(
    view: View, text: str, mode: Mode, chosen: Filter, told_us: int, limit: int
) -> list[PastHit]:
    """Those that say now what they said then. Of one recalled since, its life is told again."""
    hits = view.search(text, mode, replace(chosen, told_us=told_us), limit).hits
    rows = {row.record_id: row for row in view.memories([hit.record_id for hit in hits])}
    recalled = view.told_since(list(rows), told_us)
    told = view.known_then(sorted(recalled), told_us)
    found: list[PastHit] = []
    for hit in hits:
        row: MemoryRow | None = rows[hit.record_id]
        state = told.states.get(hit.record_id)
        # One whose past the log has given up says the same as then; only its recalls are unknown.
        if row is not None and state is not None:
            row = row_of(display(state), row.rid, row.lamport, row.write_id)
        if row is not None and holds(chosen, row):
            found.append(PastHit(row, hit.score))
    return found


@dataclass(frozen=True, slots=True)
class _Changed:
    """Memories that said something else."""

    hits: tuple[PastHit, ...]
    "The best."
    count: int
    "How many fitted."
    lost: int
    "Of how many the log has given up what they said."


def _changed(
    view: View, text: str, mode: Mode, chosen: Filter, told_us: int, names: Sequence[Named],
    limit: int,
) -> _Changed:  # fmt: skip
    """The best `limit` of these memories as they were."""
    query = view.text_query(text, mode)
    best: tuple[PastHit, ...] = ()
    count = lost = 0
    for at in range(0, len(names), FOLDED_AT_ONCE):
        by_id = {one.record_id: one for one in names[at : at + FOLDED_AT_ONCE]}
        told = view.known_then(list(by_id), told_us)
        lost += len(told.lost)
        found: list[PastHit] = []
        for record_id, state in told.states.items():
            one = by_id[record_id]
            row = row_of(display(state), one.rid, one.lamport, one.write_id)
            if query is None or row is None or not holds(chosen, row):
                continue
            score = query.score(row.title, row.content, tags_text(row.tags))
            if score:
                found.append(PastHit(row, score))
        count += len(found)
        best = _best([*best, *found], limit)
    return _Changed(best, count, lost)


def _order(hit: PastHit) -> tuple[float, int, str]:
    """Best first; of equals the one written last, as everywhere and on every node."""
    return (-hit.score, -hit.row.lamport, hit.row.record_id)


def _best(hits: Sequence[PastHit], limit: int) -> tuple[PastHit, ...]:
    return tuple(sorted(hits, key=_order)[:limit])


def _standards(then: ReadCall, request: RecallRequest) -> tuple[tuple[Standard, ...], int]:
    """The standards that held then, and of how many records that say so nothing can be told."""
    view = then.view.then(then.now_us, narrowed(then, request.as_agent))
    call = replace(then, view=view)
    call.found_out.update(then.found_out)
    return standards_for(call, request.namespace, request.as_agent), len(view.lost)


def _shown(then: ReadCall, row: MemoryRow, score: float) -> Memory:
    return replace(memory_of(then, row, round(score, 3)), pending=False)
