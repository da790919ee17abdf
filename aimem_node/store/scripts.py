"""How the world writes: which characters make up words, which words are spelled in several ways.

The index holds what these functions made of a text, and has to be told the very same words when
they leave it. So they must say the same on every machine, for as long as a file of this schema is
in use: they go by the tables below and by Unicode 3.2, and not by the Unicode of the day. To
change one means a new step of the schema that makes the index again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from operator import add
from typing import Final


def _span(first: int, last: int) -> str:
    return f"{chr(first)}-{chr(last)}"


def _spans(*pairs: tuple[int, int]) -> str:
    return "".join(_span(first, last) for first, last in pairs)


_INDIC: Final = (0x900, 0x980, 0xA00, 0xA80, 0xB00, 0xB80, 0xC00, 0xC80, 0xD00)
_INDIC_MARKS: Final = ((0x00, 0x03), (0x3A, 0x3C), (0x3E, 0x4E), (0x51, 0x57), (0x62, 0x63))
"""The scripts of India are laid out alike: where the signs stand in each block of 128."""
_POINTS: Final = _spans(
    # Hebrew, and Arabic: what is written above and below letters, and mostly left out.
    (0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x5C4, 0x5C5), (0x5C7, 0x5C7),
    (0x610, 0x61A), (0x64B, 0x65F), (0x670, 0x670), (0x6D6, 0x6DC), (0x6DF, 0x6E4),
    (0x6E7, 0x6E8), (0x6EA, 0x6ED),
)  # fmt: skip
_UNSPACED_MARKS: Final = _spans(
    # Thai, Lao, Myanmar, Khmer
    (0xE31, 0xE31), (0xE34, 0xE3A), (0xE47, 0xE4E), (0xEB1, 0xEB1), (0xEB4, 0xEBC),
    (0xEC8, 0xECD), (0x102B, 0x103E), (0x1056, 0x1059), (0x105E, 0x1060), (0x1062, 0x1064),
    (0x1067, 0x106D), (0x1071, 0x1074), (0x1082, 0x108D), (0x108F, 0x108F), (0x109A, 0x109D),
    (0x17B6, 0x17D3), (0x17DD, 0x17DD),
)  # fmt: skip
_SPACED_MARKS: Final = (
    _POINTS
    + _spans(*((block + a, block + b) for block in _INDIC for a, b in _INDIC_MARKS))
    # Gurmukhi, Gujarati, Sinhala, Tibetan, Syriac, Thaana
    + _spans((0xA70, 0xA71), (0xA75, 0xA75), (0xAFA, 0xAFF), (0xD81, 0xD83), (0xDCA, 0xDCA),
             (0xDCF, 0xDDF), (0xDF2, 0xDF3), (0xF18, 0xF19), (0xF35, 0xF35), (0xF37, 0xF37),
             (0xF39, 0xF39), (0xF3E, 0xF3F), (0xF71, 0xF84), (0xF86, 0xF87), (0xF8D, 0xFBC),
             (0x711, 0x711), (0x730, 0x74A), (0x7A6, 0x7B0))
)  # fmt: skip
_MARKS: Final = _SPACED_MARKS + _UNSPACED_MARKS
"""Signs that belong to the letter before them. To SQLite's tokenizer they are no part of a word
unless it is told so, which leaves single letters of Hindi or Thai."""

_HAN: Final = _spans(
    (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFD)
)
_HANGUL: Final = _spans((0xAC00, 0xD7AF), (0x1100, 0x11FF), (0x3131, 0x318E))
_UNSPACED: Final = (
    _HAN
    + _HANGUL
    # Hiragana, Katakana, Thai, Lao, Myanmar, Khmer
    + _spans((0x3041, 0x3096), (0x309D, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF),
             (0x31F0, 0x31FF), (0xE01, 0xE2E), (0xE30, 0xE30), (0xE32, 0xE33), (0xE40, 0xE46),
             (0xE81, 0xEB0), (0xEB2, 0xEB3), (0xEBD, 0xEC6), (0xEDC, 0xEDF), (0x1000, 0x102A),
             (0x103F, 0x103F), (0x1050, 0x1055), (0x105A, 0x105D), (0x1061, 0x1061),
             (0x1065, 0x1066), (0x106E, 0x1070), (0x1075, 0x1081), (0x108E, 0x108E),
             (0xA9E0, 0xA9E4), (0xAA60, 0xAA76), (0x1780, 0x17B3), (0x17D7, 0x17D7))
    + _UNSPACED_MARKS
)  # fmt: skip
"""Scripts whose words stand without spaces between them, and Korean, whose words do not stand
without what is glued to them."""

RUN: Final = re.compile(f"[{_UNSPACED}]+")
"""Text of such scripts. What it consists of is told by `grams`."""
WORD: Final = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}])*")
"""A word of any script, and a run like one."""
PIECE: Final = re.compile(
    rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}](?:[^\W_{_UNSPACED}]|[{_SPACED_MARKS}])*"
)
"""A run, or a word that holds none."""
_CLUSTER: Final = re.compile(f"[^{_UNSPACED_MARKS}]?[{_UNSPACED_MARKS}]+|.", re.DOTALL)
_HAS_CLUSTERS: Final = re.compile(f"[{_UNSPACED_MARKS}]")
_IS_HAN: Final = re.compile(f"[{_HAN}]")
_IS_HANGUL: Final = re.compile(f"[{_HANGUL}]")

_UNSEEN: Final = (
    "\u00ad\u061c\u070f\u180e\ufeff\u0640"
    + _spans((0x600, 0x605), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064))
    + _spans((0x2066, 0x206F), (0xFFF9, 0xFFFB), (0xE0001, 0xE0001), (0xE0020, 0xE007F))
)
_VARIATIONS: Final = _spans((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_IS_UNSEEN: Final = re.compile(f"[{_UNSEEN}{_VARIATIONS}]")
"""Zero-width and direction marks, variation selectors, the soft hyphen, and the stroke that only
makes an Arabic word longer: what a reader cannot see, and would cut a word in two."""
_ACCENTS: Final = _spans((0x300, 0x36F), (0x3099, 0x309A))
_IS_SYMBOL: Final = re.compile(rf"[^\w\s{_MARKS}{_ACCENTS}]")
"""Or punctuation. It is no word, and no part of one: a name is the same with a trade mark."""
_BETWEEN: Final = _spans(
    (0xA0, 0xA1), (0xA6, 0xA9), (0xAB, 0xAC), (0xAE, 0xB1), (0xB6, 0xB8), (0xBB, 0xBB),
    (0xBF, 0xBF), (0x60C, 0x60C), (0x61B, 0x61B), (0x61F, 0x61F), (0x964, 0x965),
    (0x2000, 0x200A), (0x2010, 0x2029), (0x2030, 0x203E), (0x2190, 0x21FF), (0x2500, 0x25FF),
    (0x3000, 0x3003), (0x3008, 0x3011), (0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF5B, 0xFF65),
)  # fmt: skip
"""What surely stands between words for SQLite, beyond ASCII. Of a character that came to Unicode
after it, such as a new emoji, it makes a word together with what stands beside it."""
IS_FOREIGN: Final = re.compile(f"[^\x00-\x7f{_BETWEEN}]")
"""What a text must hold for its words to be other than SQLite's tokenizer finds."""
BETWEEN: Final = re.compile(rf"[\x00-/:-@\[-`{{-\x7f{_BETWEEN}]+")

