"""Candidates for a question, by words: who holds which of them, and nothing of how often.

How often a short text holds a word hardly matters (bm25 with a small k1 says the same), and
whether it holds it is told by the index 20 times sooner than its rank. So for each word that is
rare enough the rows are fetched that hold it; with them it is known for every row, also for those
that stand beside a candidate, what they share with the question. Words that are in too many rows
are looked for only where the others found too little.

An agent's name is told apart from other words by where it stands: "what did Ann say" is asked of
what Ann said, and her name says little about what.
"""

from __future__ import annotations

import heapq
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import apsw

from aimem_node.store.fulltext import Stems, search, stemmer
from aimem_node.store.listing import Filter, conditions
from aimem_node.store.scripts import WORD
from aimem_node.store.view_population import PopulationView
from aimem_node.store.words import STOP_WORDS, marked, quoted, words_of

HOLDERS_MAX: Final = 10_000
"""Rows fetched for all words together, 0.5 us each."""
WORDS_MAX: Final = 32
"""Words of a question that are looked for, the first ones."""
SCOPE_MAX: Final = 10_000
"""Rows of a filter that are fetched to look among, instead of trying what was found: 5 ms."""
NARROW_SHARE: Final = 0.5
"""Where more than this of all is wanted, what is found is tried and mostly wanted."""
READ_MAX: Final = 400
"""Of these the newest, that are read where none of the words is rare."""
NEWER: Final = 1e-12
"""What a row counts for itself, so that of equals the newer comes first."""
CHUNK: Final = 200
"""Rows tried against a filter at a time."""
TITLED: Final = 0.5
"""What a word counts for more that stands in the title or is a tag."""
NAME_SHARE: Final = 0.5
"""What is left of the weight of a word that is an agent's name."""
ADDED_SHARE: Final = 0.4
"""What is left of the weight of a word that is not the question's own."""
FREQUENT_SHARE: Final = 0.2
"""Words in more of the memories than this tell nothing about meaning."""
REMEMBERED_FROM: Final = 5_000
"""Memories with a word from which on their number is remembered: to count them takes a millisecond
for each 100,000, and some more or fewer make no difference."""
REMEMBERED_S: Final = 60.0
FREQUENT_REMEMBERED: Final = 4_096
FREQUENT_FROM: Final = 100
"""Memories below which no word is frequent: one of five memories is a fifth of them."""
PLACE_CHARS_MIN: Final = 3
NAMES_REMEMBERED: Final = 1_000
NEWEST_READ: Final = 6
"""Rows read for each that is to be found by frequent words alone, 5 us each."""
NEWEST_READ_MAX: Final = 2_000
NAMED_MAX: Final = 500
"""Of those that are said by somebody or kept somewhere, the newest, that are looked at."""
NAMESAKES: Final = 20
"""Rows looked at to see what the agents are called whose ids hold a word."""

SAID_IN: Final = ("title", "content", "tags", "grams")
_SAID: Final = f"{{{' '.join(SAID_IN)}}}"
_HEADED: Final = "{title tags}"


@dataclass(frozen=True, slots=True)
class Held:
    """A word of the question, and which rows hold it."""

    word: str
    weight: float
    "How much it tells: its rarity, less for a name."
    rows: AbstractSet[int]
    headed: AbstractSet[int]
    "Those of them that hold it in their title or as a tag."


@dataclass(frozen=True, slots=True)
class Question:
    """What a question is made of, in this store."""

    words: tuple[Held, ...]
    "Those that were looked for, the rarest first."
    common: tuple[str, ...]
    "Those that stand in too many memories to be looked for."
    names: frozenset[str]
    "Those that name an agent who has said something here."
    spoken: frozenset[str] = frozenset()
    "All words of the question."


@dataclass(frozen=True, slots=True)
class Gathered:
    """Candidates, best first by the rarity of what they hold."""

    question: Question
    rids: tuple[int, ...]
    candidates: int
    "Rows that hold one of the words looked for."


@dataclass(frozen=True, slots=True)
class Counted:
    """A word, and in how many live memories it stands."""

    word: str
    said: int
    "Rows whose text holds it."
    by: int
    "Rows whose agent is called so."


@dataclass(frozen=True, slots=True)
class Asked:
    """A question before anything was looked for."""

    words: tuple[str, ...]
    terms: tuple[Counted, ...]
    "Its words that are no stop-words and stand somewhere."
    names: frozenset[str]
    "Words that name an agent who has said something here."
    telling: str
    "The question without names and frequent words, for a model of meaning; never empty."
    memories: int
    "How many there are."
    added: frozenset[str] = frozenset()
    "Words among the terms that are not the question's own."


