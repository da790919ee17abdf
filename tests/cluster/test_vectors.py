"""Vectors in a cluster: made once and handed on where models agree, made anew where they do not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.followers import adopting
from aimem_node.replica.vectors import GivenVector, VectorAnswer, VectorAsk, VectorText
from aimem_node.rpc.peer_books import StoreBooks
from aimem_node.rpc.peer_calls import PeerCalls
from chaos.team import Team
from tests.embedding_stage import DIMENSION, StageModel, vector_of

Start = Callable[..., "Models"]


class Models:
    """A team, each node of which has a model of its own that the test has in hand."""

    def __init__(self, root: Path, names: dict[str, str], spare: int = 0) -> None:
        self.models = {name: StageModel(model) for name, model in names.items()}
        size = len(names) - spare
        self.team = Team(root, size, spare=spare, embedding_of=self.models.__getitem__)
        for name in self.team.nodes:
            self.team.until_in_sync(name, size)

    def facts(self, name: str) -> dict[str, Any]:
        return dict(self.team.call(name, "Stats")["embedding"])

    def vectors(self, name: str, model: str = "") -> dict[str, Any]:
        """By the ids of the memories, of a node's own model or another one."""
        space = (StageModel(model) if model else self.models[name]).space

        def read(view: Any) -> dict[str, Any]:
            rids = {rid: one for one, _, rid, *_ in view.record_rows("", 10_000)}
            return {rids[rid]: one for rid, one in view.vectors_of(space.fingerprint, rids).items()}

        store = self.team.core(name).store
        found: dict[str, Any] = self.team.run(store.readers.read(read))
        return found

    def until_done(self, name: str, count: int) -> None:
        progress = self.team.core(name).vectors.progress
        self.team.until(
            lambda: (progress().vectors, progress().backlog) == (count, 0),
            f"{name} has {count} vectors",
        )

    def until_only_own(self, name: str) -> None:
        """Wait until vectors of other models, which serve until its own are there, are gone."""
        view = self.team.core(name).store.readers
        self.team.until(
            lambda: view.submit(lambda seen: len(seen.spaces()) == 1).result(),
            f"{name} has the vectors of one model",
        )

    def made(self, name: str) -> int:
        return len(self.models[name].passed)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(adopting, "WAIT_S", 20.0)  # a machine that is busy proves nothing
    begun: list[Models] = []

    def make(spare: int = 0, **names: str) -> Models:
        begun.append(Models(tmp_path / str(len(begun)), names, spare))
        return begun[-1]

    yield make
    for one in begun:
        one.team.close()


def loaded(models: Models, *names: str) -> None:
    """Let these nodes know their models, as after the first question."""
    for name in names:
        models.models[name].is_loaded = True


def miss_thirty(models: Models, model: str) -> None:
    """Let c, whose model is this one, come back to thirty memories more, as a snapshot."""
    loaded(models, "a", "b")
    models.team.stop("c")
    for at in range(30):
        models.team.store("a", f"memory {at}")
    models.until_done("a", 30)
    models.models["c"] = StageModel(model)
    loaded(models, "c")
    models.team.start("c", snapshot_lag_ops=5)
    models.until_done("c", 30)
    assert models.team.plane("c").download is not None, "it came as a file"


def test_a_vector_is_made_by_the_node_that_wrote_and_handed_to_the_others(start: Start) -> None:
    models = start(a="m", b="m", c="m")
    loaded(models, "a", "b", "c")
    stored = [models.team.store("a", f"memory {at}")["id"] for at in range(20)]
    for name in "abc":
        models.until_done(name, 20)
        assert set(models.vectors(name)) == set(stored)
    assert models.made("a") == 20
    assert (models.made("b"), models.made("c")) == (0, 0)
    assert models.facts("b")["adopted"] == 20
    made = vector_of("memory 7\nworth keeping", "m")
    assert float(models.vectors("c")[stored[7]] @ made) > 0.999


def test_a_node_that_was_away_adopts_what_it_pulls(start: Start) -> None:
    models = start(a="m", b="m", c="m")
    loaded(models, "a", "b")
    models.team.stop("c")
    for at in range(300):
        models.team.store("ab"[at % 2], f"memory {at}")
    models.until_done("b", 300)
    models.models["c"] = StageModel("m")
    loaded(models, "c")
    models.team.start("c")
    models.until_done("c", 300)
    assert models.facts("c")["adopted"] == 300
    assert models.made("c") == 0


def test_a_snapshot_comes_with_vectors_or_has_them_fetched(start: Start) -> None:
    models = start(a="m", b="m", c="m")
    miss_thirty(models, "m")
    assert len(models.vectors("c")) == 30


