"""Whether two memories contradict each other, by plain signs in their words.

A guess, made to be right rather than complete: two statements must say the same of the same but for
one thing, and that thing must be one of which there can only be one at a time. What needs knowledge
of the world, or two sentences to see, is not seen. Whoever knows better states it as a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aimem_node.operations import frames
from aimem_node.operations.quantities import (
    are_dates,
    are_equal,
    are_quantities,
    is_approximate,
)  # fmt: skip
from aimem_node.operations.statements import Statement, is_telling, statement_of, statements

NEGATION, NUMBER, DATE, OPPOSITE, VALUE = "negation", "number", "date", "opposite", "value"
CONFIDENCE: Final = {NEGATION: 0.85, OPPOSITE: 0.85, NUMBER: 0.75, DATE: 0.7, VALUE: 0.6}
RELATED_BONUS: Final = 0.05
"""For two memories of one topic."""
PAIRS_MAX: Final = 400
"""Pairs of statements laid side by side, 30 us each."""
WORDS_DENIED_MIN: Final = 2
"""A single word is no statement that could be denied."""
_SHARE_MIN: Final = 0.5
"""Of the telling words of the shorter statement, how many the other must have to be laid beside."""


@dataclass(frozen=True, slots=True)
class Said:
    """A memory as it is compared."""

    statements: tuple[Statement, ...]
    topic: str
    "Normalised. Two memories of one topic speak of the same thing even if they do not name it."
    speaker: str
    "Who says I."


def said(title: str, content: str, topic: str, speaker: str) -> Said:
    """Take a memory apart, once for any number of comparisons."""
    titled = statement_of(title)
    return Said((*((titled,) if titled else ()), *statements(content)), topic, speaker)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What speaks for a contradiction."""

    signs: tuple[str, ...]
    "Sorted; empty: nothing does."
    confidence: float
    "0 to 1."


NONE: Final = Disagreement((), 0.0)


def disagreement(one: Said, other: Said) -> Disagreement:
    """Compare two memories. Symmetric; a memory never disagrees with itself."""
    related = bool(one.topic) and one.topic == other.topic
    bonus = RELATED_BONUS if related else 0.0
    signs: dict[str, float] = {}
    for a, b in _pairs(one, other, related):
        sign = _sign(_Laid(a, b, related, one.speaker == other.speaker))
        if sign:
            signs[sign] = CONFIDENCE[sign] + bonus
    if not signs and related:
        bare = _bare_values(one, other)
        signs |= {bare: CONFIDENCE[bare]} if bare else {}
    if not signs:
        return NONE
    doubt = 1.0
    for sign in sorted(signs):
        doubt *= 1 - signs[sign]
    return Disagreement(tuple(sorted(signs)), round(1 - doubt, 3))


def _pairs(one: Said, other: Said, related: bool) -> Iterator[tuple[Statement, Statement]]:
    """Statements that have much in common."""
    left = PAIRS_MAX
    for a in one.statements:
        for b in other.statements:
            least = min(len(a.telling), len(b.telling))
            shared = len(a.telling & b.telling)
            if (shared or related) and shared >= _SHARE_MIN * (least - 1):
                if not left:
                    return
                left -= 1
                yield a, b


class _Laid:
    """Two statements side by side: what is the same, and the one place where they differ."""

    def __init__(self, a: Statement, b: Statement, related: bool, same_speaker: bool) -> None:
        self.a, self.b = a, b
        self.related = related
        self.same_speaker = same_speaker
        from difflib import SequenceMatcher  # only where two statements are compared

        parts = SequenceMatcher(None, a.tokens, b.tokens, autojunk=False).get_opcodes()
        self.differing = [
            (i, j, k, m)
            for tag, i, j, k, m in parts
            if tag != "equal" and _matters(a.tokens[i:j], b.tokens[k:m])
        ]
        same = [a.tokens[i:j] for tag, i, j, _, _ in parts if tag == "equal"]
        self.same = [token for run in same for token in run]

    @property
    def is_negated(self) -> bool:
        """Whether one says that it is not so."""
        return self.a.negations % 2 != self.b.negations % 2

    @property
    def place(self) -> tuple[list[str], list[str], list[str], list[str]] | None:
        """The one place where something stands in both, and differs: before, one, other, after."""
        if len(self.differing) != 1:
            return None
        i, j, k, m = self.differing[0]
        if i == j or k == m:
            return None
        tokens, others = self.a.tokens, self.b.tokens
        return list(tokens[:i]), list(tokens[i:j]), list(others[k:m]), list(tokens[j:])

    def same_subject(self, before: Sequence[str]) -> bool:
        """Whether both speak of one thing, as far as words tell."""
        own = frames.OWN.intersection(self.same)
        if own and not self.same_speaker and (own & frames.MINE or not self.related):
            return False
        if self.related:
            return True
        named = [token for token in before if is_telling(token) and token not in frames.VERBS]
        return bool(named) and before[0] not in frames.POINTING


