"""Say which memories are most alike: near one memory or text, or in pairs within a namespace.

Pairs are looked for a part of the namespace at a time, in the order in which memories were stored:
each memory is compared with what is nearest to it, and makes pairs with those stored before it. So
no pair comes twice to whoever follows the cursor to its end. To be near is not mutual: of fifty
memories that say one thing each has eight beside it, and some have only later ones, to none of
which they are among the nearest. Such a pair is told with the earlier of the two.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    FindSimilarRequest,
    FindSimilarResponse,
    NearDuplicatesRequest,
    NearDuplicatesResponse,
    NearPair,
)
from aimem_node.embedding.text import passage_text
from aimem_node.operations.call import ReadCall
from aimem_node.operations.cursors import read_cursor, write_cursor
from aimem_node.operations.duplicates import (
    CANDIDATES_MAX,
    COPY,
    KEYWORD,
    MODEL_BUDGET_S,
    THRESHOLD_MIN,
    VECTOR,
    compared,
    fitting,
    likeness,
    others,
    sharing_words,
)
from aimem_node.operations.likeness import Likened, Said, cosines_of, nearest, tokens_read
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import found, place_filter, wanted
from aimem_node.store.listing import Filter, Order
from aimem_node.store.rows import MemoryRow

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

SPARE: Final = 5
"""Memories that are looked at beyond those asked for: words and meaning do not agree entirely."""
PART_MAX: Final = 200
"""Memories of which one answer looks for what is near to them."""
PART_BUDGET_S: Final = 0.12
"""When an answer ends that did not get so far. At least one memory is looked at."""
BESIDE_MAX: Final = 8
"""Memories that each is compared with closely, and as many copies of it."""
BEGIN: Final = (-(1 << 63), 0, "")
"""Where the first page begins: behind a memory (when it was stored, its id), with so many pairs of
the next one told already."""


@operation
def find_similar(call: ReadCall, request: FindSimilarRequest) -> FindSimilarResponse:
    """The memories most like one memory, or like a text, by the measure of check_duplicate.

    Raises INVALID_ARGUMENT unless exactly one of the two is given.
    """
    if bool(request.id) == bool(request.text):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a memory's id and a text are both given" if request.id else "nothing is given",
            path="$.text" if request.id else "$.id",
            next="Give a memory's id, or a text to compare memories with.",
        )
    asked = _by_id(call, request.id) if request.id else _by_text(call, request.text or "")
    here = wanted(call, place_filter(request.namespace))
    near = nearest(call, asked.vectors, here, request.limit + SPARE)
    by_words = sharing_words(
        call, asked.title, asked.content, here, limit=max(request.limit, CANDIDATES_MAX)
    )
    rows = [*others(call, near.record_ids, by_words), *by_words]
    rows = fitting([row for row in rows if row.record_id != asked.record_id])
    cosines = {**cosines_of(call, asked.vectors, by_words), **near.cosines}
    said = Said(asked.title, asked.content)
    alike = compared(
        said, rows, cosines, tokens_read(call), request.limit + SPARE,
        read=Said.of if asked.record_id else _untitled,
    )  # fmt: skip
    similar = tuple(
        likeness(row, like)
        for row, like in alike
        if like.similarity > 0 and like.similarity >= request.threshold
    )[: request.limit]
    return FindSimilarResponse(
        similar=similar,
        count=len(similar),
        method=VECTOR if asked.vectors else KEYWORD,
        unavailable=tuple(
            f"semantic: {each}" for each in (asked.unavailable, near.missing) if each
        ),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What memories are compared with."""

    record_id: str
    "Empty for a text."
    title: str
    content: str
    vectors: Mapping[str, Numbers]
    unavailable: str


def _by_id(call: ReadCall, prefix: str) -> _Asked:
    row = found(call, prefix, life="any")
    vectors = _kept_vectors(call, row)
    unavailable = ""
    if not vectors:  # an archived one has none
        asked = call.embedding.query(passage_text(row.title, row.content), MODEL_BUDGET_S)
        vectors, unavailable = asked.vectors, asked.unavailable
    return _Asked(row.record_id, row.title, row.content, vectors, unavailable)


def _by_text(call: ReadCall, text: str) -> _Asked:
    asked = call.embedding.query(text, MODEL_BUDGET_S)
    return _Asked("", "", text, asked.vectors, asked.unavailable)


def _kept_vectors(call: ReadCall, row: MemoryRow) -> dict[str, Numbers]:
    """The vectors of a memory by fingerprint, of the models that are at work here."""
    kept: dict[str, Numbers] = {}
    for space in call.embedding.spaces():
        held = call.view.vectors_of(space.fingerprint, [row.rid])
        if row.rid in held:
            kept[space.fingerprint] = held[row.rid]
    return kept


def _untitled(row: MemoryRow) -> Said:
    """A memory as one text, to compare with one that has no title."""
    return Said("", passage_text(row.title, row.content))