def test_nodes_with_different_models_each_have_their_own_vectors_of_everything(
    start: Start,
) -> None:
    models = start(a="one", b="two", c="one")
    loaded(models, "a", "b", "c")
    stored = {models.team.store(name, f"by {name}")["id"] for name in "abc"}
    for name in "abc":
        models.until_done(name, 3)
        assert set(models.vectors(name)) == stored
    assert models.vectors("a", "two") == {}
    assert models.vectors("b", "one") == {}
    assert models.made("b") == 3
    for record_id, vector in models.vectors("b").items():
        title = models.team.call("b", "Get", id=record_id)["memory"]["title"]
        assert float(vector @ vector_of(f"{title}\nworth keeping", "two")) > 0.999


def test_a_snapshot_of_a_node_with_another_model_leaves_none_of_its_vectors(start: Start) -> None:
    models = start(a="one", b="one", c="two")
    miss_thirty(models, "two")
    models.until_only_own("c")
    assert models.vectors("c", "one") == {}
    assert models.made("c") == 30


def test_what_nobody_gives_is_made_here(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopting, "WAIT_S", 0.3)
    models = start(a="m", b="m")
    loaded(models, "a", "b")
    models.models["a"].down = "away"
    record_id = models.team.store("a", "memory")["id"]
    models.until_done("b", 1)
    assert set(models.vectors("b")) == {record_id}
    assert models.made("b") == 1
    models.models["a"].down = ""
    models.until_done("a", 1)


def wrong(text: VectorText, how: str) -> GivenVector:
    good = vector_of("x").astype("<f2")
    bodies = {
        "short": good[:-1], "long": good * 2, "not a number": good * float("nan"),
        "another text": good, "not asked for": good,
    }  # fmt: skip
    mark = text.mark + (how == "another text")
    record_id = "other" if how == "not asked for" else text.record_id
    return GivenVector(record_id, mark, bodies[how].tobytes())


@pytest.mark.parametrize("how", ["short", "long", "not a number", "another text", "not asked for"])
def test_vectors_that_cannot_be_right_are_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    models = start(a="m", b="m")
    loaded(models, "a", "b")

    async def answer(_self: Any, _node_id: str, ask: VectorAsk) -> VectorAnswer:
        return VectorAnswer(same_model=True, vectors=(wrong(ask.texts[0], how),))

    monkeypatch.setattr(StoreBooks, "vectors_at", answer)
    record_id = models.team.store("a", "memory")["id"]
    models.until_done("b", 1)
    assert models.made("b") == 1
    made = vector_of("memory\nworth keeping", "m")
    assert float(models.vectors("b")[record_id] @ made) > 0.999
    registry = models.team.core("b").metrics.registry
    assert registry.get_sample_value("aimem_vectors_refused_total") == 1


def test_a_node_of_an_earlier_version_is_no_obstacle(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = start(a="m", b="m")
    loaded(models, "a", "b")

    async def unknown(self: Any, node_id: str, ask: VectorAsk) -> VectorAnswer:
        body = b""
        return await self._ask(node_id, "NoSuchQuestion", body, lambda _body: ask)

    monkeypatch.setattr(PeerCalls, "vectors_at", unknown)
    models.team.store("a", "memory")
    models.until_done("b", 1)
    assert models.made("b") == 1


def test_a_vector_goes_only_where_its_text_may(start: Start) -> None:
    models = start(a="m", b="m")
    loaded(models, "a", "b")
    team = models.team
    team.call("a", "SetNamespaceCopies", namespace="secret", holders=["none"])
    kept = team.store("a", "kept", namespace="secret")["id"]
    told = team.store("a", "told", namespace="open")["id"]
    models.until_done("a", 2)
    models.until_done("b", 1)
    marks = {
        row.record_id: row.mark
        for row in team.run(team.core("a").store.readers.read(lambda view: texts(view)))
    }
    ask = VectorAsk(
        models.models["a"].space.fingerprint,
        tuple(VectorText(one, marks[one]) for one in (kept, told)),
    )
    answer = team.run(team.net("b").vectors_at(team.ids["a"], ask))
    assert answer.same_model
    assert [one.record_id for one in answer.vectors] == [told]
    assert len(answer.vectors[0].body) == 2 * DIMENSION
    other = VectorAsk("ff" * 16, ask.texts)
    assert not team.run(team.net("b").vectors_at(team.ids["a"], other)).same_model


def texts(view: Any) -> list[VectorText]:
    rows = view._connection.execute("SELECT record_id, fingerprint FROM memory").fetchall()
    return [VectorText(*row) for row in rows]


def test_a_malformed_question_for_vectors_is_refused(start: Start) -> None:
    models = start(a="m", b="m")
    net = models.team.net("b")
    with pytest.raises(Failure, match="fingerprint of 3 bytes"):
        models.team.run(net.vectors_at(models.team.ids["a"], VectorAsk("ffffff", ())))
