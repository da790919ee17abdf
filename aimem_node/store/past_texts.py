"""How well texts that stand in no index fit a query: as well as they would if they did.

What a memory said before it was changed is not in the full-text index, and cannot be: that holds
one text for each memory. It is read by the index's own tokenizer and weighed by the same formula,
with the same word counts, so that a hit of the past and one of the present can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import apsw

from aimem_node.store import fulltext
from aimem_node.store.fulltext import Mode, Stems, Term
from aimem_node.store.schema_text import COLUMNS, NAMES
from aimem_node.store.words import STOP_WORDS, grams_of, words_of

_TEXTS: Final = len(COLUMNS) - len(NAMES)
_AVERAGES: Final = 1
"""The row of an FTS5 index in which it keeps how many rows and words it holds: varints, the number
of rows first, then the words in each column."""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A query that is held against one text after another."""

    terms: tuple[tuple[Stems, Term], ...]
    mode: Mode
    rows: int
    "Live memories in the index."
    average: float
    "Words in one of them."
    stems_of: Callable[[str], Stems]

    def score(self, title: str, content: str, tags: str) -> float:
        """As fulltext scores it; 0 if it is no hit."""
        texts = (title, content, tags, grams_of(title, content, tags), "", "")
        columns = [self.stems_of(text) for text in texts]
        places = [_places(stems) for stems in columns]
        words = sum(len(stems) for stems in columns)
        score, held = 0.0, 0
        for stems, term in self.terms:
            found = [_count(stems, *column) for column in zip(columns, places, strict=True)]
            if any(found):
                held += 1
                score += weigh(found, term.rows, self.rows, words / self.average)
        wanted = len(self.terms) if self.mode == "all" else 1
        return score if held >= wanted else 0.0


def text_query(connection: apsw.Connection, text: str, mode: Mode) -> TextQuery | None:
    """The query as `search` would read it; None if it has no words."""
    words = words_of(text)
    telling = [word for word in words if word not in STOP_WORDS] or words
    stems_of = fulltext.stemmer(connection, apsw.FTS5_TOKENIZE_DOCUMENT)
    rows, average = _averages(connection)
    terms = {
        stems_of(term.word): term
        for term in fulltext.look_up(connection, telling[: fulltext.TERMS_MAX])
    }
    if not terms:
        return None
    return TextQuery(tuple(terms.items()), mode, rows, average, stems_of)


def weigh(found: Sequence[int], holding: int, rows: int, length: float) -> float:
    """One word's share of a score: how often it stands in each column, how many of the rows hold
    it, and how long the text is in average ones."""
    frequency = sum(w * count for w, count in zip(fulltext.WEIGHTS, found, strict=True))
    # A word that only the past holds is as rare as one that no row holds.
    rarity = math.log1p((rows - min(holding, rows) + 0.5) / (holding + 0.5))
    bound = fulltext.K1 * (1 - fulltext.B + fulltext.B * length)
    return rarity * frequency * (fulltext.K1 + 1) / (frequency + bound)


def _count(stems: Stems, column: Stems, places: dict[str, list[int]]) -> int:
    """How often a word's stems stand in a column, one behind the other."""
    first = places.get(stems[0], [])
    if len(stems) == 1:
        return len(first)
    return sum(column[at : at + len(stems)] == stems for at in first)


def _places(column: Stems) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, stem in enumerate(column):
        places.setdefault(stem, []).append(at)
    return places


def _averages(connection: apsw.Connection) -> tuple[int, float]:
    """Rows in the index, and words in one of them; 1 and 1 where it is empty."""
    block: bytes = (
        connection.execute("SELECT block FROM memory_fts_data WHERE id = ?", (_AVERAGES,)).get
        or b""
    )
    numbers, value = [], 0
    for byte in block:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    rows, words = (numbers[0], sum(numbers[1 : 1 + _TEXTS])) if numbers else (0, 0)
    return (rows, words / rows) if rows and words else (1, 1.0)
