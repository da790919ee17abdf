"""Words that tell a memory from others, and words that stand near those of a query.

Both come from counting: how many memories hold a word is known to the index. No model is asked.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from aimem_node.contract.values import (
    AutoTagRequest,
    AutoTagResponse,
    ExpandQueryRequest,
    ExpandQueryResponse,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.curation_log import record_step
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import LIVE, edit, found, place_filter, wanted
from aimem_node.operations.sight_of import refuse_reserved
from aimem_node.store.fulltext import Term
from aimem_node.store.rows import MemoryRow
from aimem_node.store.words import STOP_WORDS, spelled

TAGS_MAX: Final = 50
WORD_CHARS_MIN: Final = 3
WORD_CHARS_MAX: Final = 32
WORDS_WEIGHED_MAX: Final = 60
"""Words of which it is found out how many memories hold them, 0.05 ms each."""
IN_TITLE: Final = 2.0
"""What a word counts for that stands in the title, beside one that begins the content."""
SAMPLE_ROWS: Final = 60
SAMPLE_CHARS: Final = 2_000
"""Of each memory of the sample: its beginning."""
MENTIONS_MIN: Final = 2
MENTIONS_FROM: Final = 10
"""In a sample of so many memories, a word that one of them holds stands there by chance."""
_OPAQUE: Final = re.compile(r"(?=.*\d)(?=.*[^\W\d_]).{13,}|\d+")
"""A number, or what looks like a key or a hash: nobody looks for it by a tag."""


@operation
def auto_tag(call: WriteCall, request: AutoTagRequest) -> AutoTagResponse:
    """Add the telling words of a memory to its tags. Done twice it adds nothing."""
    speaker = call.speaker(request.agent_id)
    row = found(call, request.id)
    refuse_reserved(row.namespace, "$.id")
    have = {tag.casefold() for tag in row.tags}
    phrases = keyphrases(row, call.view.terms(_words_of(row)), request.limit)
    room = max(0, TAGS_MAX - len(row.tags))
    new = tuple(phrase for phrase in phrases if phrase not in have)[:room]
    step_id = ""
    if new and not request.dry_run:
        call.tx.change(edit(row.record_id, call.now_us, tags=new, life=LIVE))
        step_id = record_step(
            call, "auto_tag", (row.record_id,), row.record_id, namespace=row.namespace,
            agent_id=speaker, tagged={row.record_id: str(call.tx.ops[-1].dot)},
        )  # fmt: skip
    kept = () if request.dry_run else new
    return AutoTagResponse(
        id=row.record_id,
        new_tags=new,
        all_tags=tuple(sorted({*row.tags, *kept})),
        step_id=step_id,
    )


def keyphrases(row: MemoryRow, terms: Sequence[Term], limit: int) -> list[str]:
    """The words that tell most: rare among all memories, often said here, and said early.

    A word that no other memory holds leads to nothing else, so it counts for half.
    """
    titled = set(spelled(row.title))
    said = [word for word in _said(f"{row.title} {row.content}") if word not in STOP_WORDS]
    first = {word: at for at, word in reversed(list(enumerate(said)))}
    often = Counter(said)
    most = max((term.rows for term in terms), default=1)

    def worth(term: Term) -> float:
        place = IN_TITLE if term.word in titled else 1 / (1 + first.get(term.word, 0) / 20)
        rarity = math.log1p((most + 1) / term.rows) * (0.5 if term.rows == 1 else 1.0)
        return place * rarity * (1 + math.log(often[term.word] or 1))

    known = [term for term in terms if term.rows]
    best = sorted(known, key=lambda term: (-worth(term), term.word))
    return [term.word for term in best[:limit]]


def _words_of(row: MemoryRow) -> list[str]:
    """The words of a memory that could be tags, the first ones."""
    words = spelled(f"{row.title} {row.content}")
    return [word for word in words if _is_keyword(word)][:WORDS_WEIGHED_MAX]


def _said(text: str) -> Iterable[str]:
    return re.findall(r"[^\W_]+", text[: 4 * SAMPLE_CHARS].casefold())


def _is_keyword(word: str) -> bool:
    if word in STOP_WORDS or not WORD_CHARS_MIN <= len(word) <= WORD_CHARS_MAX:
        return False
    return not _OPAQUE.fullmatch(word)


@operation
def expand_query(call: ReadCall, request: ExpandQueryRequest) -> ExpandQueryResponse:
    """Words that memories which match a query hold more often than others do.

    They come from memories that the caller sees: SAMPLE_ROWS of those that match best.
    """
    here = wanted(call, place_filter(request.namespace))
    hits = call.view.search(request.query, "any", here, SAMPLE_ROWS).hits
    rows = call.view.memories([hit.record_id for hit in hits])
    asked = spelled(request.query)
    near = Counter(
        word
        for row in rows
        for word in spelled(f"{row.title} {row.content[:SAMPLE_CHARS]} {' '.join(row.tags)}")
        if _is_keyword(word)
    )
    least = MENTIONS_MIN if len(rows) >= MENTIONS_FROM else 1
    often = sorted((word for word in near if near[word] >= least), key=lambda w: (-near[w], w))
    weighed = [word for word in often if word not in asked][:WORDS_WEIGHED_MAX]
    # The query's own come first, so that no word is told that has the stem of one of them.
    terms = call.view.terms([*asked, *weighed])
    found_terms = [term for term in terms if term.word not in asked and term.rows]
    total = max(1, call.view.population())

    def worth(term: Term) -> float:
        share, usual = near[term.word] / len(rows), min(1.0, term.rows / total)
        return share * math.log1p(share / usual)

    best = sorted(found_terms, key=lambda term: (-worth(term), term.word))
    return ExpandQueryResponse(
        original=request.query,
        expanded_terms=tuple(term.word for term in best[: request.limit]),
    )