_AT_HOME: Final = unicodedata.ucd_3_2_0
_ACCENTED: Final = (
    *range(0x386, 0x3CF), *range(0x1F00, 0x1FFD),  # Greek
    0x451,  # the Russian yo, which is mostly written as ye
)  # fmt: skip


def _without_accents(codes: Iterable[int]) -> dict[int, str]:
    plain = {}
    for code in codes:
        base = _AT_HOME.normalize("NFD", chr(code))[0]
        if base != chr(code) and base.isalpha():
            plain[code] = base
    return plain


_SPELLINGS: Final = _without_accents(_ACCENTED) | str.maketrans(
    {
        # Latin letters that no accent can be taken from, as they are typed without the keyboard.
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i",
        "ħ": "h", "ŧ": "t",
        # Arabic letters that are written for one another, and Persian ones that look the same.
        "آ": "ا", "أ": "ا", "إ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي", "ۀ": "ه",
        **{chr(0x660 + at): str(at) for at in range(10)},
        **{chr(0x6F0 + at): str(at) for at in range(10)},
    }
)  # fmt: skip
_HAS_SPELLINGS: Final = re.compile(f"[{''.join(map(chr, _SPELLINGS))}]")
_IS_POINT: Final = re.compile(f"[{_POINTS}]")
_ARTICLE: Final = re.compile("(?:[وفبك]?ال|لل)(?=[\u0621-\u064a]{3})")
"""The Arabic article, with what may be glued before it, where a word is left without it."""
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def visible(text: str) -> str:
    """The text as it is read: nothing that cannot be seen, letters in one spelling, lower case."""
    read = _IS_SYMBOL.sub(" ", _IS_UNSEEN.sub("", text))
    # The Unicode of the day is asked first, 30 times as quick: what it leaves as it is stays so.
    if not unicodedata.is_normalized("NFKC", read):
        read = _AT_HOME.normalize("NFKC", read)
    return read.casefold().replace("i\u0307", "i")


def folded(text: str) -> str:
    """The visible text with its words in the spelling that all others are reduced to."""
    read = _IS_POINT.sub("", visible(text))
    return read.translate(_SPELLINGS) if _HAS_SPELLINGS.search(read) else read


def base(word: str) -> str:
    """A folded word without the Arabic article."""
    return _ARTICLE.sub("", word, count=1) if "\u0621" <= word[0] <= "\u064a" else word


def spelled_out(word: str) -> str:
    """A folded word as it is typed on a keyboard without umlauts."""
    return word.translate(_UMLAUTS)


def grams(run: str, *, asked: bool) -> list[str]:
    """What a run is found by: each two characters that stand together.

    A text is also found by each single Chinese character, since many are words, and by the first
    syllable of a Korean word; it is not `asked` for these unless there is nothing else to ask for.
    """
    clusters = _CLUSTER.findall(run) if _HAS_CLUSTERS.search(run) else list(run)
    pairs = list(map(add, clusters, clusters[1:]))
    if asked and pairs:
        return pairs
    single = dict.fromkeys(_IS_HAN.findall(run))
    if _IS_HANGUL.match(run):
        single[clusters[0]] = None
    return [*pairs, *single] or clusters


def tokenizer_marks() -> str:
    """The signs that SQLite's tokenizer must be told of, one after the other."""
    pairs = re.findall("(.)-(.)", _MARKS, re.DOTALL)
    codes = {code for a, b in pairs for code in range(ord(a), ord(b) + 1)}
    return "".join(map(chr, sorted(codes)))
