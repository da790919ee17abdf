"""Find memories by their words, at a cost that does not grow with the store.

Ranking scores every row that matches, so one common word among rare ones would have all rows
scored: at a million rows that is most of a second for words that tell nothing apart. A query is
therefore planned by how many rows hold each word: the rarest are searched for, and the common
ones only help to rank what was found. A filter is part of the search and not applied to its
result: a namespace that holds one memory among 50,000 others is found by the commonest word.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import apsw

from aimem_node.store.listing import Filter, conditions
from aimem_node.store.schema_text import COLUMNS, NAMES, TOKENIZER
from aimem_node.store.words import STOP_WORDS, quoted, words_of

Mode: TypeAlias = Literal["any", "all"]
"""any: a memory may hold some of the words. all: it must hold all but the stop-words."""
Stems: TypeAlias = tuple[str, ...]

SCORED_ROWS_MAX: Final = 6_000
"""Rows that the words searched for may stand in, all words added up. Ranking costs about 0.8 us
a row and looking at its memory as much again, so this is about 10 ms at worst."""
TERMS_MAX: Final = 48
"""Words looked up in the index, 0.03 to 0.07 ms each. Each has a bit in a 64-bit integer."""
FEW_ROWS: Final = 300
"""Up to so many rows are ranked by our own function at once, 5 us a row: less than twice asking."""
NEWEST_MAX: Final = 1_000
"""Rows ranked where nothing but common words is left: the newest that hold them."""
NARROW_MAX: Final = 1_000
"""Rows of a filter among which the common words are searched for: the most important ones."""
TRIED_MAX: Final = 200
"""Of these, how many are tried one by one, 75 us each, if the words stand in too many rows."""
TRY_COST: Final = 400
"""Rows that are passed over in the time that one row is tried by itself."""

WEIGHTS: Final = (2.0, 1.0, 1.5, 1.0, 1.0, 1.0)
"""What a word counts for in each of COLUMNS. In the last two none stands that is not `marked`."""
_RANK: Final = f"bm25(memory_fts, {', '.join(map(str, WEIGHTS))})"
SPARE: Final = 20
"""Rows taken from the index beyond twice the limit, for those that turn out not to be wanted."""
K1: Final = 1.2
B: Final = 0.75

_NAMES_AT: Final = tuple(COLUMNS.index(column) for column in NAMES)
_FROM: Final = "FROM memory_fts CROSS JOIN memory m ON m.rid = memory_fts.rowid"


@dataclass(frozen=True, slots=True)
class Hit:
    """One memory that matched."""

    rid: int
    record_id: str
    score: float
    "bm25 over all words of the query; above zero, larger is better."
    terms: tuple[str, ...]
    "The words of the query that it holds."


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found, and how."""

    hits: tuple[Hit, ...]
    "Best first."
    candidates: int
    "Memories that were looked at closely."
    terms_used: tuple[str, ...]
    "Words that were searched for, the rarest first."
    terms_dropped: tuple[str, ...]
    "Words that were not: too common to search for, or in no memory at all."


@dataclass(frozen=True, slots=True)
class Term:
    word: str
    rows: int
    "How many live memories hold it."


def prepare(connection: apsw.Connection) -> None:
    """Teach a connection the ranking. Every connection that searches needs it."""
    connection.register_fts5_function("memory_score", _score)
    connection.register_fts5_function("memory_terms", _terms_held)


def search(
    connection: apsw.Connection, text: str, mode: Mode, wanted: Filter, limit: int
) -> SearchResult:
    """The best `limit` live memories for `text` among those wanted. Never raises for any text."""
    assert wanted.life == "live", "only live memories are indexed"
    words = words_of(text)
    telling = [word for word in words if word not in STOP_WORDS] or words
    terms = look_up(connection, telling[:TERMS_MAX])
    known = sorted((term for term in terms if term.rows), key=lambda term: term.rows)
    if not known or limit < 1 or (mode == "all" and len(known) < len(terms)):
        dropped = tuple(term.word for term in terms if not term.rows)
        return SearchResult((), 0, (), dropped)
    plan = _Plan(connection, known, wanted, limit)
    pool, used = plan.holding_all() if mode == "all" else plan.holding_any()
    hits = plan.ranked(pool)
    return SearchResult(
        hits=tuple(hits[:limit]),
        candidates=len(pool),
        terms_used=tuple(term.word for term in used),
        terms_dropped=tuple(term.word for term in terms if term not in used),
    )