@operation
def near_duplicates(call: ReadCall, request: NearDuplicatesRequest) -> NearDuplicatesResponse:
    """Pairs that say nearly the same, the most alike first within what was looked at. Where a
    number, a negation or an opposite stands between two, they are no pair."""
    here = wanted(call, place_filter(request.namespace))
    pairing = _Pairing(call, here, max(THRESHOLD_MIN, request.threshold))
    begin = read_cursor("near_duplicates", request.cursor, 2, texts=1) or BEGIN
    at_us, given, record_id = begin
    rows, more = call.view.list_memories(here, Order.CREATED, (at_us, record_id), PART_MAX)
    then = None if more is None else (more[0], 0, more[1])
    pairs: list[NearPair] = []
    looked_at = 0
    ends_s = time.monotonic() + PART_BUDGET_S
    for row in rows:
        room = request.limit - len(pairs)
        if not room or (looked_at and time.monotonic() > ends_s):
            then = (at_us, 0, record_id)
            break
        new = list(pairing.of(row))[given:]
        pairs += new[:room]
        if len(new) > room:  # the rest of them comes with the next page
            then = (at_us, given + room, record_id)
            break
        at_us, given, record_id = row.created_us, 0, row.record_id
        looked_at += 1
    pairs.sort(key=lambda pair: -pair.similarity)
    return NearDuplicatesResponse(
        pairs=tuple(pairs),
        count=len(pairs),
        looked_at=looked_at,
        next_cursor=write_cursor("near_duplicates", then),
        method=VECTOR if pairing.has_vectors else KEYWORD,
        unavailable=pairing.unavailable,
    )


class _Pairing:
    """Looks for what is nearly the same as one memory after the other."""

    def __init__(self, call: ReadCall, here: Filter, threshold: float) -> None:
        self._call = call
        self._here = here
        self._threshold = threshold
        self._tokens_max = tokens_read(call)
        self._missing: dict[str, None] = {}
        self._known: dict[str, frozenset[str]] = {}
        "Which memories lie beside one, by its id, as far as it was asked for."
        self.has_vectors = False

    @property
    def unavailable(self) -> tuple[str, ...]:
        """Why some could not be compared by meaning."""
        return tuple(f"semantic: {each}" for each in self._missing)

    def of(self, row: MemoryRow) -> Iterator[NearPair]:
        """Its pairs with memories stored before it, and with those after it that it is not beside.

        The most alike first: copies, then the others. Always the same ones in the same order.
        """
        beside = self._beside(row)
        alike = [(one, COPY) for one in beside.copies]
        alike += compared(Said.of(row), beside.others, beside.cosines, self._tokens_max, BESIDE_MAX)
        for one, like in alike:
            if like.similarity < self._threshold or like.differs:
                continue
            if _is_before(one, row):
                yield _pair(one, row, like)
            elif row.record_id not in self._ids_beside(one):
                yield _pair(row, one, like)

    def _ids_beside(self, row: MemoryRow) -> frozenset[str]:
        if row.record_id not in self._known:
            self._beside(row)
        return self._known[row.record_id]

    def _beside(self, row: MemoryRow) -> _Beside:
        """Copies of a memory, and what is nearest to it by meaning, or by words without vectors."""
        same = self._call.view.saying(row.title, row.content, self._here, BESIDE_MAX + 1)
        vectors = _kept_vectors(self._call, row)
        self.has_vectors = self.has_vectors or bool(vectors)
        near = nearest(self._call, vectors, self._here, len(same) + BESIDE_MAX + 1)
        self._missing |= dict.fromkeys([near.missing] if near.missing else [])
        but = {row.record_id, *(one.record_id for one in same)}
        if vectors:
            rows = others(self._call, [one for one in near.record_ids if one not in but], ())
        else:
            rows = sharing_words(
                self._call, row.title, row.content, self._here, but, limit=BESIDE_MAX
            )
        copies = [one for one in same if one.record_id != row.record_id][:BESIDE_MAX]
        beside = _Beside(copies, fitting(rows[:BESIDE_MAX]), near.cosines)
        self._known[row.record_id] = frozenset(
            one.record_id for one in (*beside.copies, *beside.others)
        )
        return beside


@dataclass(frozen=True, slots=True)
class _Beside:
    """What lies near one memory."""

    copies: list[MemoryRow]
    others: list[MemoryRow]
    "BESIDE_MAX of each."
    cosines: Mapping[int, float]
    "By row, of the others."


def _is_before(one: MemoryRow, other: MemoryRow) -> bool:
    return (one.created_us, one.record_id) < (other.created_us, other.record_id)


def _pair(one: MemoryRow, other: MemoryRow, like: Likened) -> NearPair:
    return NearPair(
        keep=likeness(one, like), other=likeness(other, like), similarity=like.similarity
    )
