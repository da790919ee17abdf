"""The bench of a cluster measures acknowledged stores and nothing else."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aimem_node.contract.values import (
    BulkStoreResponse,
    JoinResponse,
    NodeStatusResponse,
    OriginStatus,
    Outcome,
    StoreRequest,
    StoreResponse,
    WriteResult,
)
from aimem_node.gateways.operator.bench import cluster
from aimem_node.gateways.operator.bench.figures import Figure


def memories(count: int, namespace: str = "bench") -> list[StoreRequest]:
    return [
        StoreRequest(title=f"n{at}", content="worth keeping", namespace=namespace)
        for at in range(count)
    ]


def test_three_real_nodes_are_measured_and_every_figure_is_there(tmp_path: Path) -> None:
    stage: Any = SimpleNamespace(
        node=SimpleNamespace(stop=lambda: None, home=tmp_path / "bench"),
        words=SimpleNamespace(memories=memories),
        runs=lambda _full, _quick: 20,
    )
    figures = asyncio.run(cluster.acknowledging(stage))
    assert [figure.unit for figure in figures] == [
        "ms p95", "ms p99", "stores/s", "ms p95", "stores/s",
    ]  # fmt: skip
    assert all(figure.value > 0 for figure in figures)
    assert not list((tmp_path).glob("aimem-bench-*"))


def test_a_store_that_is_only_pending_ends_the_measurement() -> None:
    cluster._check(SimpleNamespace(outcome=Outcome.COMMITTED))
    with pytest.raises(RuntimeError, match="not committed"):
        cluster._check(SimpleNamespace(outcome=Outcome.PENDING))


# ---- over a team of lists ------------------------------------------------------------------------


class FakeTeam:
    """Nodes that share one list, as if copying took no time."""

    def __init__(self, judge: Callable[[int], Outcome]) -> None:
        self.judge = judge
        self.nodes: dict[str, Any] = {}
        self.titles: list[str] = []
        self.batches: list[int] = []
        self.keys: list[str] = []
        self.by_node: dict[str, int] = {}
        self.began: list[tuple[str, dict[str, str]]] = []
        self.digests: dict[str, str] = {}
        self.ended = False

    async def __aenter__(self) -> "FakeTeam":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ended = True

    async def found(self, names: str) -> None:
        for name in names:
            await self.start(name)

    async def start(self, name: str, **more: str) -> None:
        node = self.nodes[name] = SimpleNamespace(running=True)
        node.stop = lambda: setattr(node, "running", False)
        self.began.append((name, more))

    async def join(self, _name: str, _sponsor: str) -> tuple[float, JoinResponse]:
        return 1.5, JoinResponse(step="voter", snapshot_bytes=3_000_000)

    def client(self, name: str) -> "FakeClient":
        return FakeClient(self, name)

    async def call(self, name: str, operation: str, _request: Any) -> NodeStatusResponse:
        assert operation == "NodeStatus"
        have = (OriginStatus(origin="log", have=len(self.titles)),)
        return NodeStatusResponse(origins=have, digest=self.digests.get(name, "same"))


class FakeClient:
    """One client of one node."""

    def __init__(self, team: FakeTeam, name: str) -> None:
        self.team = team
        self.name = name

    async def __aenter__(self) -> "FakeClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def call(self, operation: str, request: Any) -> Any:
        await asyncio.sleep(0)
        team = self.team
        assert team.nodes[self.name].running
        new = [request] if operation == "Store" else list(request.memories)
        team.titles += [one.title for one in new]
        team.batches.append(len(new))
        team.by_node[self.name] = team.by_node.get(self.name, 0) + len(new)
        if request.options is not None and request.options.request_key:
            team.keys.append(request.options.request_key)
        made = StoreResponse if operation == "Store" else BulkStoreResponse
        return made(write=WriteResult(outcome=team.judge(len(team.titles))))


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    """As much of a stage as this bench uses, quick."""
    return SimpleNamespace(
        words=SimpleNamespace(memories=memories),
        node=SimpleNamespace(home=tmp_path / "n", stop=lambda: None),
        runs=lambda _full, quick: min(quick, 2_000),
        say=lambda _text: None,
    )


def team(
    monkeypatch: pytest.MonkeyPatch,
    judge: Callable[[int], Outcome] = lambda _count: Outcome.COMMITTED,
) -> FakeTeam:
    made = FakeTeam(judge)
    monkeypatch.setattr(cluster, "OwnTeam", lambda *_: made)
    return made


def figure(figures: list[Figure], beginning: str) -> Figure:
    return next(one for one in figures if one.what.startswith(beginning))


def test_every_request_has_a_key_of_its_own_and_all_nodes_get_their_share(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = team(monkeypatch)
    asyncio.run(cluster.acknowledging(stage))
    assert set(nodes.by_node) == {"a", "b", "c"}
    assert set(nodes.batches) == {1, cluster.BATCH}
    assert len(nodes.keys) == len(set(nodes.keys))
    assert nodes.ended


def test_one_store_among_all_that_is_not_committed_is_no_figure(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = team(monkeypatch, lambda n: Outcome.PENDING if n == 700 else Outcome.COMMITTED)
    with pytest.raises(RuntimeError, match="not committed"):
        asyncio.run(cluster.acknowledging(stage))
    assert nodes.ended


def test_the_member_that_missed_everything_catches_up_by_pull_and_a_new_one_joins(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = team(monkeypatch)
    figures = asyncio.run(cluster.catching_up(stage))
    assert nodes.began[-2:] == [("c", {"snapshot_lag_ops": "0"}), ("d", {})]
    assert set(nodes.by_node) == {"a"}
    assert figure(figures, "join of").value == 1.5
    assert figure(figures, "the same: snapshot").value == 3.0
    assert figure(figures, "different states").met is True


def test_nodes_that_end_with_different_states_miss_the_goal(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = team(monkeypatch)
    nodes.digests["d"] = "another"
    states = figure(asyncio.run(cluster.catching_up(stage)), "different states")
    assert (states.value, states.met) == (2, False)