class _Plan:
    """One search under way. Passes give rows of candidates; `ranked` has the last word."""

    def __init__(
        self, connection: apsw.Connection, known: list[Term], wanted: Filter, limit: int
    ) -> None:
        self._connection = connection
        self._known = known
        self._where, self._values = conditions(wanted, probe=True)
        self._rows_where, _ = conditions(wanted)
        self._narrows = _narrows(wanted)
        self._limit = limit

    def holding_any(self) -> tuple[list[int], list[Term]]:
        """Rows that hold some of the words, and the words searched for."""
        kept = _rarest(self._known)
        if not kept:
            return self._common_words()
        if len(kept) == len(self._known):
            return self._scored(kept, "OR", self._limit), kept
        pool = self._scored(kept, "OR", 2 * self._limit)
        if len(pool) >= self._limit:
            return pool, kept
        # Too few, and words were left out: where a filter narrows the search they can still be
        # found at a bounded price; elsewhere the newest rows that hold them fill up.
        more = self._narrow("OR") if self._narrows else self._newest("OR")
        return list(dict.fromkeys([*pool, *more])), self._known

    def holding_all(self) -> tuple[list[int], list[Term]]:
        """Rows that hold all words, and the words searched for."""
        if sum(term.rows for term in self._known) <= SCORED_ROWS_MAX:
            return self._scored(self._known, "AND", self._limit), self._known
        if self._narrows and self._known[0].rows > SCORED_ROWS_MAX:
            return self._narrow("AND"), self._known
        return self._newest("AND"), self._known

    def ranked(self, pool: Sequence[int]) -> list[Hit]:
        """The pool by all words of the query, the common ones too: best first."""
        rows = self._connection.execute(
            "SELECT m.rid, m.record_id,"  # noqa: S608
            f" memory_score(memory_fts{self._row_counts()}) AS score, memory_terms(memory_fts)"
            " FROM json_each(?) j CROSS JOIN memory_fts ON memory_fts.rowid = j.value"
            " CROSS JOIN memory m ON m.rid = j.value"
            " WHERE memory_fts MATCH ? ORDER BY score DESC, m.rid DESC",
            (json.dumps(list(pool)), self._match("OR")),
        )
        return [
            Hit(rid, record_id, score, self._held(bits)) for rid, record_id, score, bits in rows
        ]

    def _common_words(self) -> tuple[list[int], list[Term]]:
        if self._narrows:
            return self._narrow("OR"), self._known
        both = self._newest("AND")
        if len(both) >= self._limit:
            return both, self._known
        return list(dict.fromkeys([*both, *self._newest("OR")])), self._known

    def _scored(self, terms: list[Term], joint: str, limit: int) -> list[int]:
        """The best of all rows that match."""
        if sum(term.rows for term in terms) <= FEW_ROWS and terms == self._known:
            return self._newest(joint)
        match = quoted([term.word for term in terms], joint)
        if not self._narrows:
            # Nearly every row that matches is wanted, so the best are found in the index alone
            # and only these are looked at. A few too many make up for those whose life has ended.
            best = self._rids(
                f"SELECT rowid FROM memory_fts WHERE memory_fts MATCH ? ORDER BY {_RANK} LIMIT ?",  # noqa: S608
                (match, 2 * limit + SPARE),
            )
            wanted = self._rids(
                "SELECT m.rid FROM json_each(?) j CROSS JOIN memory m ON m.rid = j.value"  # noqa: S608
                f" WHERE {self._where} ORDER BY j.key LIMIT ?",
                (json.dumps(best), *self._values, limit),
            )
            if len(wanted) == limit or len(best) < 2 * limit + SPARE:
                return wanted
        return self._rids(
            f"SELECT m.rid {_FROM} WHERE memory_fts MATCH ? AND {self._where}"
            f" ORDER BY {_RANK}, m.rid DESC LIMIT ?",
            (match, *self._values, limit),
        )

    def _newest(self, joint: str) -> list[int]:
        """The best of the newest rows that match. Stops reading once it has enough."""
        return self._rids(
            "SELECT rid FROM ("  # noqa: S608
            f"SELECT m.rid, memory_score(memory_fts{self._row_counts()}) AS score {_FROM}"
            f" WHERE memory_fts MATCH ? AND {self._where}"
            " ORDER BY memory_fts.rowid DESC LIMIT ?) ORDER BY score DESC, rid DESC LIMIT ?",
            (self._match(joint), *self._values, NEWEST_MAX, self._limit),
        )

    def _narrow(self, joint: str) -> list[int]:
        """The best among the rows of the filter, of which the most important are looked at."""
        rids = self._rids(
            f"SELECT m.rid FROM memory m WHERE {self._rows_where}"  # noqa: S608
            " ORDER BY m.priority DESC, m.updated_us DESC, m.rid DESC LIMIT ?",
            (*self._values, NARROW_MAX),
        )
        if not rids:
            return []
        # Either every row is tried by itself, or all rows that match are passed over and those
        # of the filter picked out; the plus keeps SQLite from trying rows in the second case.
        if min(len(rids), TRIED_MAX) * TRY_COST < sum(term.rows for term in self._known):
            del rids[TRIED_MAX:]
            of_filter = "memory_fts.rowid IN (SELECT value FROM json_each(?))"
            values: tuple[Any, ...] = (json.dumps(rids),)
        else:
            of_filter = (
                "memory_fts.rowid BETWEEN ? AND ?"
                " AND +memory_fts.rowid IN (SELECT value FROM json_each(?))"
            )
            values = (min(rids), max(rids), json.dumps(rids))
        return self._rids(
            "SELECT rowid FROM ("  # noqa: S608
            f"SELECT memory_fts.rowid, memory_score(memory_fts{self._row_counts()}) AS score"
            f" FROM memory_fts WHERE memory_fts MATCH ? AND {of_filter})"
            " ORDER BY score DESC, rowid DESC LIMIT ?",
            (self._match(joint), *values, self._limit),
        )

    def _rids(self, sql: str, values: tuple[Any, ...]) -> list[int]:
        return [rid for (rid,) in self._connection.execute(sql, values)]

    def _match(self, joint: str) -> str:
        return quoted([term.word for term in self._known], joint)

    def _row_counts(self) -> str:
        return "".join(f", {term.rows}" for term in self._known)

    def _held(self, bits: int) -> tuple[str, ...]:
        return tuple(term.word for at, term in enumerate(self._known) if bits >> at & 1)


