"""How alike two memories are, by their words: a number from 0 to 1.

It looks at nothing but the two texts. Weighing a word by how rare it is in the store would tell
more, but then two memories that were alike yesterday would not be today, since a third was stored,
and a threshold would mean another thing on every node.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from aimem_node.store.sameness import normalised
from aimem_node.store.words import STOP_WORDS

TITLE_MIN, TITLE_MAX = 0.1, 0.5
"""What titles count for: as much of all words as stand in them, within these bounds. The same page
under another name is the same; the same "yes" under another question is not."""
WORDS, PAIRS = 0.6, 0.4
"""How words of the contents and their pairs of neighbours share what is left."""
CHARS_READ_MAX: Final = 16_000
"""Texts are compared by as much of their beginnings: about 2,500 words, read in 2 ms."""
_STOP_WEIGHT: Final = 0.2
_NUMBER_WEIGHT: Final = 2.0
"""A number tells two notes of one kind apart that share all their other words."""
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Shape:
    """A memory as it is compared."""

    whole: tuple[str, str]
    "Title and content, normalised."
    title: frozenset[str]
    words: frozenset[str]
    "Of the content."
    pairs: frozenset[tuple[str, str]]
    "Words that follow each other in the content."


def shape(title: str, content: str) -> Shape:
    """Take a memory apart, once for any number of comparisons."""
    whole = normalised(title[:CHARS_READ_MAX]), normalised(content[:CHARS_READ_MAX])
    titled, said = (_WORD.findall(text) for text in whole)
    return Shape(whole, frozenset(titled), frozenset(said), frozenset(pairwise(said)))


def similarity(one: Shape, other: Shape) -> float:
    """How alike two memories are: 1.0 for equal ones, 0.0 where they have no word in common.

    The weighted mean of three Jaccard indexes (what both have, of what either has): words of the
    titles, words of the contents, pairs of words of the contents. In the first two a stop-word
    counts for a fifth and one with a digit for two. A part that both lack is left out of the mean.
    Symmetric, and the same for the same two texts for ever. As a guide: a word changed in a
    sentence of eight gives about 0.65, one in twenty 0.85, the same content under a title of other
    words 0.85 to 0.9.
    """
    if one.whole == other.whole:
        return 1.0
    titled, said = (
        len(a) + len(b) for a, b in ((one.title, other.title), (one.words, other.words))
    )
    of_title = min(TITLE_MAX, max(TITLE_MIN, titled / max(1, titled + said)))
    parts = (
        (of_title, _shared(one.title, other.title)),
        ((1 - of_title) * WORDS, _shared(one.words, other.words)),
        ((1 - of_title) * PAIRS, _shared_pairs(one.pairs, other.pairs)),
    )
    told = [(weight, share) for weight, share in parts if share is not None]
    if not told:
        return 0.0
    return min(1.0, sum(w * share for w, share in told) / sum(w for w, _ in told))


def _shared(one: frozenset[str], other: frozenset[str]) -> float | None:
    if not one and not other:
        return None
    return _weight(sorted(one & other)) / _weight(sorted(one | other))


def _shared_pairs(
    one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]
) -> float | None:
    if not one and not other:
        return None
    return len(one & other) / len(one | other)


def _weight(words: Sequence[str]) -> float:
    """Summed in one order: the same words always weigh the same to the last bit."""
    return sum(map(_weight_of, words))


def _weight_of(word: str) -> float:
    if word in STOP_WORDS:
        return _STOP_WEIGHT
    return _NUMBER_WEIGHT if any(map(str.isdigit, word)) else 1.0