def asked(connection: apsw.Connection, text: str, also: Sequence[str] = ()) -> Asked:
    """What somebody asks for, in this store; `also`: words that may stand for it. Never raises for
    any text; about 0.5 ms."""
    words = words_of(text)
    telling = [word for word in words if word not in STOP_WORDS]
    terms = _terms(connection, [*telling[:WORDS_MAX], *also])
    names = _names(connection, terms, frozenset(words))
    memories = PopulationView(connection).population()
    frequent_rows = FREQUENT_SHARE * memories if memories >= FREQUENT_FROM else memories
    frequent = {term.word for term in terms if max(term.said, term.by) > frequent_rows} | names
    kept = [
        word
        for word in WORD.findall(text)
        if word.casefold() not in frequent and word.casefold() not in STOP_WORDS
    ]
    own = set(telling)
    added = frozenset(term.word for term in terms if term.word not in own)
    return Asked(tuple(words), tuple(terms), names, " ".join(kept) or text, memories, added)


def gather(connection: apsw.Connection, question: Asked, wanted: Filter, limit: int) -> Gathered:
    """The best `limit` live memories for a question among those wanted."""
    assert wanted.life == "live", "only live memories are indexed"
    words, common = _holders_of(connection, question)
    pick = _Pick(connection, wanted, limit, question.memories)
    candidates = pick.holding(words)
    if len(pick.rids) < limit and (common or not words):
        words += pick.common([*common, *(held.word for held in words)] or question.words, words)
    if len(pick.rids) < limit:
        pick.named(question)
    return Gathered(
        Question(words, common, question.names, frozenset(question.words)),
        tuple(pick.rids),
        max(candidates, len(pick.rids)),
    )


def _terms(connection: apsw.Connection, words: list[str]) -> list[Counted]:
    """The words that stand in some memory or in an agent's id, words with one stem once."""
    stems_of = stemmer(connection)
    terms: dict[Stems, Counted] = {}
    for word in words:
        stems = stems_of(word)
        if not stems or stems in terms:
            continue
        said = min(
            max(
                (rows for field, rows in _rows_by_field(connection, stem) if field in SAID_IN),
                default=0,
            )
            for stem in stems
        )
        by = min(
            sum(rows for field, rows in _rows_by_field(connection, stem) if field == "agent")
            for stem in stems_of(marked(word))
        )
        if said or by:
            terms[stems] = Counted(word, said, by)
    return list(terms.values())


def _rows_by_field(connection: apsw.Connection, stem: str) -> list[tuple[str, int]]:
    key = (connection.filename, stem)
    known = _frequent.get(key)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    rows: Iterable[tuple[Any, ...]] = connection.execute(
        "SELECT col, doc FROM memory_word_in WHERE term = ?", (stem,)
    )
    found = [(str(field), int(count)) for field, count in rows]
    if max((count for _, count in found), default=0) >= REMEMBERED_FROM:
        if len(_frequent) >= FREQUENT_REMEMBERED:
            _frequent.clear()
        _frequent[key] = (time.monotonic() + REMEMBERED_S, found)
    return found


_frequent: dict[tuple[str, str], tuple[float, list[tuple[str, int]]]] = {}
"""In how many memories frequent words stand, and until when that is believed."""


def _names(
    connection: apsw.Connection, terms: Sequence[Counted], words: AbstractSet[str]
) -> frozenset[str]:
    """Words that make up the whole name of an agent: of user:ann the word ann."""
    names: set[str] = set()
    for term in terms:
        if not term.by:
            continue
        rows = connection.execute(
            "SELECT DISTINCT agent_id FROM (SELECT m.agent_id FROM memory_fts"
            " CROSS JOIN memory m ON m.rid = memory_fts.rowid"
            " WHERE memory_fts MATCH ? ORDER BY memory_fts.rowid DESC LIMIT ?)",
            (f"agent : {quoted([marked(term.word)], 'OR')}", NAMESAKES),
        )
        for (agent_id,) in rows:
            called = name_of(agent_id)
            if called and called <= words:
                names |= called
    return frozenset(names)


def is_telling(word: str) -> bool:
    """Whether a word can name a place: no number, nor a word that every question has."""
    return len(word) >= PLACE_CHARS_MIN and not word.isdigit() and word not in STOP_WORDS


@lru_cache(NAMES_REMEMBERED)
def leaf_of(namespace: str) -> frozenset[str]:
    """The words that the innermost part of a namespace is called by; empty if they tell nothing."""
    words = frozenset(words_of(namespace.rpartition("/")[2]))
    return words if any(is_telling(word) for word in words) else frozenset()


