"""What Maelstrom's workloads check, on nodes that a seed cuts off from one another."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from chaos.maelstrom.node import Settings
from tests.chaos.maelstrom.network import MS, SECOND, Network

HEALED_US = 5 * SECOND
"""Within this long after the last fault all nodes must hold the same. Maelstrom waits for 10 s."""
MAJORITY = Settings(needed=0)
SEEDS = range(12)


def trouble(network: Network, requests: int, ask: Callable[[str, Random], None]) -> None:
    """Ask random nodes for things while the network is cut, slow and lossy; then let it heal."""
    rng = Random(network.rng.random())
    for _ in range(requests):
        draw = rng.random()
        if draw < 0.08:
            names = rng.sample(network.names, len(network.names))
            at = rng.randint(1, len(names) - 1)
            network.part(names[:at], names[at:])
        elif draw < 0.12:
            network.cut = {
                (a, b) for a in network.names for b in network.names if rng.random() < 0.3
            }
        elif draw < 0.2:
            network.heal()
            network.loss = rng.choice((0.0, 0.1, 0.5))
            network.latency_us = (0, rng.choice((5, 50, 800)) * MS)
        ask(rng.choice(network.names), rng)
        network.run(rng.randint(1, 300) * MS)
    network.heal()
    network.run(HEALED_US)


def reads(network: Network, field: str) -> list[Any]:
    """What every node shows now."""
    answers = [network.ask(name, "read") for name in network.names]
    assert all(answer is not None for answer in answers)
    return [answer[field] for answer in answers if answer is not None]


def outcomes(network: Network, asked: dict[int, int]) -> dict[str, list[int]]:
    """What was asked for, by its fate: ok, never (definitely not) or maybe."""
    fates: dict[str, list[int]] = {"ok": [], "never": [], "maybe": []}
    for number, value in asked.items():
        body = network.answers.get(number)
        assert body is not None, "every request is answered"
        code = body.get("code")
        fates["ok" if code is None else "maybe" if code == 0 else "never"].append(value)
    return fates


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("kind", "word", "field"), [
    ("broadcast", "message", "messages"),
    ("add", "element", "value"),
])  # fmt: skip
def test_every_element_reaches_every_node(seed: int, kind: str, word: str, field: str) -> None:
    network = Network(seed, 3 + seed % 3, Settings())
    asked: list[int] = []

    def put(name: str, _rng: Random) -> None:
        asked.append(len(asked))
        answer = network.ask(name, kind, **{word: asked[-1]})
        assert answer is not None, "at W=1 nothing is waited for"
        assert answer["type"] == f"{kind}_ok"

    trouble(network, 60, put)
    for found in reads(network, field):
        assert sorted(found) == asked


@pytest.mark.parametrize("seed", SEEDS)
def test_every_node_comes_to_the_sum(seed: int) -> None:
    network = Network(seed, 3 + seed % 3, Settings(workload="pn-counter"))
    total = 0

    def add(name: str, rng: Random) -> None:
        nonlocal total
        delta = rng.randint(-5, 4)
        total += delta
        assert network.ask(name, "add", delta=delta) is not None

    trouble(network, 60, add)
    assert set(reads(network, "value")) == {total}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_id_is_given_twice(seed: int) -> None:
    network = Network(seed, 3 + seed % 3, Settings())
    ids: list[str] = []

    def draw(name: str, rng: Random) -> None:
        if rng.random() < 0.05:
            network.start(name)  # a process that has forgotten all it ever gave
        for _ in range(3):
            answer = network.ask(name, "generate")
            assert answer is not None
            ids.append(answer["id"])

    trouble(network, 60, draw)
    assert len(ids) == len(set(ids)) == 180


@pytest.mark.parametrize("seed", SEEDS)
def test_at_a_majority_every_answer_is_true(seed: int) -> None:
    network = Network(seed, 3 + seed % 3, MAJORITY)
    asked: dict[int, int] = {}

    def put(name: str, _rng: Random) -> None:
        network.ask(name, "add", element=len(asked))
        asked[network.last_asked] = len(asked)

    trouble(network, 80, put)
    fates = outcomes(network, asked)
    assert fates["ok"], "a run that acknowledges nothing proves nothing"
    for found in reads(network, "value"):
        assert set(fates["ok"]) <= set(found)
        assert not set(fates["never"]) & set(found)
        assert set(fates["maybe"]) <= set(found), "what is pending spreads, once it can"


def test_the_smaller_side_refuses_at_a_majority_and_the_larger_goes_on() -> None:
    network = Network(1, 5, MAJORITY)
    network.ask("n1", "echo", echo=1)
    network.run(2 * SECOND)
    network.part(["n1", "n2"], ["n3", "n4", "n5"])

    network.ask("n1", "add", element="cut while it was asked")
    pending = network.last_asked
    network.run(2 * SECOND)
    assert network.answers[pending]["code"] == 0

    refused = network.ask("n1", "add", element="never")
    assert refused is not None
    assert (refused["type"], refused["code"]) == ("error", 11)

    network.ask("n4", "add", element="kept")
    kept = network.last_asked
    network.run(100 * MS)
    assert network.answers[kept]["type"] == "add_ok"

    network.heal()
    network.run(HEALED_US)
    for found in reads(network, "value"):
        assert sorted(found) == ["cut while it was asked", "kept"]


@pytest.mark.parametrize("seed", range(4))
def test_what_a_majority_has_acknowledged_survives_one_process(seed: int) -> None:
    network = Network(seed, 3, MAJORITY)
    network.ask("n1", "echo", echo=1)
    network.run(2 * SECOND)
    acknowledged = []
    for number in range(40):
        name = network.rng.choice(network.names)
        network.ask(name, "add", element=number)
        asked = network.last_asked
        network.run(50 * MS)
        if network.answers.get(asked, {}).get("type") == "add_ok":
            acknowledged.append(number)
        if number == 25:
            network.start("n2")
            network.run(3 * SECOND)
    network.run(HEALED_US)
    assert len(acknowledged) > 20
    for found in reads(network, "value"):
        assert set(acknowledged) <= set(found)


def test_nobody_speaks_to_the_others_before_somebody_spoke_to_it() -> None:
    network = Network(1, 3, Settings())
    network.run(10 * SECOND)
    assert network.messages == 0
    network.ask("n2", "topology", topology={})
    network.run(2 * SECOND)
    assert network.messages > 6
    assert network.logged == []


def test_a_node_that_was_away_for_long_pulls_page_after_page() -> None:
    network = Network(1, 3, Settings(workload="g-set"))
    network.ask("n1", "echo", echo=1)
    network.run(2 * SECOND)
    network.part(["n1", "n2"], ["n3"])
    for number in range(3_000):
        network.ask("n1", "add", element=number)
    network.run(2 * SECOND)
    network.heal()
    network.run(HEALED_US)
    assert [len(found) for found in reads(network, "value")] == [3_000] * 3


def test_the_same_seed_is_the_same_run() -> None:
    def run() -> tuple[int, list[Any]]:
        network = Network(5, 4, Settings())
        trouble(network, 30, lambda name, rng: network.ask(name, "add", element=rng.random()))
        return network.messages, reads(network, "value")

    assert run() == run()
