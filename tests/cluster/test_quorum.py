"""Writes to a cluster: who must hold them, who receives them, and what is said when few can."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_sync.links import REACH_US
from chaos.team import Team


def never_pull(team: Team) -> None:
    """Take the catch-up loop out of every node, so that only pushes are left."""
    for node in team.nodes.values():
        core: Any = node.core
        core.plane.core._ask = lambda _now_us: []


def test_w_decides_when_we_answer_and_never_who_receives(tmp_path: Path) -> None:
    team = Team(tmp_path, 5)
    try:
        team.until_in_sync("a", 5)
        never_pull(team)
        for at in range(20):
            written = team.store("a", f"note {at}", options={"w": 2})["write"]
            assert written["outcome"] == "committed"
            assert written["needed"] == 2
        team.until_level()
        assert [len(team.titles(name)) for name in team.names] == [20] * 5
    finally:
        team.close()


def test_a_write_without_a_majority_in_reach_is_refused_before_anything_is_written(
    three: Team,
) -> None:
    three.store("a", "first")
    three.stop("b")
    three.stop("c")
    three.until(lambda: len(three.nodes["a"].core.plane.in_sync) == 1, "a is alone")  # type: ignore[union-attr]
    before = three.have("a")
    with pytest.raises(Failure) as refused:
        three.store("a", "second")
    assert refused.value.code is Code.NOT_WRITTEN
    assert {one["name"] for one in refused.value.details["peers"]} == {"b", "c"}
    assert {one["state"] for one in refused.value.details["peers"]} == {"unreachable"}
    assert three.have("a") == before
    assert three.titles("a") == ["first"]


def test_a_write_whose_holders_vanish_is_pending_and_every_retry_gives_that_one_write(
    three: Team,
) -> None:
    key = str(uuid.uuid4())
    options = {"request_key": key, "deadline_ms": 300, "allow_pending": True}
    three.part("a")
    written = three.store("a", "once", options=options)["write"]
    assert written["outcome"] == "pending"
    assert {one["name"] for one in written["peers"]} == {"b", "c"}
    quick = {**options, "deadline_ms": 1}
    again = [three.store("a", "once", options=quick)["write"] for _ in range(100)]
    assert {one["write_ids"][0] for one in again} == {written["write_ids"][0]}
    assert all(one["replayed"] for one in again)
    three.heal()
    three.until_in_sync("a", 2)
    waited = three.call("a", "WaitDurable", write_id=written["write_ids"][0], deadline_ms=10_000)
    assert waited["write"]["outcome"] == "committed"
    assert three.store("a", "once", options=options)["write"]["outcome"] == "committed"
    three.until_level()
    assert [three.titles(name) for name in three.names] == [["once"]] * 3


def test_a_retry_at_another_node_finds_the_first_answer_there(three: Team) -> None:
    options = {"request_key": "the-key"}
    first = three.store("a", "told twice", options=options)
    three.until_level()
    second = three.store("b", "told twice", options=options)
    assert second["id"] == first["id"]
    assert second["write"]["replayed"] is True
    assert second["write"]["write_ids"] == first["write"]["write_ids"]
    three.until_level()
    assert three.titles("c") == ["told twice"]


def test_the_same_key_on_both_sides_of_a_partition_makes_one_memory(three: Team) -> None:
    options = {"request_key": "the-key", "allow_pending": True, "deadline_ms": 200}
    three.part("a")
    one = three.store("a", "told twice", options=options)
    two = three.store("b", "told twice", options=options)
    assert one["id"] == two["id"]
    three.heal()
    three.until_level()
    assert [three.titles(name) for name in three.names] == [["told twice"]] * 3
    assert len({three.digest(name) for name in three.names}) == 1


def test_a_burst_against_a_slow_peer_arrives_whole(three: Team) -> None:
    for (_, other), link in three.links.items():
        if other == "c":
            link.faults.delay_s = 0.02

    async def burst() -> None:
        async def one(at: int) -> None:
            memories = [{"title": f"{at}.{i}", "content": "x"} for i in range(250)]
            patient = {"deadline_ms": 60_000}
            await three.acall("a", "BulkStore", memories=memories, options=patient)

        await asyncio.gather(*(one(at) for at in range(40)))

    three.run(burst(), 120)
    three.until_level()
    counts = [three.call(name, "Stats")["total"] for name in three.names]
    assert counts == [10_000] * 3


def test_a_write_that_comes_first_after_a_machine_stood_still_is_taken(three: Team) -> None:
    async def froze() -> dict[str, Any]:
        time.sleep(2 * REACH_US / 1e6)  # noqa: ASYNC251 - all nodes stand still, that is the point
        return await three.acall("a", "Store", title="at once", content="x")

    assert three.run(froze())["write"]["outcome"] == "committed"


def test_w_of_a_namespace_is_held_to_and_inherited(three: Team) -> None:
    three.call("a", "SetNamespaceCopies", namespace="vault", w=3)
    assert three.store("a", "gold", namespace="vault/deep")["write"]["needed"] == 3
    assert three.store("a", "tin")["write"]["needed"] == 2
    three.stop("c")
    three.until(lambda: len(three.nodes["a"].core.plane.in_sync) == 2, "c is away")  # type: ignore[union-attr]
    before = three.have("a")
    with pytest.raises(Failure) as refused:
        three.store("a", "silver", namespace="vault/deep")
    assert refused.value.code is Code.NOT_WRITTEN
    assert three.have("a") == before
    assert three.store("a", "lead")["write"]["outcome"] == "committed"


def test_a_pending_memory_says_so_until_enough_nodes_hold_it(three: Team) -> None:
    three.part("a")
    options = {"allow_pending": True, "deadline_ms": 100}
    record_id = three.store("a", "alone", options=options)["id"]
    assert three.call("a", "Get", id=record_id)["memory"]["pending"] is True
    three.heal()
    three.until_level()
    three.until_in_sync("a", 3)
    three.until(lambda: _committed(three, "a"), "the write is committed")
    assert not three.call("a", "Get", id=record_id)["memory"].get("pending")


def _committed(team: Team, name: str) -> bool:
    plane = team.nodes[name].core.plane  # type: ignore[union-attr]
    return plane.committed.get(plane.origin, 0) == plane.core.own_seq


def test_a_namespace_that_is_withheld_stays_off_the_other_nodes_and_comes_when_granted(
    three: Team,
) -> None:
    three.call("a", "SetNamespaceCopies", namespace="secret", holders=["a", "b"])
    three.until_level()
    kept = three.store("a", "gold", namespace="secret", content="under the oak")
    assert kept["write"]["outcome"] == "committed"
    three.store("a", "tin")
    three.until_level()
    assert three.titles("b") == ["gold", "tin"]
    assert three.titles("c") == ["tin"]
    assert b"under the oak" not in b"".join(
        file.read_bytes() for file in three.dir("c").glob("aimem.db*")
    )
    three.call("a", "SetNamespaceCopies", namespace="secret", holders=["all"])
    three.until(lambda: _knows(three, "c", kept["id"]), "c has what it was granted")
    three.until_level()
    assert len({three.digest(name) for name in three.names}) == 1


def test_a_namespace_kept_on_its_node_needs_nobody_else(three: Team) -> None:
    three.call("a", "SetNamespaceCopies", namespace="mine", holders=["none"])
    three.until_level()
    three.part("a")
    three.until(lambda: len(three.nodes["a"].core.plane.in_sync) == 1, "a is alone")  # type: ignore[union-attr]
    written = three.store("a", "note", namespace="mine")["write"]
    assert (written["outcome"], written["needed"]) == ("committed", 1)
    three.heal()
    three.until_level()
    assert three.titles("b") == []


def _knows(team: Team, name: str, record_id: str) -> bool:
    core = team.nodes[name].core
    assert core is not None
    view = core.store.readers.submit(lambda view: view.memory(record_id), 5_000)
    return view.result() is not None
