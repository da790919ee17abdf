"""What a dashboard sees of the cluster: every number moves when what it stands for happens."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from aimem_node.replica.gauges import PENDING_WATCHED_MAX, Watch
from aimem_sync.log import Head
from aimem_sync.messages import Status
from tests.aimem_node.replica.members_stage import Room, play

HERE = {"needed": 1, "allow_pending": True}


def seen(room: Room, name: str, **labels: str) -> float | None:
    value: float | None = room.core.metrics.registry.get_sample_value(name, labels)
    return value


def scraped(room: Room) -> dict[str, float]:
    """One scrape: everything is collected once, in the order in which it is shown."""
    families = room.core.metrics.registry.collect()
    return {one.name: one.value for family in families for one in family.samples if not one.labels}


def short(room: Room, name: str = "a") -> str:
    origin = room.own if name == "a" else room.log_of(name)
    return f"{origin.node_id[:8]}.{origin.incarnation[:4]}"


def test_members_epoch_and_who_is_in_sync(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather(learners="c")
        assert seen(room, "aimem_epoch") == 2
        assert seen(room, "aimem_voters") == 2
        assert seen(room, "aimem_in_sync") == 1
        room.beat()
        assert seen(room, "aimem_in_sync") == 2, "a learner is no voter"

    play(tmp_path, scene)


def test_pending_writes_are_counted_and_grow_old_until_they_are_committed(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat(heads={})
        assert seen(room, "aimem_writes_pending") == 0
        await room.write("r1", **HERE)
        room.clock.move(seconds=1)
        await room.write("r2", **HERE)
        room.clock.move(seconds=1)
        assert seen(room, "aimem_writes_pending") == 2
        assert seen(room, "aimem_writes_pending_oldest_seconds") == 2
        room.ack("b", upto=1)
        assert seen(room, "aimem_writes_pending") == 1
        assert seen(room, "aimem_writes_pending_oldest_seconds") == 1
        room.ack("c", upto=2)
        assert seen(room, "aimem_writes_pending") == 0
        assert seen(room, "aimem_writes_pending_oldest_seconds") == 0

    play(tmp_path, scene)


def test_the_lag_is_shown_by_peer_and_by_log(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        for at in range(3):
            await room.write(f"r{at}", **HERE)
        heads = {room.own: Head(1, (await room.ops())[0].chain)}
        room.beat("b", heads=heads)
        room.beat("c")
        lag = "aimem_peer_lag_ops"
        assert seen(room, lag, peer="b", origin=short(room)) == 2
        assert seen(room, lag, peer="c", origin=short(room)) == 0
        room.ack("b")
        assert seen(room, lag, peer="b", origin=short(room)) == 0
        assert seen(room, lag, peer="a", origin=short(room)) is None

    play(tmp_path, scene)


def test_reach_clock_and_ack_time_of_each_peer(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        assert seen(room, "aimem_peer_in_reach", peer="b") == 0
        assert seen(room, "aimem_peer_clock_offset_seconds", peer="b") is None
        assert seen(room, "aimem_peer_ack_seconds", peer="b") is None
        room.beat("b")
        assert seen(room, "aimem_peer_in_reach", peer="b") == 1
        assert seen(room, "aimem_peer_in_reach", peer="c") == 0
        await room.write(**HERE)
        room.clock.move(seconds=0.25)
        room.ack("b")
        assert seen(room, "aimem_peer_ack_seconds", peer="b") == 0.25
        told = await room.until(lambda: room.plane.core.links[room.id("b")].told_walls_us)
        room.beat("b", echo_wall_us=told[-1][0])
        assert abs(seen(room, "aimem_peer_clock_offset_seconds", peer="b") or 0) < 1
        assert seen(room, "aimem_peer_clock_offset_seconds", peer="b") is not None
        room.clock.move(seconds=60)
        assert seen(room, "aimem_peer_in_reach", peer="b") == 0

    play(tmp_path, scene)


def test_a_heal_is_timed_from_the_return_until_it_is_in_sync(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        room.plane._look()
        count = "aimem_heal_seconds_count"
        before = scraped(room)[count]
        room.clock.move(seconds=60)
        room.plane._look()
        room.ack("b", status=Status.STORAGE)
        assert scraped(room)[count] == before, "it is back, and takes nothing"
        room.clock.move(seconds=2)
        room.beat("b")
        assert scraped(room)[count] == before + 1
        assert scraped(room)["aimem_heal_seconds_sum"] == 2

    play(tmp_path, scene)


def test_outcomes_of_writes_are_counted(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        await room.write("first", **HERE)
        total = "aimem_write_outcomes_total"
        assert seen(room, total, outcome="committed") == 1
        writing = asyncio.ensure_future(room.write("r1", deadline_ms=10))
        await room.until(lambda: room.plane.core.own_seq == 2)
        room.clock.move(seconds=60)
        await writing
        assert seen(room, total, outcome="pending") == 1
        with pytest.raises(Exception, match="nothing was written"):
            await room.write("r2")
        assert seen(room, total, outcome="not_written") == 1

    play(tmp_path, scene)


def test_refusals_notes_forks_and_divergence_are_counted(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.plane.tallies.refused.update(("unknown key",))
        assert seen(room, "aimem_peers_refused_total", reason="unknown key") == 1
        assert seen(room, "aimem_divergence_total") == 0
        await room.write(**HERE)
        room.clock.move(seconds=6)
        await room.until(lambda: room.plane.core.root)
        room.beat("b", root=b"z" * 32)
        assert seen(room, "aimem_divergence_total") == 1
        assert seen(room, "aimem_replica_notes_total", what="divergence") == 1
        assert seen(room, "aimem_logs_forked") == 0
        room.plane.core.intake.forked.add(room.log_of("b"))
        assert seen(room, "aimem_logs_forked") == 1

    play(tmp_path, scene)


def test_a_fence_shows(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        room.plane.on_fence = lambda _reason: None
        assert seen(room, "aimem_fenced") == 0
        room.ack("b", upto=9)
        assert seen(room, "aimem_fenced") == 1

    play(tmp_path, scene)


# ---- what is watched between scrapes -------------------------------------------------------------


class FakePlane:
    """As much of a plane as a Watch looks at."""

    origin = "log"

    def __init__(self) -> None:
        self.committed = {"log": 0}
        self.near = False
        self.in_sync: frozenset[str] = frozenset()
        link = SimpleNamespace(in_reach=lambda _now_us: self.near)
        self.core = SimpleNamespace(links={"b": link})


@pytest.fixture
def plane() -> FakePlane:
    return FakePlane()


def test_a_member_that_goes_away_again_before_it_is_in_sync_has_not_healed(
    plane: FakePlane,
) -> None:
    watch = Watch()
    for second, near, level in [(0, False, False), (1, True, False), (2, False, False),
                                (5, True, False), (8, True, True), (9, True, True)]:  # fmt: skip
        plane.near, plane.in_sync = near, frozenset({"b"} if level else ())
        watch.look(plane, second * 1_000_000)  # type: ignore[arg-type]
    assert watch.heals_s == [3.0]


def test_what_was_never_away_does_not_heal(plane: FakePlane) -> None:
    watch = Watch()
    plane.near, plane.in_sync = True, frozenset({"b"})
    watch.look(plane, 0)  # type: ignore[arg-type]
    watch.look(plane, 1_000_000)  # type: ignore[arg-type]
    assert watch.heals_s == []


def test_the_watch_over_pending_writes_has_an_end(plane: FakePlane) -> None:
    watch = Watch()
    for seq in range(PENDING_WATCHED_MAX + 5):
        watch.wrote(seq + 1, seq * 1_000)
    assert len(watch.pending) == PENDING_WATCHED_MAX
    assert watch.oldest_ms(5_000_000) == 5_000
    plane.committed = {"log": PENDING_WATCHED_MAX}
    watch.look(plane, 0)  # type: ignore[arg-type]
    assert watch.oldest_ms(5_000_000) == 0
