"""Clients on real nodes, in three ways at once, and the history that they leave."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from aimem_node import places
from aimem_node.gateways import mcp_server  # noqa: F401 - imported once, and not under way
from aimem_node.gateways.demo.own_node import OwnNode
from chaos.history import Event, Recorder, events
from chaos.team import Team
from chaos.workload import Endpoint, Workload
from chaos.workload.draws import WEIGHTS

PATIENCE_S = 60


def at(node: OwnNode) -> Endpoint:
    return Endpoint("a", *(node.socket(way) for way in ("grpc", "http", "mcp")))


def within(team: Team, name: str) -> Endpoint:
    env = {places.RUNTIME_DIR_ENV: str(team.root / f"r{name}")}
    paths = (places.socket_path(str(team.dir(name)), way, env) for way in ("grpc", "http", "mcp"))
    return Endpoint(name, *paths)


def every_question_has_one_answer(found: Iterable[Event]) -> None:
    questions: dict[int, Event] = {}
    for event in found:
        if event.type == "invoke":
            questions[event.i] = event
        else:
            asked = questions.pop(event.of)
            assert (asked.proc, asked.node, asked.f) == (event.proc, event.node, event.f)
            assert asked.idem == event.idem
    assert questions == {}


def oks(found: Iterable[Event]) -> list[Event]:
    return [event for event in found if event.type == "ok"]


def test_every_deed_and_every_way_is_answered_and_a_kill_is_asked_about_again(
    tmp_path: Path,
) -> None:
    recorder = Recorder(tmp_path, time.monotonic_ns)

    async def body(node: OwnNode) -> None:
        node.spawn()
        await node.answering()
        workload = Workload(recorder, [at(node)], seed=1, pause_s=0.0)
        async with asyncio.timeout(PATIENCE_S):
            await workload.start()
            await workload.until(300)
            while not any(event.type == "info" and event.idem for event in events(tmp_path)):
                while not workload.in_flight:  # noqa: ASYNC110 - a turn of the loop away
                    await asyncio.sleep(0)
                node.kill()
                node.spawn()
                await node.answering()
                await workload.until(workload.deeds + 30)
            assert await workload.settle() == 0
        assert len(workload.acknowledged) == len([e for e in oks(events(tmp_path)) if e.w])

    try:
        with OwnNode("aimem-workload-") as node:
            asyncio.run(body(node))
    finally:
        recorder.close()
    found = list(events(tmp_path))
    every_question_has_one_answer(found)
    assert {event.f for event in oks(found)} == set(WEIGHTS)
    assert {event.via for event in oks(found)} == {"grpc", "http", "mcp"}
    in_doubt = [event for event in found if event.type == "info" and event.idem]
    assert in_doubt
    settled = {event.idem for event in oks(found)}
    # Of what waits for approval a later answer does not say on how many disks it is.
    assert {event.idem for event in in_doubt if event.f != "vote"} <= settled
    asked = Counter(event.idem for event in found if event.type == "invoke")
    assert all(asked[event.idem] > 1 for event in in_doubt)
    last = {event.key: event.seen for event in oks(found) if event.f == "read" and event.key}
    puts = [event for event in oks(found) if event.f == "put"]
    deleted = {event.key for event in oks(found) if event.f == "delete"}
    assert all(last[put.key] == ([] if put.key in deleted else [put.key]) for put in puts)


def test_sessions_take_their_tokens_from_node_to_node(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", time.monotonic_ns)
    team = Team(tmp_path, 3)

    async def body() -> None:
        endpoints = {name: within(team, name) for name in team.names}
        workload = Workload(recorder, endpoints, seed=2, pause_s=0.0)
        async with asyncio.timeout(PATIENCE_S):
            await workload.start()
            await workload.until(150)
            workload.drop("c")
            await workload.until(220)
            workload.add(endpoints["c"])
            await workload.until(300)
            assert await workload.settle() == 0

    try:
        for name in team.names:
            team.until_in_sync(name, 3)
        asyncio.run(body())
    finally:
        team.close()
        recorder.close()
    found = list(events(tmp_path / "run"))
    every_question_has_one_answer(found)
    assert {event.node for event in oks(found)} == {"a", "b", "c"}
    nodes_of: dict[int, set[str]] = {}
    for event in found:
        if event.after:
            nodes_of.setdefault(event.proc, set()).add(event.node)
    assert any(len(nodes) > 1 for nodes in nodes_of.values())
    writes = [event for event in oks(found) if event.w and event.write_ids and not event.err]
    assert all(event.w == 2 and event.seen["acks"] >= 2 for event in writes)
    assert all(event.epoch == 1 for event in writes)
    decided = [e for e in oks(found) if e.f == "vote" and (e.seen or {}).get("approved")]
    assert decided


def test_a_cluster_that_takes_no_writes_lets_nothing_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.workload.workload.START_S", 0.05)
    recorder = Recorder(tmp_path, time.monotonic_ns)
    nowhere = Endpoint("a", *(str(tmp_path / way) for way in ("g", "h", "m")))
    try:
        with pytest.raises(RuntimeError, match="a takes no writes"):
            asyncio.run(Workload(recorder, [nowhere], seed=1).start())
    finally:
        recorder.close()
