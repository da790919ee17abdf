"""How alike two memories are, by their words and by what a model says they mean.

A model puts "port 5432" and "port 5433" nearer to each other (0.97) than most paraphrases, and
"staging" as near to "production" as a word can be: it tells what a sentence is about, and not what
it says of it. So where two texts are one sentence with something else filled in, their words
judge; and where a number, a negation or an opposite stands between them, they are no duplicates
however near they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aimem_node.operations import contradiction, frames
from aimem_node.operations.call import ReadCall
from aimem_node.operations.quantities import are_dates, are_equal, are_quantities
from aimem_node.operations.similarity import Shape, shape, similarity
from aimem_node.operations.statements import Statement, stem
from aimem_node.store.listing import Filter
from aimem_node.store.rows import MemoryRow
from aimem_node.store.sameness import normalised
from aimem_node.store.words import STOP_WORDS

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

LOOKED_CLOSELY_FROM: Final = 0.5
"""Texts less alike than this are no duplicates whatever stands between them."""
CHARS_READ_CLOSELY: Final = 4_000
STATEMENTS_MAX: Final = 16
"""Statements of each that are laid side by side, 256 pairs of sets."""
STATEMENT_SHARE_MIN: Final = 0.5
"""Of the telling words of two statements, how many both must have to be laid side by side."""
NUMBERS_MAX: Final = 24
"""Of each text, compared two by two where they are not written the same."""
FILLED_IN_WORDS_MAX: Final = 96
"""Texts longer than this are not laid side by side word by word: a millisecond."""
CHARS_PER_TOKEN: Final = 3
"""Of ASCII text, at least; of other scripts one."""

NEGATORS: Final = frozenset(
    """
    nicht kein keine keinen keinem keiner keines nie niemals pas jamais aucun aucune sans no nunca
    jamás não nem sem non mai senza niet geen nooit zonder inte aldrig ikke aldri bez не нет ни без
    никогда لا ليس ليست لم لن ما غير değil yok hiç
    """.split()  # noqa: SIM905 - a list of a word a line would be read by nobody
)
"""Words that turn a statement round, in languages whose sentences we do not take apart."""
_CJK_NEGATORS: Final = re.compile("[不没沒未無无非]|ない|ません|なかった")
_SIGNED: Final = re.compile(r"(?<![\w.])[-+]\d[\d.,]*|\w+[+#]+(?!\w)")
_WORD: Final = re.compile(r"[^\W_]+")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_BARE: Final = re.compile(r"[v#~]?[\d.,]+")
_NUMBERED: Final = re.compile(r"[$€£#~]?\w+(?:[.\-/:@_,]\w+)*%?")


class Said:
    """A memory as it is compared, taken apart as far as a comparison needs it."""

    def __init__(self, title: str, content: str) -> None:
        self._title, self._content = title, content

    @classmethod
    def of(cls, row: MemoryRow) -> Said:
        """What a memory says."""
        return cls(row.title, row.content)

    @cached_property
    def shape(self) -> Shape:
        """By its words."""
        return shape(self._title, self._content)

    @cached_property
    def words(self) -> list[str]:
        """All words in order, those of the title first; of a long text its beginning."""
        text = f"{self._title} {self._content[:CHARS_READ_CLOSELY]}"
        return _WORD.findall(_read(text))

    @cached_property
    def numbered(self) -> list[tuple[str, ...]]:
        """Words with a digit in them, each with its unit if one follows."""
        text = _read(f"{self._title}\n{self._content[:CHARS_READ_CLOSELY]}")
        tokens = [stem(word) for word in _NUMBERED.findall(text)]
        return [_amount(one, then) for one, then in pairwise([*tokens, ""]) if _has_digit(one)]

    @cached_property
    def signed(self) -> list[str]:
        """Words that only a sign tells from others: C++ and C#, -5 and 5. Sorted."""
        return sorted(_SIGNED.findall(normalised(f"{self._title}\n{self._content}")))

    @cached_property
    def negators(self) -> int:
        """How often it says no in another language than English, which is read word by word."""
        foreign = sum(word in NEGATORS for word in self.words)
        return foreign + len(_CJK_NEGATORS.findall(f"{self._title}\n{self._content}"))

    @cached_property
    def stated(self) -> contradiction.Said:
        """Sentence by sentence."""
        return contradiction.said(self._title, self._content[:CHARS_READ_CLOSELY], "", "")

    @property
    def tokens_about(self) -> int:
        """As many tokens as a model may count, roughly and rather too many."""
        text = f"{self._title}{self._content}"
        if text.isascii():
            return len(text) // CHARS_PER_TOKEN
        ascii_chars = sum(map(str.isascii, text))
        return ascii_chars // CHARS_PER_TOKEN + len(text) - ascii_chars


