"""How good one ranking is, given what should have been found.

All measures are for binary relevance and lie between 0 and 1; R@k divides by all that should have
been found, so a question with twelve right answers can never reach 1 at ten. Averages are over
questions, each counting the same whatever conversation it belongs to.
"""

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from statistics import fmean

MEASURES = ("R@1", "R@5", "R@10", "hit@5", "MRR", "nDCG@10")
CUT = 10
"""How deep MRR and nDCG look, and the deepest R@k."""

Score = Mapping[str, float]
"""Each of MEASURES with its value."""


def recall_at(k: int, ranking: Sequence[Hashable], gold: Collection[Hashable]) -> float:
    """The share of the gold that is among the first k."""
    assert gold, "a question without an answer says nothing of a ranking"
    return sum(one in gold for one in ranking[:k]) / len(gold)


def scored(ranking: Sequence[Hashable], gold: Collection[Hashable]) -> Score:
    """All measures of one ranking, which names nothing twice."""
    assert len(set(ranking)) == len(ranking)
    places = [place for place, one in enumerate(ranking[:CUT], start=1) if one in gold]
    gain = sum(1 / math.log2(place + 1) for place in places)
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(gold), CUT) + 1))
    return {
        "R@1": recall_at(1, ranking, gold),
        "R@5": recall_at(5, ranking, gold),
        "R@10": recall_at(10, ranking, gold),
        "hit@5": float(any(place <= 5 for place in places)),
        "MRR": 1 / places[0] if places else 0.0,
        "nDCG@10": gain / best,
    }


def average(scores: Iterable[Score]) -> Score:
    """The mean of each measure over at least one question."""
    taken = list(scores)
    return {name: fmean(one[name] for one in taken) for name in MEASURES}


def collapsed(groups: Iterable[Hashable]) -> list[Hashable]:
    """Each group where it appears first: a ranking of sessions made from one of turns."""
    return list(dict.fromkeys(groups))
