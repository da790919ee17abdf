"""What a run found, put together: scores, times, sizes, and how they stand to the goals."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from aimem_node.gateways.operator.bench.figures import Figure, Spread
from aimem_node.gateways.operator.bench.quality.asking import LIMIT, Asked
from aimem_node.gateways.operator.bench.quality.measures import (
    Score,
    average,
    collapsed,
    scored,
)
from aimem_node.gateways.operator.bench.quality.weights import Trial

APART, TOGETHER = "a store each", "one store"
"""How the conversations were kept; the latter is asked without any filter."""
TURN, SITTING, TEN_ONLY = "turn", "session", "turn, asked for ten"


@dataclass(frozen=True, slots=True)
class Goal:
    """A share, in per cent, that one measure has to reach."""

    stores: str
    way: str
    grain: str
    measure: str
    percent: float


GOALS = (
    Goal(APART, "keyword", TURN, "R@10", 77.5),
    Goal(APART, "hybrid+rerank", TURN, "R@10", 83.5),
    Goal(APART, "hybrid+rerank", TURN, "R@1", 42.0),
    Goal(APART, "hybrid+rerank", TURN, "hit@5", 79.0),
    Goal(APART, "hybrid+rerank", SITTING, "R@5", 91.0),
    Goal(TOGETHER, "hybrid", TURN, "R@10", 75.0),
)


@dataclass(frozen=True, slots=True)
class Series:
    """All questions, asked one way of conversations kept one way."""

    stores: str
    way: str
    asked: tuple[Asked, ...]
    by_meaning: bool = False
    """Whether answers should have come by meaning."""
    longest_s: float = 0.0
    """For how long one node was asked at most."""
    trial: Trial | None = None
    """The cross-validation of the weights, where it was made."""

    def __post_init__(self) -> None:
        assert self.asked, "nothing was asked"

    def scores(self, grain: str, of: Callable[[Asked], bool] = lambda _: True) -> list[Score]:
        """The score of each question that is chosen."""
        return [scored(*_GRAINS[grain](one)) for one in self.asked if of(one)]

    @property
    def categories(self) -> list[str]:
        """The kinds of question there are."""
        return sorted({one.question.category for one in self.asked})

    @property
    def unanswered(self) -> int:
        """Questions for which nothing came back."""
        return sum(not one.ranking for one in self.asked)

    @property
    def by_words_alone(self) -> int:
        """Questions that should have been answered by meaning and were not."""
        if not self.by_meaning:
            return 0
        return sum(one.mode == "keyword" or bool(one.unavailable) for one in self.asked)


def _by_turn(one: Asked) -> tuple[Sequence[Hashable], frozenset[Hashable]]:
    return one.ranking, frozenset(one.gold)


def _by_sitting(one: Asked) -> tuple[Sequence[Hashable], frozenset[Hashable]]:
    gold: frozenset[Hashable] = frozenset(place.sitting for place in one.gold)
    return collapsed(place.sitting for place in one.ranking), gold


def _by_turn_of_ten(one: Asked) -> tuple[Sequence[Hashable], frozenset[Hashable]]:
    return one.ten, frozenset(one.gold)


_GRAINS = {TURN: _by_turn, SITTING: _by_sitting, TEN_ONLY: _by_turn_of_ten}


def figures(series: Sequence[Series]) -> list[Figure]:
    """What was promised of what was measured. Goals of what was not asked are left out."""
    by_kind = {(one.stores, one.way): one for one in series}
    found = []
    for goal in GOALS:
        held = by_kind.get((goal.stores, goal.way))
        if held is not None:
            value = 100 * average(held.scores(goal.grain))[goal.measure]
            what = f"{goal.way}, {goal.stores}: {goal.grain} {goal.measure}"
            found.append(Figure(what, round(value, 2), "%", goal.percent, "at least"))
    for one in series:
        what = f"{one.way}, {one.stores}: questions"
        found.append(Figure(f"{what} without an answer", one.unanswered, "", 0, "exactly"))
        if one.by_meaning:
            words = Figure(f"{what} answered by words alone", one.by_words_alone, "", 0, "exactly")
            found.append(words)
    return found


def as_json(one: Series) -> dict[str, Any]:
    """A series in plain values; shares from 0 to 1."""
    waits = Spread.of([each.took_ms for each in one.asked])
    sizes = [each.answer_bytes for each in one.asked]
    found: dict[str, Any] = {
        "stores": one.stores,
        "way": one.way,
        "questions": len(one.asked),
        "limit": LIMIT,
        TURN: _rounded(average(one.scores(TURN))),
        SITTING: _rounded(average(one.scores(SITTING))),
        TEN_ONLY: _rounded(average(one.scores(TEN_ONLY))),
        "categories": {
            name: {
                "questions": len(one.scores(TURN, _of(name))),
                TURN: _rounded(average(one.scores(TURN, _of(name)))),
                SITTING: _rounded(average(one.scores(SITTING, _of(name)))),
            }
            for name in one.categories
        },
        "latency_ms": {
            "p50": round(waits.p50_ms, 2),
            "p95": round(waits.p95_ms, 2),
            "p99": round(waits.p99_ms, 2),
            "max": round(waits.max_ms, 2),
        },
        "answer_bytes": {"mean": round(fmean(sizes)), "max": max(sizes), "sum": sum(sizes)},
        "without_an_answer": one.unanswered,
        "by_words_alone": one.by_words_alone,
        "modes": sorted({each.mode for each in one.asked}),
        "unavailable": sorted({text for each in one.asked for text in each.unavailable}),
        "not_the_same_again": sum(not each.same_again for each in one.asked),
        "other_first_ten_when_asked_for_ten": sum(not each.same_ten for each in one.asked),
        "longest_s": round(one.longest_s, 1),
    }
    if one.trial is not None:
        found["weights"] = trial_as_json(one.trial)
    return found


def trial_as_json(trial: Trial) -> dict[str, Any]:
    """A cross-validation in plain values."""
    return {
        "terms": list(trial.terms),
        "folds": [
            {
                "conversation": fold.talk,
                "questions": fold.questions,
                "shipped": round(fold.shipped, 4),
                "chosen": round(fold.chosen, 4),
                "scales": dict(fold.scales),
            }
            for fold in trial.folds
        ],
        "gained": round(trial.gained, 4),
        "gained_error": round(trial.gained_error, 4),
        "within_noise": trial.within_noise,
        "curve": {
            name: {f"{scale:g}": round(share, 4) for scale, share in sorted(along.items())}
            for name, along in trial.curve.items()
        },
        "unexplained": trial.unexplained,
    }


def _of(category: str) -> Callable[[Asked], bool]:
    return lambda one: one.question.category == category


def _rounded(score: Score) -> Mapping[str, float]:
    return {name: round(value, 4) for name, value in score.items()}
