"""Were the weights of the ranking fitted to these conversations? Leave one out and see.

Recall explains each score as named factors: the evidence terms, whose names begin with `+` and
which carry their weights already, are added up, and every other factor multiplies the sum. So the
same hits can be put in another order here as other weights would have put them. For each
conversation the weights are chosen anew on all the others and tried on the one that was left out:
weights that had been fitted to it would do better there than those chosen without it. Only hits
that were given can be moved; what another weight would have brought in from below is not seen.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from aimem_node.gateways.operator.bench.quality.asking import Asked
from aimem_node.gateways.operator.bench.quality.measures import recall_at

SCALES = (1.0, 0.5, 1.5, 0.0, 2.0)
"""What a term's weight is multiplied with; of equals the one nearest to what is shipped wins."""
PASSES_MAX = 3
K = 10
SURELY = 1.96
"""Standard errors beyond which a difference is hardly chance."""
MORE = 1e-9

Scales = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One question: its hits in the order in which they were given, and what makes their scores."""

    talk: int
    gold: frozenset[Hashable]
    names: tuple[Hashable, ...]
    multipliers: tuple[float, ...]
    terms: tuple[Mapping[str, float], ...]

    @classmethod
    def of(cls, asked: Asked) -> "Case":
        """The case of a question that was asked with an explanation."""
        parts = [taken_apart(one) for one in asked.factors]
        multipliers = tuple(multiplier for multiplier, _ in parts)
        terms = tuple(found for _, found in parts)
        return cls(asked.talk, frozenset(asked.gold), asked.ranking, multipliers, terms)


@dataclass(frozen=True, slots=True)
class Fold:
    """One conversation left out."""

    talk: int
    questions: int
    shipped: float
    """R@10 with the shipped weights, 0 to 1."""
    chosen: float
    """R@10 with the weights chosen on the others."""
    scales: Scales


@dataclass(frozen=True, slots=True)
class Trial:
    """What the cross-validation found."""

    terms: tuple[str, ...]
    folds: tuple[Fold, ...]
    gained: float
    """Held-out R@10 with chosen weights less that with the shipped, mean over questions."""
    gained_error: float
    """Its standard error."""
    curve: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    """R@10 over all questions for each scale of each term, the others as shipped."""
    unexplained: int = 0
    """Questions whose first ten are others when put in order by what was explained."""

    @property
    def within_noise(self) -> bool:
        """Whether the shipped weights do as well as weights that never saw the conversation."""
        return abs(self.gained) <= SURELY * self.gained_error + MORE


def taken_apart(factors: Mapping[str, Any]) -> tuple[float, dict[str, float]]:
    """The product of what multiplies, and the terms that are added up. Other values are ignored."""
    multiplier, terms = 1.0, {}
    for name, value in factors.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if name.startswith("+"):
            terms[name] = float(value)
        else:
            multiplier *= value
    return multiplier, terms


def order(case: Case, scales: Scales) -> list[Hashable]:
    """The hits as other weights would have ordered them; equals stay as they were given."""
    scores = [
        multiplier * sum(scales.get(name, 1.0) * value for name, value in terms.items())
        if terms
        else multiplier
        for multiplier, terms in zip(case.multipliers, case.terms, strict=True)
    ]
    return _ordered(case.names, scores)


def _ordered(names: Sequence[Hashable], scores: Sequence[float]) -> list[Hashable]:
    return [names[at] for at in sorted(range(len(names)), key=lambda at: -scores[at])]


def quality(case: Case, scales: Scales) -> float:
    """R@10 of one question with other weights."""
    return recall_at(K, order(case, scales), case.gold)


def along(cases: Sequence[Case], name: str, scales: Scales) -> dict[float, float]:
    """Mean R@10 for each scale of one term, the others as given."""
    totals = dict.fromkeys(SCALES, 0.0)
    without = {**scales, name: 0.0}
    for case in cases:
        fixed = [
            multiplier * sum(without.get(each, 1.0) * value for each, value in terms.items())
            for multiplier, terms in zip(case.multipliers, case.terms, strict=True)
        ]
        moved = [
            multiplier * terms.get(name, 0.0)
            for multiplier, terms in zip(case.multipliers, case.terms, strict=True)
        ]
        for scale in SCALES:
            scores = [one + scale * more for one, more in zip(fixed, moved, strict=True)]
            totals[scale] += recall_at(K, _ordered(case.names, scores), case.gold)
    return {scale: total / len(cases) for scale, total in totals.items()}


def chosen(cases: Sequence[Case], terms: Sequence[str]) -> dict[str, float]:
    """Scales by coordinate ascent: one term at a time, until none gets any better."""
    scales = dict.fromkeys(terms, 1.0)
    for _ in range(PASSES_MAX):
        before = dict(scales)
        for name in terms:
            found = along(cases, name, scales)
            best = max(SCALES, key=found.__getitem__)
            if found[best] > found[scales[name]] + MORE:
                scales[name] = best
        if scales == before:
            break
    return scales


def tried(asked: Sequence[Asked]) -> Trial | None:
    """The cross-validation of one way of asking; None without terms or a second conversation."""
    cases = [Case.of(one) for one in asked if one.ranking]
    names = {name for case in cases for terms in case.terms for name in terms}
    terms = tuple(sorted(names))
    talks = sorted({case.talk for case in cases})
    if not terms or len(talks) < 2:
        return None
    folds, gains = [], []
    for talk in talks:
        scales = chosen([case for case in cases if case.talk != talk], terms)
        held = [case for case in cases if case.talk == talk]
        shipped = [quality(case, {}) for case in held]
        other = [quality(case, scales) for case in held]
        gains += [theirs - ours for theirs, ours in zip(other, shipped, strict=True)]
        folds.append(Fold(talk, len(held), fmean(shipped), fmean(other), scales))
    error = stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return Trial(
        terms=terms,
        folds=tuple(folds),
        gained=fmean(gains),
        gained_error=error,
        curve={name: along(cases, name, {}) for name in terms},
        unexplained=sum(set(order(case, {})[:K]) != set(case.names[:K]) for case in cases),
    )