def stemmer(
    connection: apsw.Connection, reason: int = apsw.FTS5_TOKENIZE_QUERY
) -> Callable[[str], Stems]:
    """Reads a text as the index does: its words by what all their forms begin with, nearly."""
    tokenizer = connection.fts5_tokenizer(*TOKENIZER)

    def stems_of(text: str) -> Stems:
        tokens: Any = tokenizer(text.encode(), reason, None, include_offsets=False)
        return tuple([str(token[0]) for token in tokens])

    return stems_of


def look_up(connection: apsw.Connection, words: list[str]) -> list[Term]:
    """How many rows hold each word, words with the same stem once."""
    stems_of = stemmer(connection)
    terms: dict[Stems, Term] = {}
    for word in words:
        stems = stems_of(word)
        if stems and stems not in terms:
            terms[stems] = Term(word, min(_rows_holding(connection, stem) for stem in stems))
    return list(terms.values())


def _rows_holding(connection: apsw.Connection, stem: str) -> int:
    return connection.execute("SELECT doc FROM memory_word WHERE term = ?", (stem,)).get or 0


def _rarest(known: list[Term]) -> list[Term]:
    kept: list[Term] = []
    rows = 0
    for term in known:
        rows += term.rows
        if rows > SCORED_ROWS_MAX:
            break
        kept.append(term)
    return kept


def _narrows(wanted: Filter) -> bool:
    named = (wanted.namespaces, wanted.below, wanted.tier, wanted.tags, wanted.scopes)
    bounds = (wanted.min_priority, wanted.since_us, wanted.until_us, wanted.told_us)
    who = (wanted.agent_id, wanted.session, wanted.sight is not None and wanted.sight.narrows)
    return any((*named, *who)) or any(bound is not None for bound in bounds)


def _score(api: apsw.FTS5ExtensionApi, *row_counts: Any) -> float:
    """bm25, told how rare each word is instead of counting again.

    SQLite's own gives a word that most rows hold no weight at all, which in a store of five
    memories is nearly every word. This one is always above zero.
    """
    rows = api.row_count
    average = _text_size(api.column_total_size) / rows
    length = K1 * (1 - B + B * _text_size(api.column_size) / average)
    score = 0.0
    for phrase, holding in enumerate(row_counts):
        frequency = sum(
            weight * len(places)
            for weight, places in zip(WEIGHTS, api.phrase_locations(phrase), strict=True)
        )
        if frequency:
            rarity = math.log1p((rows - holding + 0.5) / (holding + 0.5))
            score += rarity * frequency * (K1 + 1) / (frequency + length)
    return score


def _text_size(size: Callable[[int], int]) -> int:
    """Without names, which make no text longer. `size` tells how many words a column has."""
    return size(-1) - sum(map(size, _NAMES_AT))


def _terms_held(api: apsw.FTS5ExtensionApi, *_: Any) -> int:
    """A bit for every word of the query that the row holds."""
    bits = 0
    for phrase in range(api.phrase_count):
        if any(api.phrase_locations(phrase)):
            bits |= 1 << phrase
    return bits
