"""Take a text apart into what it states, so that two statements can be laid side by side.

Only plain statements are kept. A question states nothing, "maybe" and "if" state it of another
world, and "today" or "used to" of another day: laid beside a plain statement they would look like
its opposite and are none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aimem_node.store.words import STOP_WORDS

STATEMENTS_MAX: Final = 64
"""Statements of one text that are looked at: its first page."""
TOKENS_MAX: Final = 30
"""A longer sentence says several things at once."""
CHARS_MAX: Final = 16_000
STEM_CHARS_MIN: Final = 3

_ENDS: Final = re.compile(r"(?<=[.!?;])\s+|\n+|\s[-–—]\s")
_TOKEN: Final = re.compile(r"[$€£#]?\w+(?:[.\-/:@'_,]\w+)*%?|=")
_LABEL: Final = re.compile(r"^\W*((?:[\w'/.-]+ ){0,4}[\w'/.-]+):\s+")
_EXCLAIMED: Final = re.compile(
    r"^(?:(?:oh|ah|well|hey),? )?(?:no|nope|nah)\b(?: way)?[,!.]+\s*", re.IGNORECASE
)
"""`Oh no, Jon!` denies nothing."""
_CONTRACTED: Final = (
    ("won't", "will not"), ("can't", "can not"), ("cannot", "can not"), ("shan't", "shall not"),
    ("no longer", "not"), ("not any longer", "not"), ("any longer", ""), ("anymore", ""),
    ("any more", ""), ("not only", "maybe"), ("not just", "maybe"), ("not yet", "maybe"),
    ("used to", "maybe"),
)  # fmt: skip
"""`maybe` marks a sentence that is passed over."""
_SUFFIXES: Final = (
    ("n't", " not"), ("'re", " are"), ("'m", " am"), ("'ve", " have"), ("'ll", " will"), ("'d", ""),
)  # fmt: skip
_IS: Final = re.compile(r"\b(it|he|she|that|there|here|what|who|this)'s\b")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_DROPPED: Final = _set(
    "a an the very really also now currently still just already indeed actually quite so too please"
    " always presently well oh yes yeah okay ok hey hi wow thanks thank sorry"
)
_UNSURE: Final = _set(
    "maybe might if unless whether perhaps probably possibly would could suppose almost nearly"
    " wish hope hopefully sometimes often usually occasionally seldom rarely originally formerly"
    " previously once until till except today yesterday tomorrow tonight ago recently lately soon"
    " earlier instead either hypothetically unclear unsure"
)
_NEGATORS: Final = frozenset("not never no nobody nothing neither nor none without".split())  # noqa: SIM905
_NUMBERS: Final = {
    word: str(number)
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve".split(),  # noqa: SIM905
        2,
    )
}
_BEFORE_MONTHS: Final = _set("in on of by since from every")
_AUXILIARIES: Final = frozenset({"do", "does", "did"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence, reduced to what it says of something."""

    tokens: tuple[str, ...]
    "Stems in order, without articles, fillers and negators."
    negations: int
    is_always: bool
    is_never: bool

    @property
    def telling(self) -> frozenset[str]:
        """The stems that are no stop-words."""
        return frozenset(filter(is_telling, self.tokens))


def statements(text: str) -> Iterator[Statement]:
    """The plain statements of a text, in order, STATEMENTS_MAX at most."""
    text = unicodedata.normalize("NFKC", text[:CHARS_MAX]).replace("’", "'")
    found = 0
    for sentence in _ENDS.split(text):
        statement = statement_of(sentence)
        if statement is not None:
            yield statement
            found += 1
            if found == STATEMENTS_MAX:
                return


def statement_of(sentence: str) -> Statement | None:
    """What one sentence states; None if it states nothing plainly."""
    sentence = _EXCLAIMED.sub("", sentence.strip())
    if not sentence or sentence.endswith("?"):
        return None
    words = _words(_LABEL.sub(r"\1 = ", sentence))
    if not 1 <= len(words) <= TOKENS_MAX or _is_unsure(words):
        return None
    return Statement(
        tokens=tuple(stem(word) for word in _without_helpers(words)),
        negations=sum(word in _NEGATORS for word in words),
        is_always="always" in words,
        is_never="never" in words,
    )


def _is_unsure(words: list[str]) -> bool:
    """Whether it is said with a reservation. `may` is one, unless it is the month."""
    if not _UNSURE.isdisjoint(words):
        return True
    return any(
        word == "may"
        and not (words[at - 1 : at] and words[at - 1] in _BEFORE_MONTHS)
        and not any(each[:1].isdigit() for each in (*words[at - 1 : at], *words[at + 1 : at + 2]))
        for at, word in enumerate(words)
    )


def is_telling(token: str) -> bool:
    """Whether a stem says something by itself."""
    return token not in _STOP_STEMS and token != "="  # noqa: S105  no password


def stem(word: str) -> str:
    """A word without the ending that tells who does it or when. Numbers and names stay whole."""
    if len(word) <= 3 or any(map(str.isdigit, word)) or not word.isalpha():
        return word
    for ending in ("ied", "ies"):
        if word.endswith(ending):
            return word[: -len(ending)] + "y"
    for ending in ("ed", "es", "s", "e"):
        is_one = word.endswith(ending) and not word.endswith(("ss", "eed", "ee"))
        if is_one and len(word) >= STEM_CHARS_MIN + len(ending):
            return word[: -len(ending)]
    return "use" if word == "used" else word


def _words(sentence: str) -> list[str]:
    text = re.sub(r"(?<=\d),(?=\d{3})", "", sentence.lower())
    for short, long in _CONTRACTED:
        text = re.sub(rf"\b{short}\b", long, text)
    text = _IS.sub(r"\1 is", text)
    for suffix, long in _SUFFIXES:
        text = re.sub(rf"{suffix}\b", long, text)
    text = re.sub(r"'s\b", "", text)
    words = (word.strip("-'_/,") for word in _TOKEN.findall(text))
    return [_NUMBERS.get(word, word) for word in words if word]


def _without_helpers(words: list[str]) -> Iterator[str]:
    for at, word in enumerate(words):
        helps = word in _AUXILIARIES and words[at + 1 : at + 2] in (["not"], ["never"])
        if not helps and word not in _DROPPED and word not in _NEGATORS:
            yield word


_STOP_STEMS: Final = STOP_WORDS | {stem(word) for word in STOP_WORDS}