@lru_cache(NAMES_REMEMBERED)
def name_of(agent_id: str) -> frozenset[str]:
    """The words an agent is called by: without its kind before a colon and its host after an @."""
    return frozenset(words_of(agent_id.partition("@")[0].rpartition(":")[2]))


def _holders_of(
    connection: apsw.Connection, question: Asked
) -> tuple[tuple[Held, ...], tuple[str, ...]]:
    """Who holds each word, the rarest first; and the words that too many hold to tell."""
    rows, looked_for, common = 0, [], []
    for term in sorted((term for term in question.terms if term.said), key=lambda one: one.said):
        rows += term.said
        if rows > HOLDERS_MAX:
            common.append(term.word)
            continue
        rarity = math.log1p((question.memories - term.said + 0.5) / (term.said + 0.5))
        looked_for.append(
            Held(
                term.word,
                max(rarity, 0.01) * _share(term.word, question),
                _holders(connection, term.word, _SAID),
                _holders(connection, term.word, _HEADED),
            )
        )
    return tuple(looked_for), tuple(common)


def _share(word: str, question: Asked) -> float:
    if word in question.added:
        return ADDED_SHARE
    return NAME_SHARE if word in question.names else 1.0


def _holders(connection: apsw.Connection, word: str, fields: str) -> frozenset[int]:
    rows: Iterable[tuple[Any, ...]] = connection.execute(
        "SELECT rowid FROM memory_fts WHERE memory_fts MATCH ?",
        (f"{fields} : {quoted([word], 'OR')}",),
    )
    return frozenset(rid for (rid,) in rows)


