"""Say whether something like this is stored already, before it is stored once more.

An exact copy is found by its fingerprint, wherever it is and however common its words are. What is
merely alike is looked for among the memories that share its rarest words, and among those nearest
by meaning where there is a model; a model that is slow is not waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final

from aimem_node.contract.values import CheckDuplicateRequest, CheckDuplicateResponse, Likeness
from aimem_node.embedding.text import passage_text
from aimem_node.operations.call import ReadCall
from aimem_node.operations.likeness import (
    Likened,
    Said,
    cosines_of,
    likened,
    nearest,
    tokens_read,
)
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import place_filter, wanted
from aimem_node.operations.similarity import similarity
from aimem_node.store.listing import Filter
from aimem_node.store.rows import MemoryRow
from aimem_node.store.view_likeness import ROWS_READ_MAX
from aimem_node.store.words import STOP_WORDS, words_of

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

THRESHOLD_MIN: Final = 0.5
SHOWN_MAX: Final = 5
CANDIDATES_MAX: Final = 30
"""Memories that are compared word by word."""
NEAREST_MAX: Final = 10
"""Memories that are compared for being near by meaning."""
CLOSELY_MAX: Final = 10
"""Of all of these the most alike, that are read for what differs: up to 1 ms each."""
WORDS_MAX: Final = 48
"""Words of the text of which it is found out how rare they are, 0.05 ms each."""
CHARS_COMPARED_MAX: Final = 64_000
"""Of all candidates together, 8 ms. Those that are left out are the least likely ones."""
MODEL_BUDGET_S: Final = 0.25
"""How long a vector of the text is waited for."""
EXACT, KEYWORD, VECTOR = "exact", "keyword", "vector"
COPY: Final = Likened(1.0, by_meaning=False, differs=())


@operation
def check_duplicate(call: ReadCall, request: CheckDuplicateRequest) -> CheckDuplicateResponse:
    """The most alike among what the caller sees, and whether it is alike enough to be the same.

    Similarity is that of operations/likeness.py. A duplicate has at least the threshold, which is
    at least a half, and nothing is seen in which it differs.
    """
    threshold = min(1.0, max(THRESHOLD_MIN, request.threshold))
    here = wanted(call, place_filter(request.namespace))
    same = call.view.saying(request.title, request.content, here, SHOWN_MAX)
    vectors: Mapping[str, Numbers] = {}
    unavailable: list[str] = []
    by_words: list[MemoryRow]
    if same:  # no model knows better
        by_words = sharing_words(call, request.title, request.content, here, _ids(same))
    else:
        later = call.embedding.query_later(passage_text(request.title, request.content))
        by_words = sharing_words(call, request.title, request.content, here)
        asked = later(MODEL_BUDGET_S)
        vectors = asked.vectors
        unavailable += [f"semantic: {asked.unavailable}"] if asked.unavailable else []
    near = nearest(call, vectors, here, NEAREST_MAX)
    unavailable += [f"semantic: {near.missing}"] if near.missing else []
    candidates = fitting([*by_words, *others(call, near.record_ids, by_words)])
    cosines = {**cosines_of(call, vectors, by_words), **near.cosines}
    said = Said(request.title, request.content)
    found = [(row, COPY) for row in same]
    found += compared(said, candidates, cosines, tokens_read(call), CLOSELY_MAX)
    found.sort(key=lambda one: (not _is_same(one[1], threshold), -one[1].similarity))
    shown = [likeness(row, like) for row, like in found[:SHOWN_MAX] if like.similarity > 0]
    is_duplicate = bool(shown) and _is_same(found[0][1], threshold)
    by_meaning = found[0][1].by_meaning if shown else bool(vectors)
    return CheckDuplicateResponse(
        is_duplicate=is_duplicate,
        threshold=threshold,
        nearest=shown[0] if shown else None,
        suggested_merge=shown[0].id if is_duplicate else "",
        candidates_scanned=len(same) + len(candidates),
        method=EXACT if same else VECTOR if by_meaning else KEYWORD,
        candidates=tuple(shown),
        unavailable=tuple(unavailable),
    )


def compared(
    said: Said,
    rows: Sequence[MemoryRow],
    cosines: Mapping[int, float],
    tokens_max: int,
    closely_max: int,
    read: Callable[[MemoryRow], Said] = Said.of,
) -> list[tuple[MemoryRow, Likened]]:
    """The rows most alike, at most `closely_max` of them, compared with a text; the most alike
    first, of equal ones that which came first."""
    texts = {row.rid: read(row) for row in rows}

    def at_most(row: MemoryRow) -> float:
        return max(cosines.get(row.rid, 0.0), similarity(said.shape, texts[row.rid].shape))

    best = sorted(rows, key=lambda row: -at_most(row))[:closely_max]
    found = [(row, likened(said, texts[row.rid], cosines.get(row.rid), tokens_max)) for row in best]
    return sorted(found, key=lambda one: -one[1].similarity)


def sharing_words(
    call: ReadCall,
    title: str,
    content: str,
    here: Filter,
    but: AbstractSet[str] = frozenset(),
    limit: int = CANDIDATES_MAX,
) -> list[MemoryRow]:
    """Memories that share rare words with the text, the likeliest first."""
    words = [*words_of(title), *words_of(content)]
    telling = [word for word in dict.fromkeys(words) if word not in STOP_WORDS]
    terms = call.view.terms(telling[:WORDS_MAX])
    rows = call.view.sharing(terms, here, limit + len(but))
    if not any(0 < term.rows <= ROWS_READ_MAX for term in terms):  # it has common words only
        text = " ".join(telling[:WORDS_MAX] or words[:WORDS_MAX])
        hits = call.view.search(text, "any", here, limit + len(but)).hits
        rows = call.view.memories([hit.record_id for hit in hits])
    return [row for row in rows if row.record_id not in but][:limit]


def others(call: ReadCall, record_ids: Sequence[str], but: Sequence[MemoryRow]) -> list[MemoryRow]:
    """The memories with these ids that are not among others."""
    known = _ids(but)
    return call.view.memories([one for one in record_ids if one not in known])


def fitting(rows: Sequence[MemoryRow]) -> list[MemoryRow]:
    """As many of them as there is time to compare."""
    left = CHARS_COMPARED_MAX
    for at, row in enumerate(rows):
        left -= min(len(row.title) + len(row.content), CHARS_COMPARED_MAX // 2)
        if left < 0:
            return list(rows[:at])
    return list(rows)


def likeness(row: MemoryRow, like: Likened) -> Likeness:
    """A memory as it is told of."""
    return Likeness(
        id=row.record_id, title=row.title, namespace=row.namespace, similarity=like.similarity,
        differs=like.differs,
    )  # fmt: skip


def _is_same(like: Likened, threshold: float) -> bool:
    return like.similarity >= threshold and not like.differs


def _ids(rows: Sequence[MemoryRow]) -> set[str]:
    return {row.record_id for row in rows}
