"""From what somebody typed to words, none of which the index can mistake for syntax.

Operators, quotes, brackets and column names never reach the index: only runs of letters and
digits do, each in quotes of ours. What a reader cannot see (zero-width and direction marks,
variation selectors) is taken out first, since it would cut a word in two.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

WORDS_MAX: Final = 256
"""Words read from one query. A question has ten; a pasted document is known by its beginning."""

_WORD: Final = re.compile(r"[^\W_]+")
_VARIATION: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")

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
    """.split()  # noqa: SIM905  prose is easier to read than 300 quotes
)


def words_of(text: str) -> list[str]:
    """The words of `text`, folded to lower case, in order, each once; at most WORDS_MAX."""
    visible = (
        "".join(character for character in text if unicodedata.category(character) != "Cf")
        if not text.isascii()
        else text
    )
    visible = unicodedata.normalize("NFC", _VARIATION.sub("", visible))
    words: dict[str, None] = {}
    for match in _WORD.finditer(visible):
        words[match.group().casefold()] = None
        if len(words) == WORDS_MAX:
            break
    return list(words)


def quoted(words: list[str], joint: str) -> str:
    """A full-text expression of plain words: `joint` is AND or OR."""
    assert joint in {"AND", "OR"}
    assert all(_WORD.fullmatch(word) for word in words)
    return f" {joint} ".join(f'"{word}"' for word in words)
