"""The cross-validation, on factors whose best weights are known."""

import pytest

from aimem_node.gateways.demo.conversation import Question
from aimem_node.gateways.operator.bench.quality import weights
from aimem_node.gateways.operator.bench.quality.asking import Asked, Place
from aimem_node.gateways.operator.bench.quality.weights import Case, Trial

POOL = 30


def asked(talk: int, number: int, gold_at: int, factors: list[dict[str, object]]) -> Asked:
    ranking = tuple(Place(talk, f"q{number}t{at}", "s") for at in range(len(factors)))
    question = Question("?", "!", frozenset({f"q{number}t{gold_at}"}))
    return Asked(
        talk, question, frozenset({ranking[gold_at]}), ranking, 1.0, 10, "hybrid", (),
        tuple(factors), same_again=True, ten=ranking[:10],
    )  # fmt: skip


def misled(talk: int, number: int) -> Asked:
    """The gold is far down by what is shipped: only the words know it, and the noise drowns it."""
    factors: list[dict[str, object]] = [
        {"+words": 0.5 if at == 20 else 0.4, "+noise": 0.5 - at / 100, "recency": 1.0}
        for at in range(POOL)
    ]
    return asked(talk, number, 20, factors)


def clear(talk: int, number: int) -> Asked:
    """The gold is first, whatever the noise weighs."""
    factors: list[dict[str, object]] = [
        {"+words": 1.0 if at == 0 else 0.1, "+noise": 0.01 * (at % 3)} for at in range(POOL)
    ]
    return asked(talk, number, 0, factors)


def test_a_score_is_its_multipliers_times_the_sum_of_its_terms_and_nothing_else() -> None:
    factors = {"+a": 0.5, "+b": 1, "recency": 0.5, "tier": 2, "raw": {"bm25": 9}, "x": True}
    assert weights.taken_apart(factors) == (1.0, {"+a": 0.5, "+b": 1.0})


def test_hits_are_put_in_order_by_other_weights_and_equals_stay_as_they_were() -> None:
    case = Case.of(
        asked(1, 1, 0, [{"+a": 1.0, "+b": 0.0}, {"+a": 0.0, "+b": 0.9}, {"+a": 0.0, "+b": 0.9}])
    )
    first, second, third = case.names
    assert weights.order(case, {}) == [first, second, third]
    assert weights.order(case, {"+a": 0.5}) == [second, third, first]
    assert weights.order(case, {"+a": 0.0, "+b": 0.0}) == [first, second, third]


def test_along_one_term_agrees_with_ordering_each_case_anew() -> None:
    cases = [Case.of(misled(1, 1)), Case.of(clear(1, 2))]
    found = weights.along(cases, "+noise", {"+words": 1.5})
    for scale, share in found.items():
        each = [weights.quality(case, {"+words": 1.5, "+noise": scale}) for case in cases]
        assert share == pytest.approx(sum(each) / len(each))


def test_a_term_that_only_harms_is_taken_out_on_conversations_that_never_saw_it() -> None:
    trial = weights.tried([misled(talk, number) for talk in (1, 2, 3) for number in range(5)])
    assert trial is not None
    assert [fold.shipped for fold in trial.folds] == [0, 0, 0]
    assert [fold.chosen for fold in trial.folds] == [1, 1, 1]
    assert trial.gained == 1
    assert not trial.within_noise
    assert trial.curve["+noise"][0.0] == 1
    assert trial.unexplained == 0


def test_where_nothing_is_to_be_gained_the_shipped_weights_stay() -> None:
    trial = weights.tried([clear(talk, number) for talk in (1, 2) for number in range(4)])
    assert trial is not None
    assert all(set(fold.scales.values()) == {1.0} for fold in trial.folds)
    assert trial.gained == 0
    assert trial.within_noise


def test_weights_fitted_to_one_conversation_lose_nothing_there_and_gain_elsewhere() -> None:
    """The conversation that is left out has no say in the weights that it is tried with."""
    trial = weights.tried(
        [clear(1, number) for number in range(4)] + [misled(2, number) for number in range(4)]
    )
    assert trial is not None
    with_the_misled_left_out = trial.folds[1]
    assert set(with_the_misled_left_out.scales.values()) == {1.0}
    assert with_the_misled_left_out.chosen == with_the_misled_left_out.shipped == 0


def test_without_terms_or_without_a_second_conversation_there_is_nothing_to_validate() -> None:
    assert weights.tried([clear(1, 1), clear(1, 2)]) is None
    plain: list[dict[str, object]] = [{"match": 1.0}, {"match": 0.5}]
    assert weights.tried([asked(1, 1, 0, plain), asked(2, 1, 0, plain)]) is None


def test_an_explanation_that_gives_another_order_is_counted() -> None:
    factors: list[dict[str, object]] = [{"+a": at / POOL} for at in range(POOL)]
    trial = weights.tried([asked(1, 1, 0, factors), asked(2, 1, 0, factors)])
    assert trial is not None
    assert trial.unexplained == 2


def test_noise_is_judged_by_the_standard_error() -> None:
    def judged(gained: float, error: float) -> bool:
        return Trial((), (), gained, error).within_noise

    assert judged(0.01, 0.01)
    assert not judged(0.03, 0.01)
    assert not judged(-0.03, 0.01)