@dataclass(frozen=True, slots=True)
class Likened:
    """How alike two texts are."""

    similarity: float
    "0 to 1, to three decimals; 1 for equal texts."
    by_meaning: bool
    "Whether their vectors say so."
    differs: tuple[str, ...]
    "What keeps them from being the same: number, date, negation, opposite, value. Sorted."


def likened(one: Said, other: Said, cosine: float | None, tokens_max: int = 0) -> Likened:
    """Compare two texts. `cosine` of their vectors, None if either has none; `tokens_max`: of how
    many tokens a vector knows, 0 for any number.

    Where both are known the greater counts, for a model sees a paraphrase and words see the rest of
    a long text that no model reads. The lesser counts where something differs, or one text is the
    other with something else filled in.
    """
    by_words = similarity(one.shape, other.shape)
    if by_words == 1.0 and one.signed == other.signed:
        return Likened(1.0, by_meaning=False, differs=())
    is_read = not tokens_max or max(one.tokens_about, other.tokens_about) <= tokens_max
    near = min(1.0, max(0.0, cosine)) if cosine is not None and is_read else by_words
    if max(near, by_words) < LOOKED_CLOSELY_FROM:
        return Likened(round(max(near, by_words), 3), near > by_words, ())
    differs = differences(one, other)
    if differs or is_filled_in(one, other):
        return Likened(round(min(near, by_words), 3), near < by_words, differs)
    return Likened(round(max(near, by_words), 3), near > by_words, ())


def differences(one: Said, other: Said) -> tuple[str, ...]:
    """What stands between two texts that are much alike, sorted; nothing if no sign is seen.

    Rather too much than too little: a second copy costs less than a fact that is lost in another.
    """
    found = set(contradiction.disagreement(one.stated, other.stated).signs)
    mine, theirs = _unshared(one.numbered, other.numbered)
    if mine and theirs:  # one that merely tells more is no other
        is_date = any(map(are_dates, (*mine, *theirs)))
        found.add(contradiction.DATE if is_date else contradiction.NUMBER)
    if one.signed != other.signed:
        found.add(contradiction.VALUE)
    if one.negators != other.negators:
        found.add(contradiction.NEGATION)
    for a, b in _side_by_side(one.stated.statements, other.stated.statements):
        if a.negations % 2 != b.negations % 2:
            found.add(contradiction.NEGATION)
        elif _is_opposite(a, b):
            found.add(contradiction.OPPOSITE)
    return tuple(sorted(found))


def is_filled_in(one: Said, other: Said) -> bool:
    """Whether they are one text that has other words in some places: half of the words or more
    are the same in the same order, and wherever they differ each has a word of its own."""
    a, b = sorted((one.words, other.words))  # laid side by side the same way for both
    if max(len(a), len(b)) > FILLED_IN_WORDS_MAX:
        return False
    from difflib import SequenceMatcher  # only where two texts are near

    same, is_other = 0, False
    for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            same += j - i
            continue
        if _is_one_amount(a[:j], b[:m], j - i, m - k):
            continue
        mine, theirs = _tells(a[i:j]), _tells(b[k:m])
        if mine != theirs and not j - i == m - k == 1:
            return False  # it says more, or less, or the same in another order
        # A name may be a stop-word of some language, as Mia is: one of two is enough.
        is_other = is_other or mine or theirs
    return is_other and 2 * same >= max(len(a), len(b))


