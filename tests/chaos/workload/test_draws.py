"""The same seed wants the same things, whatever becomes of them."""

from itertools import islice

from chaos.workload.deeds import deed_of
from chaos.workload.draws import WEIGHTS, draws
from chaos.workload.knowing import Board, Known, Own


def test_the_same_seed_draws_the_same_steps_for_the_same_client() -> None:
    assert list(islice(draws(7, "a0"), 200)) == list(islice(draws(7, "a0"), 200))


def test_another_seed_or_another_client_draws_others() -> None:
    first = list(islice(draws(7, "a0"), 50))
    assert first != list(islice(draws(8, "a0"), 50))
    assert first != list(islice(draws(7, "a1"), 50))


def test_every_deed_is_drawn() -> None:
    assert {draw.f for draw in islice(draws(1, "a0"), 500)} == set(WEIGHTS)


def test_a_deed_without_its_material_makes_some() -> None:
    own, board = Own("a0", "chaos/1/a0"), Board("chaos/1")
    wanted = {draw.f: draw for draw in islice(draws(1, "a0"), 500)}
    made = {f: deed_of(draw, own, board, "a").f for f, draw in wanted.items()}
    assert made["restore"] == made["invalidate"] == made["update"] == "put"
    assert made["vote"] == "vote"


def test_no_two_deeds_share_a_request_key_or_a_title() -> None:
    own, board = Own("a0", "chaos/1/a0", [Known("r", "w")]), Board("chaos/1", [Known("s", "v")])
    deeds = [deed_of(draw, own, board, "a") for draw in islice(draws(3, "a0"), 300)]
    keys = [deed.idem for deed in deeds if deed.idem]
    titles = [deed.fields["title"] for deed in deeds if deed.operation == "Store"]
    assert len(set(keys)) == len(keys) > 200
    assert len(set(titles)) == len(titles) > 30