def _matters(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether it makes a difference that one stands where the other does."""
    if any(map(is_telling, (*one, *other))):
        return True
    return len(one) == len(other) == 1 and frames.are_opposite(one[0], other[0])


def _sign(laid: _Laid) -> str:
    """The sign that two statements give; empty for none."""
    if laid.is_negated:
        return _negation(laid)
    place = laid.place
    if place is None or laid.a.negations:
        return ""  # of what something is not there may be many
    before, one, other, after = place
    if _is_opposite(laid, before, one, other, after):
        return OPPOSITE
    if not laid.same_subject(before):
        return ""
    if are_quantities(one) and are_quantities(other):
        return _quantity(before, one, other, after)
    return VALUE if _is_value(laid, before, one, other, after) else ""


def _negation(laid: _Laid) -> str:
    if laid.differing or len(laid.same) < WORDS_DENIED_MIN or not laid.same_subject(laid.same):
        return ""
    if sum(map(is_telling, laid.same)) < (1 if laid.related else 2):
        return ""
    one, other = laid.a, laid.b
    is_turned = (one.is_always and other.is_never) or (one.is_never and other.is_always)
    return OPPOSITE if is_turned else NEGATION


def _is_opposite(
    laid: _Laid, before: list[str], one: list[str], other: list[str], after: list[str]
) -> bool:
    if len(one) != 1 or len(other) != 1:
        return False
    if frames.are_opposite_states(one[0], other[0]):
        is_framed = frames.last_verb(before) in frames.STATES_OF
    elif frames.are_opposite_stances(one[0], other[0]):
        is_framed = any(map(is_telling, after))
    else:
        return False
    return is_framed and laid.same_subject(before)


def _quantity(before: list[str], one: list[str], other: list[str], after: list[str]) -> str:
    if frames.last_verb(before) not in frames.MEASURING or before[-1] in frames.COUNTED:
        return ""
    if is_approximate([*before, *after]) or are_equal(one, other):
        return ""
    return DATE if are_dates([before[-1], *one]) or are_dates(other) else NUMBER


def _is_value(
    laid: _Laid, before: list[str], one: list[str], other: list[str], after: list[str]
) -> bool:
    if not (frames.is_name(one) and frames.is_name(other)) or set(one) & set(other):
        return False
    verb = frames.last_verb(before)
    if tuple(before[-2:]) in frames.PLACED:
        return True
    if verb in frames.EQUAL and before[-1] == verb:
        subject = before[:-1]
        return not frames.SLOTS.isdisjoint(subject) and len(after) <= frames.AFTER_MAX
    if verb in frames.CHOOSING and before[-1] == verb:
        has_purpose = bool(after) and after[0] in frames.PURPOSE and any(map(is_telling, after))
        return has_purpose or (laid.related and not after)
    return False


def _bare_values(one: Said, other: Said) -> str:
    """Two memories of one topic that are nothing but a value for it."""
    slot = statement_of(one.topic)
    if slot is None or frames.SLOTS.isdisjoint(slot.tokens[-2:]):
        return ""
    mine, theirs = (
        [each for each in those.statements if each.tokens != slot.tokens] for those in (one, other)
    )
    if len(mine) != 1 or len(theirs) != 1 or mine[0].negations or theirs[0].negations:
        return ""
    a, b = list(mine[0].tokens), list(theirs[0].tokens)
    if are_quantities(a) and are_quantities(b) and not are_equal(a, b):
        return DATE if are_dates(a) or are_dates(b) else NUMBER
    return VALUE if frames.is_name(a) and frames.is_name(b) and not set(a) & set(b) else ""