def _is_one_amount(one: Sequence[str], other: Sequence[str], count: int, others: int) -> bool:
    """Whether the last words of two texts are one amount in two ways. Where only the units are
    among them, the number in front of them is a part of it."""
    before, before_other = one[: len(one) - count], other[: len(other) - others]
    is_unit = bool(before and before_other) and before[-1] == before_other[-1]
    more = int(is_unit and _has_digit(before[-1]))
    mine = [stem(word) for word in one[len(one) - count - more :]]
    theirs = [stem(word) for word in other[len(other) - others - more :]]
    return are_quantities(mine) and are_quantities(theirs) and _is_one(mine, theirs)


def _is_one(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two amounts are the same. One that lacks its unit may be in any, if it is the same
    number."""
    if not are_equal(one, other):
        return False
    if _BARE.fullmatch(" ".join(one)) or _BARE.fullmatch(" ".join(other)):
        return re.findall(r"\d+", one[0]) == re.findall(r"\d+", other[0])
    return True


def _read(text: str) -> str:
    """A text as it is compared: 1,000 is 1000."""
    return _THOUSANDS.sub("", normalised(text))


def _tells(words: Sequence[str]) -> bool:
    return any(word not in STOP_WORDS for word in words)


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _amount(word: str, then: str) -> tuple[str, ...]:
    is_unit = bool(then) and not _has_digit(then) and are_quantities([word, then])
    return (word, then) if is_unit else (word,)


def _unshared(
    one: Sequence[tuple[str, ...]], other: Sequence[tuple[str, ...]]
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Numbers that only one of them has, however they are written."""
    mine, theirs = Counter(one[:NUMBERS_MAX]), Counter(other[:NUMBERS_MAX])
    left, right = list(mine - theirs), list(theirs - mine)
    for amount in list(left):
        equal = next((each for each in right if _is_one(amount, each)), None)
        if equal is not None:
            left.remove(amount)
            right.remove(equal)
    return left, right


def _side_by_side(
    one: Sequence[Statement], other: Sequence[Statement]
) -> Iterator[tuple[Statement, Statement]]:
    """Each statement with the one that is most like it, if it says half of the same."""
    of_one, of_other = one[:STATEMENTS_MAX], other[:STATEMENTS_MAX]
    for a in of_one:
        shares = [len(a.telling & b.telling) / max(1, len(a.telling | b.telling)) for b in of_other]
        if shares and max(shares) >= STATEMENT_SHARE_MIN:
            yield a, of_other[shares.index(max(shares))]


def _is_opposite(one: Statement, other: Statement) -> bool:
    mine, theirs = set(one.tokens), set(other.tokens)
    return any(frames.are_opposite(a, b) for a in mine - theirs for b in theirs - mine)


# -- by vectors ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Near:
    """What lies near a text by its vectors."""

    cosines: Mapping[int, float]
    "By row."
    record_ids: tuple[str, ...]
    "Of the nearest, the nearest first."
    missing: str
    "Why some could not be compared; empty if all could."


def nearest(call: ReadCall, vectors: Mapping[str, Numbers], wanted: Filter, limit: int) -> Near:
    """The memories wanted that are nearest to a text, given its vectors by fingerprint."""
    cosines: dict[int, float] = {}
    record_ids: dict[str, None] = {}
    missing = ""
    for fingerprint, vector in vectors.items():
        found = call.view.nearest(fingerprint, vector, wanted, limit)
        missing = missing or found.missing
        for hit in found.hits:
            cosines.setdefault(hit.rid, hit.similarity)
            record_ids[hit.record_id] = None
    return Near(cosines, tuple(record_ids), missing)


def cosines_of(
    call: ReadCall, vectors: Mapping[str, Numbers], rows: Sequence[MemoryRow]
) -> dict[int, float]:
    """How near these rows are to a text, given its vectors; of those that have one."""
    found: dict[int, float] = {}
    for fingerprint, vector in vectors.items():
        lacking = [row.rid for row in rows if row.rid not in found]
        if not lacking:
            break
        for rid, other in call.view.vectors_of(fingerprint, lacking).items():
            found[rid] = float(vector @ other)
    return found


def tokens_read(call: ReadCall) -> int:
    """Of how many tokens the vectors here know at least; 0 if that is not known."""
    return min((space.tokens_max for space in call.embedding.spaces()), default=0)
