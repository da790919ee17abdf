"""Whom to ask for a vector, for how long, and when to make it here."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.followers import adopting
from aimem_node.followers.adopting import Adopting
from aimem_node.metrics import Metrics
from aimem_node.replica.vectors import ASKED_MAX, GivenVector, VectorAnswer, VectorAsk
from aimem_node.store.vectors import DueRow
from tests.embedding_stage import StageModel, vector_of

ME, ANN, BOB = "aa" * 16, "bb" * 16, "cc" * 16
SPACE = StageModel("m").space

Scene = Callable[["Stage"], Awaitable[None]]


def due(rid: int, author: str = ANN, mark: int = 5) -> DueRow:
    return DueRow(rid, f"r-{rid}", "t", "c", mark, f"{author}.{'01' * 8}:{rid}")


class Stage:
    """Two other members, in reach, that answer as a test says."""

    def __init__(self) -> None:
        self.reached = {ANN, BOB}
        self.asked: list[tuple[str, VectorAsk]] = []
        self.answer: Callable[[VectorAsk], VectorAnswer] = given
        self.metrics = Metrics()
        links = {
            node_id: SimpleNamespace(in_reach=lambda _us, node_id=node_id: node_id in self.reached)
            for node_id in (ANN, BOB)
        }
        plane: Any = SimpleNamespace(
            is_alone=False, clock=SimpleNamespace(monotonic_us=lambda: 0), net=self,
            core=SimpleNamespace(me=ME, links=links),
        )  # fmt: skip
        self.adopting = Adopting(plane, self.metrics)

    async def vectors_at(self, node_id: str, ask: VectorAsk) -> VectorAnswer:
        self.asked.append((node_id, ask))
        return self.answer(ask)

    def sort(self, rows: Sequence[DueRow]) -> Any:
        return self.adopting.sort(SPACE.fingerprint, rows)

    async def ask(self, node_id: str, *rows: DueRow) -> list[int]:
        return [rid for rid, _, _ in await self.adopting.ask(node_id, SPACE, rows)]  # type: ignore[arg-type]


def given(ask: VectorAsk) -> VectorAnswer:
    body = vector_of("x").astype("<f2").tobytes()
    return VectorAnswer(
        same_model=True,
        vectors=tuple(GivenVector(one.record_id, one.mark, body) for one in ask.texts),
    )


def play(scene: Scene) -> None:
    async def run() -> None:
        await asyncio.wait_for(scene(Stage()), 20)

    asyncio.run(run())


def test_what_was_written_here_waits_for_nobody_and_comes_first() -> None:
    async def scene(stage: Stage) -> None:
        stage.reached = set()
        found = stage.sort([due(2), due(1, ME)])
        assert [row.rid for row in found.ready] == [2, 1], "nobody could give one"
        stage.reached = {ANN}
        found = stage.sort([due(2), due(1, ME)])
        assert [row.rid for row in found.ready] == [1]
        assert not found.asks
        assert found.again_s == pytest.approx(adopting.PAUSES_S[0])

    play(scene)


def test_its_author_is_asked_first_and_then_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopting, "PAUSES_S", (0.0, 0.0))

    async def scene(stage: Stage) -> None:
        rows = [due(1, BOB)]
        assert list(stage.sort(rows).asks) == [BOB]
        assert list(stage.sort(rows).asks) == [ANN]
        monkeypatch.setattr(adopting, "WAIT_S", 0.0)
        found = stage.sort(rows)
        assert [row.rid for row in found.ready] == [1]

    play(scene)


def test_many_that_are_due_are_old_and_asked_for_at_once_as_many_as_fit() -> None:
    async def scene(stage: Stage) -> None:
        rows = [due(rid) for rid in range(1, ASKED_MAX + 50)]
        found = stage.sort(rows)
        assert {node_id: len(asked) for node_id, asked in found.asks.items()} == {ANN: ASKED_MAX}
        assert not found.ready

    play(scene)


def test_a_changed_text_begins_to_wait_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(stage: Stage) -> None:
        stage.sort([due(1)])
        monkeypatch.setattr(adopting, "PAUSES_S", (9.0,))
        assert stage.sort([due(1, mark=6)]).asks == {}
        stage.adopting.keep_only([])
        monkeypatch.setattr(adopting, "PAUSES_S", (0.0, 0.0))
        assert list(stage.sort([due(1)]).asks) == [ANN], "nothing is remembered of what is done"

    play(scene)


@pytest.mark.parametrize("how", ["another model", "no answer", "nonsense"])
def test_who_has_nothing_to_give_is_left_alone(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopting, "PAUSES_S", (0.0, 0.0))

    def answer(ask: VectorAsk) -> VectorAnswer:
        if how == "no answer":
            raise Failure(Code.UNAVAILABLE, "nobody there")
        return VectorAnswer(how == "nonsense", (GivenVector("r-9", 1, b"\1"),))

    async def scene(stage: Stage) -> None:
        stage.answer = answer
        assert await stage.ask(ANN, due(1)) == []
        assert list(stage.sort([due(1)]).asks) == [BOB]
        assert await stage.ask(BOB, due(1)) == []
        assert [row.rid for row in stage.sort([due(1)]).ready] == [1]
        other: Any = SimpleNamespace(fingerprint="99" * 16)
        assert stage.adopting.sort(other.fingerprint, [due(2)]).asks, "another model, another try"
        refused = stage.metrics.registry.get_sample_value("aimem_vectors_refused_total")
        assert refused == (2 if how == "nonsense" else 0)

    play(scene)


def test_what_is_given_is_taken_as_it_is() -> None:
    async def scene(stage: Stage) -> None:
        assert await stage.ask(ANN, due(1), due(2)) == [1, 2]
        (node_id, ask), *_ = stage.asked
        assert node_id == ANN
        assert [(one.record_id, one.mark) for one in ask.texts] == [("r-1", 5), ("r-2", 5)]

    play(scene)


def test_nobody_is_asked_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopting, "PAUSES_S", (0.0, 0.0))

    async def scene(stage: Stage) -> None:
        stage.reached = {ANN}
        waiting = asyncio.Event()
        begun = asyncio.Event()

        async def slow(_node_id: str, ask: VectorAsk) -> VectorAnswer:
            begun.set()
            await waiting.wait()
            return given(ask)

        stage.vectors_at = slow  # type: ignore[method-assign]
        task = asyncio.ensure_future(stage.ask(ANN, due(1)))
        await begun.wait()
        assert stage.sort([due(2)]).asks == {}
        waiting.set()
        assert await task == [1]
        assert list(stage.sort([due(2)]).asks) == [ANN]

    play(scene)