class _Pick:
    """Rows that are wanted, taken from one source after the other."""

    def __init__(
        self, connection: apsw.Connection, wanted: Filter, limit: int, memories: int
    ) -> None:
        """`memories`: how many there are, wanted or not."""
        self._connection = connection
        self._wanted = wanted
        self._where, self._values = conditions(wanted, probe=True)
        self._limit = limit
        scope = PopulationView(connection).scope(wanted)
        self._share = max(0.01, min(1.0, scope / max(1, memories)))
        "Of all memories, how many are wanted at most."
        is_narrow = wanted.session or (scope <= SCOPE_MAX and scope < NARROW_SHARE * memories)
        self.few = self._wanted_rows() if is_narrow else None
        "All that are wanted, where these are few."
        self.rids: list[int] = []

    def holding(self, words: Sequence[Held]) -> int:
        """Take the best of those that hold some of the words; how many do."""
        scores: dict[int, float] = {}
        for held in words:
            weight = held.weight
            for rid in held.rows:
                scores[rid] = scores.get(rid, rid * NEWER) + weight
            for rid in held.headed:
                scores[rid] = scores.get(rid, rid * NEWER) + weight * TITLED
        count = len(scores)
        if self.few is not None:
            scores = {rid: score for rid, score in scores.items() if rid in self.few}
        for chunk in _best_first(scores, int(2 * self._limit / self._share)):
            self._take(chunk)
            if len(self.rids) >= self._limit:
                break
        return count

    def common(self, words: Sequence[str], known: Sequence[Held]) -> tuple[Held, ...]:
        """Fill up with those that hold words which too many hold; these words, as far as known."""
        few = self.few
        holding = self._newest_holding(words) if few is None else self._holding_among(few, words)
        if (
            few is None and not holding
        ):  # the filter wants few of these: it is looked for thoroughly
            hits = search(self._connection, " ".join(words), "any", self._wanted, self._limit).hits
            holding = {hit.rid: set(hit.terms) for hit in hits}
        self._add(_most_held(holding))
        return _common_held(words, known, holding)

    def _newest_holding(self, words: Sequence[str]) -> dict[int, set[str]]:
        """Of the newest rows that hold some of the words those that are wanted, and which."""
        words = list(dict.fromkeys(words))[:WORDS_MAX]
        if not words:
            return {}
        read = min(NEWEST_READ_MAX, int(NEWEST_READ * self._limit / self._share))
        rows: Iterable[tuple[Any, ...]] = self._connection.execute(
            "SELECT m.rid, f.bits FROM (SELECT rowid AS rid, memory_terms(memory_fts) AS bits"  # noqa: S608
            " FROM memory_fts WHERE memory_fts MATCH ? ORDER BY rowid DESC LIMIT ?) f"
            f" CROSS JOIN memory m ON m.rid = f.rid WHERE {self._where}",
            (quoted(words, "OR"), read, *self._values),
        )
        return {
            int(rid): {word for at, word in enumerate(words) if bits >> at & 1}
            for rid, bits in rows
        }

    def _holding_among(self, few: AbstractSet[int], words: Sequence[str]) -> dict[int, set[str]]:
        """The same among few memories: the newest of them are read, since to have the index pick
        them out of all that hold such words would take longer."""
        stems_of = stemmer(self._connection)
        stems = {word: _beginning(word, stems_of(word)) for word in words}
        newest = heapq.nlargest(READ_MAX, few)
        rows: Iterable[tuple[Any, ...]] = self._connection.execute(
            "SELECT m.rid, m.title || ' ' || m.content || ' ' || m.tags"
            " FROM json_each(?) j CROSS JOIN memory m ON m.rid = j.value",
            (json.dumps(newest),),
        )
        said = {int(rid): text.casefold() for rid, text in rows}
        return {
            rid: held
            for rid, text in said.items()
            if (held := {word for word, stem in stems.items() if stem in text})
        }

    def named(self, question: Asked) -> None:
        """Fill up with the newest that agents said who are named, or from places that are."""
        called = [marked(name) for name in sorted(question.names)]
        words = [marked(word) for word in question.words if is_telling(word)][:WORDS_MAX]
        either = [f"agent : ({quoted(called, 'OR')})"] if called else []
        either += [f"place : ({quoted(words, 'OR')})"] if words else []
        if not either:
            return
        rows: Iterable[tuple[Any, ...]] = self._connection.execute(
            "SELECT m.rid FROM (SELECT rowid AS rid FROM memory_fts WHERE memory_fts MATCH ?"  # noqa: S608
            " ORDER BY rowid DESC LIMIT ?) f CROSS JOIN memory m ON m.rid = f.rid"
            f" WHERE {self._where} LIMIT ?",
            (" OR ".join(either), NAMED_MAX, *self._values, self._limit),
        )
        self._add(int(rid) for (rid,) in rows)

    def _wanted_rows(self) -> frozenset[int] | None:
        where, values = conditions(self._wanted)
        # As one text, which takes a third of the time.
        text = self._connection.execute(
            "SELECT group_concat(rid) FROM"  # noqa: S608
            f" (SELECT m.rid FROM memory m WHERE {where} LIMIT ?)",
            (*values, SCOPE_MAX + 1),
        ).get
        rids = frozenset(map(int, text.split(","))) if text else frozenset()
        return rids if len(rids) <= SCOPE_MAX else None

    def _take(self, rids: Sequence[int]) -> None:
        rows: Iterable[tuple[Any, ...]] = self._connection.execute(
            "SELECT m.rid FROM json_each(?) j CROSS JOIN memory m ON m.rid = j.value"  # noqa: S608
            f" WHERE {self._where} ORDER BY j.key LIMIT ?",
            (json.dumps(rids), *self._values, self._limit - len(self.rids)),
        )
        self._add(int(rid) for (rid,) in rows)

    def _add(self, rids: Iterable[int]) -> None:
        held = set(self.rids)
        for rid in rids:
            if len(self.rids) == self._limit:
                return
            if rid not in held:
                held.add(rid)
                self.rids.append(rid)


def _most_held(holding: Mapping[int, AbstractSet[str]]) -> list[int]:
    """The rows that hold most telling words first, of equals the newest."""
    return sorted(holding, key=lambda rid: (-len(holding[rid] - STOP_WORDS), -rid))


def _common_held(
    words: Sequence[str], known: Sequence[Held], holding: Mapping[int, AbstractSet[str]]
) -> tuple[Held, ...]:
    """Frequent words and who holds them, as far as that was found out. Without those known."""
    looked_for = {held.word for held in known}
    return tuple(
        Held(word, 0.01 if word in STOP_WORDS else 1.0, rows, frozenset())
        for word in dict.fromkeys(words)
        if word not in looked_for
        and (rows := frozenset(rid for rid, held in holding.items() if word in held))
    )


def _beginning(word: str, stems: Stems) -> str:
    return stems[0] if stems and word.startswith(stems[0]) else word


def _best_first(scores: dict[int, float], first: int) -> Iterator[list[int]]:
    """The rows by score: as many as will probably do, then in pieces the rest."""
    head = heapq.nlargest(first, scores, key=scores.__getitem__)
    yield head
    if len(head) == len(scores):
        return
    rest = sorted(scores.keys() - set(head), key=scores.__getitem__, reverse=True)
    for at in range(0, len(rest), CHUNK):
        yield rest[at : at + CHUNK]
