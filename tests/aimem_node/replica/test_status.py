"""How the cluster stands, in words: states, reasons, and numbers that agree with them."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from aimem_node.contract.values import ClusterStatusResponse, JoinResponse, MemberStatus
from aimem_node.replica.status import OP_BYTES
from aimem_sync.log import Head
from aimem_sync.messages import Status
from tests.aimem_node.replica.members_stage import Room, play

HERE = {"needed": 1, "allow_pending": True}


def status(room: Room) -> ClusterStatusResponse:
    found: ClusterStatusResponse = room.core.cluster.status(0)
    return found


def member(room: Room, name: str) -> MemberStatus:
    return next(one for one in status(room).members if one.name == name)


def test_a_lone_node_serves_and_is_its_own_majority(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.write()
        found = status(room)
        assert (found.state, found.reason, found.ready) == ("serving", "", True)
        assert (found.epoch, found.voters, found.needed, found.in_sync) == (1, 1, 1, 1)
        assert [one.state for one in found.members] == ["self"]
        assert found.pending_writes == found.pending_oldest_ms == 0

    play(tmp_path, scene, names="")


def test_every_member_has_a_state_and_who_is_not_in_sync_a_reason(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather(learners="e")
        await room.write(**HERE)
        room.beat("b", "e")
        room.beat("d", heads={})
        room.ack("d", upto=0, status=Status.STORAGE)
        room.net.why[room.id("c")] = "connection refused"
        states = {one.name: one.state for one in status(room).members}
        assert states == {
            "a": "self", "b": "in sync", "c": "unreachable", "d": "lagging", "e": "in sync",
        }  # fmt: skip
        assert member(room, "c").reason == "connection refused"
        assert member(room, "d").reason == "its disk did not take it"
        assert member(room, "b").reason == ""
        assert (status(room).voters, status(room).needed, status(room).in_sync) == (4, 3, 2)
        assert status(room).state == "degraded"
        assert status(room).reason == "writes wait: 2 voters in sync, 3 are needed"

    play(tmp_path, scene, names="bcde")


def test_who_was_heard_once_is_said_to_be_away_for_how_long(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        assert "not heard of" in member(room, "b").reason
        assert status(room).reason == "writes wait: 1 voter in sync, 2 are needed"
        assert member(room, "b").heard_ms is None
        room.beat("b")
        room.clock.move(seconds=90)
        assert "90.0 s ago" in member(room, "b").reason
        assert member(room, "b").heard_ms == 90_000

    play(tmp_path, scene)


def test_lag_is_told_by_log_in_ops_and_in_bytes(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.plane.recent.clear()
        for at in range(3):
            await room.write(f"r{at}", **HERE)
        room.beat("b", heads={room.own: Head(1, (await room.ops())[0].chain)})
        found = member(room, "b")
        assert found.lag_ops == 2
        assert found.lag_bytes == 2 * room.plane.recent.mean_bytes() > 0
        assert [(one.origin, one.have, one.lag_ops) for one in found.origins] == [
            (str(room.own), 1, 2)
        ]
        room.plane.recent.clear()
        assert member(room, "b").lag_bytes == 2 * OP_BYTES
        room.beat("b")
        assert member(room, "b").origins == ()

    play(tmp_path, scene)


def test_a_learner_that_lacks_something_catches_up(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather(learners="c")
        await room.write(**HERE)
        room.beat("c", heads={})
        room.ack("c", upto=0, status=Status.STORAGE)
        assert member(room, "c").state == "catching up"
        assert member(room, "c").reason == "1 ops to go"
        assert member(room, "c").role == "learner"

    play(tmp_path, scene)


def test_pending_writes_are_counted_with_the_age_of_the_oldest(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat(heads={})
        await room.write("r1", **HERE)
        room.clock.move(seconds=2)
        await room.write("r2", **HERE)
        found = status(room)
        assert (found.pending_writes, found.pending_oldest_ms) == (2, 2_000)
        room.ack("b")
        found = status(room)
        assert (found.pending_writes, found.pending_oldest_ms) == (0, 0)

    play(tmp_path, scene)


def test_a_node_that_lacks_much_is_not_ready_and_says_how_much(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        last = room.write_ops("c", 9)[-1]
        room.beat("b", heads={room.log_of("c"): Head(last.seq, last.chain)})
        assert member(room, "b").ahead_ops == 9
        found = status(room)
        assert (found.state, found.reason) == ("catching up", "9 ops are still to come")
        assert not found.ready

    play(tmp_path, scene, ready_lag_ops=8)


def test_a_lag_within_bounds_leaves_the_node_ready(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        last = room.write_ops("c", 8)[-1]
        room.beat("b", heads={room.log_of("c"): Head(last.seq, last.chain)})
        assert (status(room).state, status(room).ready) == ("serving", True)

    play(tmp_path, scene, ready_lag_ops=8)


def test_a_fenced_node_says_why_and_is_not_ready(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        room.plane.on_fence = lambda _reason: None
        room.ack("b", upto=9)
        found = status(room)
        assert (found.state, found.ready) == ("fenced", False)
        assert "old disk image" in found.reason

    play(tmp_path, scene)


def test_a_node_that_diverged_is_degraded_and_names_the_other(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        await room.write(**HERE)
        room.clock.move(seconds=6)
        await room.until(lambda: room.plane.core.root)
        room.beat("b", root=b"z" * 32)
        found = status(room)
        assert (found.state, found.ready) == ("degraded", False)
        assert "diverged from b" in found.reason

    play(tmp_path, scene)


@pytest.mark.parametrize("count", [1, 2])
def test_only_if_all_others_refuse_the_key_is_it_called_evicted(tmp_path: Path, count: int) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        for name in "bc"[:count]:
            room.net.why[room.id(name)] = "it refuses this node's key"
        found = status(room)
        assert found.ready is (count == 1)
        assert found.state == ("serving" if count == 1 else "degraded")
        assert ("evicted" in found.reason) is (count == 2)

    play(tmp_path, scene)


def test_a_join_in_progress_is_the_state_and_its_words_the_reason(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        said = JoinResponse(step="snapshot", said="fetching 3 MB")
        room.core.cluster.joining = SimpleNamespace(progress=lambda: said)
        found = status(room)
        assert (found.state, found.reason) == ("joining", "fetching 3 MB")
        assert found.progress == said
        for over in ("", "none", "voter", "failed"):
            said = JoinResponse(step=over)
            assert status(room).state == "serving"
        await asyncio.sleep(0)

    play(tmp_path, scene, names="")


def test_who_was_revoked_and_what_has_two_histories_is_listed(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        config = await room.gather()
        room.beat()
        gone = config.without(room.id("c"))
        await room.core.cluster.force(gone)
        room.plane.core.intake.forked.add(room.log_of("c"))
        found = status(room)
        assert found.revoked == (room.others["c"].fingerprint,)
        assert found.forked == (str(room.log_of("c")),)
        assert [one.name for one in found.members] == [m.name for m in gone.members]

    play(tmp_path, scene)
