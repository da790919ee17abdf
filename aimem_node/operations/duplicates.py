"""Say whether something like this is stored already, before it is stored once more.

An exact copy is found by its fingerprint, wherever it is and however common its words are. What is
merely alike is looked for among the memories that share its rarest words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aimem_node.contract.values import CheckDuplicateRequest, CheckDuplicateResponse, Likeness
from aimem_node.operations.call import ReadCall
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import place_filter, wanted
from aimem_node.operations.similarity import shape, similarity
from aimem_node.store.listing import Filter
from aimem_node.store.rows import MemoryRow
from aimem_node.store.view_likeness import ROWS_READ_MAX
from aimem_node.store.words import STOP_WORDS, words_of

THRESHOLD_MIN: Final = 0.5
SHOWN_MAX: Final = 5
CANDIDATES_MAX: Final = 30
"""Memories that are compared word by word."""
WORDS_MAX: Final = 48
"""Words of the text of which it is found out how rare they are, 0.05 ms each."""
CHARS_COMPARED_MAX: Final = 64_000
"""Of all candidates together, 8 ms. Those that are left out are the least likely ones."""
EXACT, KEYWORD = "exact", "keyword"


@operation
def check_duplicate(call: ReadCall, request: CheckDuplicateRequest) -> CheckDuplicateResponse:
    """The most alike among what the caller sees, and whether it is alike enough to be the same.

    Similarity is that of operations/similarity.py, to three decimals; a duplicate has at least the
    threshold, which is at least a half.
    """
    threshold = min(1.0, max(THRESHOLD_MIN, request.threshold))
    here = wanted(call, place_filter(request.namespace))
    same = call.view.saying(request.title, request.content, here, SHOWN_MAX)
    candidates = _candidates(call, request, here, {row.record_id for row in same})
    asked = shape(request.title, request.content)
    alike = [(1.0, row) for row in same]
    alike += [
        (round(similarity(asked, shape(row.title, row.content)), 3), row) for row in candidates
    ]
    alike.sort(key=lambda one: -one[0])  # of equal ones the better match of words stays first
    shown = [_likeness(row, score) for score, row in alike[:SHOWN_MAX] if score > 0]
    nearest = shown[0] if shown else None
    is_duplicate = nearest is not None and nearest.similarity >= threshold
    return CheckDuplicateResponse(
        is_duplicate=is_duplicate,
        threshold=threshold,
        nearest=nearest,
        suggested_merge=nearest.id if nearest is not None and is_duplicate else "",
        candidates_scanned=len(alike),
        method=EXACT if same else KEYWORD,
        candidates=tuple(shown),
    )


def _candidates(
    call: ReadCall, request: CheckDuplicateRequest, here: Filter, but: set[str]
) -> list[MemoryRow]:
    """Memories that share rare words with the text, the likeliest first."""
    words = [*words_of(request.title), *words_of(request.content)]
    telling = [word for word in dict.fromkeys(words) if word not in STOP_WORDS]
    terms = call.view.terms(telling[:WORDS_MAX])
    rows = call.view.sharing(terms, here, CANDIDATES_MAX + len(but))
    if not any(0 < term.rows <= ROWS_READ_MAX for term in terms):  # it has common words only
        text = " ".join(telling[:WORDS_MAX] or words[:WORDS_MAX])
        hits = call.view.search(text, "any", here, CANDIDATES_MAX + len(but)).hits
        rows = call.view.memories([hit.record_id for hit in hits])
    others = [row for row in rows if row.record_id not in but]
    return _fitting(others[:CANDIDATES_MAX])


def _fitting(rows: Sequence[MemoryRow]) -> list[MemoryRow]:
    left = CHARS_COMPARED_MAX
    for at, row in enumerate(rows):
        left -= min(len(row.title) + len(row.content), CHARS_COMPARED_MAX // 2)
        if left < 0:
            return list(rows[:at])
    return list(rows)


def _likeness(row: MemoryRow, score: float) -> Likeness:
    return Likeness(id=row.record_id, title=row.title, namespace=row.namespace, similarity=score)
