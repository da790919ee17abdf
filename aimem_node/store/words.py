"""From what somebody typed to words, none of which the index can mistake for syntax.

Operators, quotes, brackets and column names never reach the index: only runs of letters and
digits do, each in quotes of ours. The index cuts a text itself where spaces do; what it would not
find that way, the words of scripts without spaces and other spellings of a word, is given to it
in a column of its own, so that question and text meet in one spelling.

The names that a memory goes by (of its agent, its place) are in the index too, as words that no
question holds unless it asks for names: or everything that Claude ever wrote would be about him.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import apsw

from aimem_node.store.scripts import (
    BETWEEN,
    IS_FOREIGN,
    PIECE,
    RUN,
    WORD,
    base,
    folded,
    grams,
    spelled_out,
    visible,
)

WORDS_MAX: Final = 256
"""Words read from one query. A question has ten; a pasted document is known by its beginning."""
NAMES_REMEMBERED: Final = 4_096
"""Names whose words are kept at hand: a node knows few agents and places, each in many memories."""
NAME_MARK: Final = "\ue000"
"""Begins every word of a name in the index. Private use: to its tokenizer a letter, to us none."""

_PLAIN_WORD: Final = re.compile("[a-z0-9]+")
_WORD_OR_GRAM: Final = re.compile(rf"{NAME_MARK}?(?:{WORD.pattern}|{RUN.pattern})")

STOP_WORDS: Final = frozenset(
    # What a question is made of, in the languages that notes are most often written in. A word
    # that means something in another of them ("war", "son", "die") is left out of the list. A
    # query that has no other words is searched for by these.
    """
    a about after again all also am an and any are as at be because been before being both but by
    can could d did do does doing done down each few for from further get got had has have having
    he her here hers him his how i if in into is it its itself just ll m may me might more most my
    no nor not now of off on once only or other our ours out over own re s same shall she should so
    some such t than that the their theirs them then there these they this those through to too
    under until up upon us ve very was we were what when where which while who whom whose why will
    with within without would you your yours
    aber als am auch auf aus bei das dass dem den der des ein eine einem einen einer eines
    er es für ich ihr im ist nach nicht noch nur oder sich sie sind so und von was
    wer wie wir wo zu zum zur
    au aux avec ce ces dans de du elle en est et il ils je la le les leur mais ne nous ou par pas
    qu que qui sa se ses sont sur un une vous
    como cuando del el ella ellos es esta este fue las lo los mi muy para pero por porque
    quién qué si su sus una y yo
    che ci cosa da dei della delle di e gli ho mia mio nel non o più quando sono sua suo
    ao com ele ela em eu foi mais meu minha na nas no nos não os ou pela pelo quem são uma
    في من الي عن هل ما ماذا متي اين كيف هو هي هذا هذه ذلك التي الذي ان
    什么 怎么 哪里 谁 吗 的 了 です ます まし した 何 いつ どこ 무엇 언제 어디
    """.split()  # noqa: SIM905  prose is easier to read than 300 quotes
)


def words_of(text: str) -> list[str]:
    """The words of `text` as the index holds them, in order, each once; at most WORDS_MAX.

    Lower case, in one spelling, and of scripts without spaces each two characters that stand
    together.
    """
    if text.isascii():
        return list(dict.fromkeys(_PLAIN_WORD.findall(text.lower())))[:WORDS_MAX]
    words: dict[str, None] = {}
    for match in PIECE.finditer(folded(text)):
        piece = match.group()
        if RUN.match(piece):
            words.update(dict.fromkeys(grams(piece, asked=True)))
        else:
            words[base(piece)] = None
        if len(words) >= WORDS_MAX:
            break
    return list(words)[:WORDS_MAX]


def spelled(text: str) -> list[str]:
    """The words of `text` as one would write them down, lower case, in order, each once; at most
    WORDS_MAX. A run of a script without spaces is one word."""
    words: dict[str, None] = {}
    for match in WORD.finditer(visible(text)):
        words[match.group()] = None
        if len(words) == WORDS_MAX:
            break
    return list(words)


def quoted(words: Sequence[str], joint: str) -> str:
    """A full-text expression of plain words: `joint` is AND or OR."""
    assert joint in {"AND", "OR"}
    assert all(_WORD_OR_GRAM.fullmatch(word) for word in words)
    return f" {joint} ".join(f'"{word}"' for word in words)


def marked(word: str) -> str:
    """A word as it stands in the index where it is part of a name."""
    return NAME_MARK + word


# -- what the index is given ---------------------------------------------------------------


def grams_of(*texts: str) -> str:
    """The words by which texts are found and that the index would not see in them itself."""
    if all(text.isascii() for text in texts):
        return ""
    text = "\n".join(texts)
    if not IS_FOREIGN.search(text):
        return ""  # English with a dash and a quote
    chunks = [chunk for chunk in BETWEEN.split(text) if not chunk.isascii()]
    given = folded(" ".join(chunks))
    runs = RUN.findall(given)
    words = set(WORD.findall(RUN.sub(" ", given) if runs else given))
    also = {base(word) for word in words} | {spelled_out(word) for word in words}
    found = sorted((words | also).difference(chunk.lower() for chunk in chunks))
    for run in runs:
        found += grams(run, asked=False)
    return " ".join(found)


@lru_cache(NAMES_REMEMBERED)
def names_of(text: str) -> str:
    """The words of names, as the index holds them: of an agent's id, or of a namespace, a source
    and a session."""
    return " ".join(map(marked, words_of(text)))


def teach(connection: apsw.Connection) -> None:
    """Teach a connection what the index reads. Every connection to one of our files needs it."""
    # Innocuous: a snapshot from elsewhere is read while its schema is not trusted.
    functions: dict[str, Callable[..., str]] = {
        "memory_grams": grams_of,
        "memory_names": names_of,
    }
    for name, function in functions.items():
        connection.create_scalar_function(
            name, function, deterministic=True, flags=apsw.SQLITE_INNOCUOUS
        )
