"""What disks and machines do to a member, and how it comes back from that."""

import asyncio
import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import ListRequest, StoreRequest
from aimem_node.gateways.demo.own_team import OwnTeam
from aimem_node.replica import standing
from aimem_node.replica.disk import Disk
from aimem_node.store.backup import restore
from aimem_sync import links
from aimem_sync.dot import Dot, Origin
from aimem_sync.events import Installed
from chaos.team import Team

PENDING = {"allow_pending": True, "deadline_ms": 50}
LEVEL_S_MAX = 60.0


def alike(team: Team, *names: str) -> None:
    team.until_level(*names)
    assert len({team.digest(name) for name in names or team.nodes}) == 1


def fill(team: Team, name: str, prefix: str, count: int, **options: Any) -> list[str]:
    titles = [f"{prefix}{at}" for at in range(count)]
    for title in titles:
        team.store(name, title, options=options)
    return titles


# ---- a machine that dies -----------------------------------------------------------------------


def test_a_member_killed_while_it_writes_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """Real processes, SIGKILL, and writers that note only what was answered as committed."""

    async def story() -> None:
        async with OwnTeam("aimem-killed-", tmp_path) as team:
            await team.found("abc")
            committed: list[str] = []
            enough, more, ending = asyncio.Event(), asyncio.Event(), asyncio.Event()

            async def write(name: str) -> None:
                async with team.client(name, 5.0) as client:
                    at = 0
                    while not ending.is_set():
                        title, at = f"{name}{at}", at + 1
                        try:
                            request = StoreRequest(title=title, content="x")
                            answer = await client.call("Store", request)
                        except Failure:
                            await asyncio.sleep(0.01)  # it is dead; do not spin
                            continue
                        if answer.write.outcome.value == "committed":
                            committed.append(title)
                        if len(committed) >= 60:
                            enough.set()
                        if len(committed) >= 100:
                            more.set()

            writing = [asyncio.ensure_future(write(name)) for name in "ab"]
            async with asyncio.timeout(LEVEL_S_MAX):
                await enough.wait()
            team.nodes["b"].kill()
            async with asyncio.timeout(LEVEL_S_MAX):
                await more.wait()
            ending.set()
            await asyncio.gather(*writing)
            await team.start("b")
            await team.in_sync("b", 3)
            await team.in_sync("a", 3)
            assert any(title.startswith("b") for title in committed)
            for name in "abc":
                held = await _all_titles(team, name, set(committed))
                assert set(committed) <= held, f"{name} lacks {set(committed) - held}"

    asyncio.run(story())


async def _all_titles(team: OwnTeam, name: str, wanted: set[str]) -> set[str]:
    """All that a node holds, once it holds what is wanted or has had time enough for it."""
    held: set[str] = set()
    async with team.client(name) as client:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEVEL_S_MAX):
                while not wanted <= held:
                    page = await client.call("List", ListRequest(limit=1000))
                    held = {memory.title for memory in page.memories}
                    await asyncio.sleep(0.05)
    return held


def test_a_member_that_crashed_goes_on_with_its_own_log(three: Team) -> None:
    fill(three, "b", "before", 5)
    origin = three.plane("b").origin
    three.crash("b")
    fill(three, "a", "while", 5)
    three.start("b")
    assert three.plane("b").origin == origin
    three.until_in_sync("b", 3)
    fill(three, "b", "after", 5, w=3)
    alike(three)
    assert len(three.titles("c")) == 15


def test_a_member_that_just_started_refuses_what_too_few_can_hold(three: Team) -> None:
    """Its first write of all, too: before anybody asked, nobody knows of any namespace's W."""
    for name in three.names:
        three.stop(name)
    three.start("a")
    before = three.have("a")
    with pytest.raises(Failure) as refused:
        three.store("a", "alone")
    assert refused.value.code is Code.NOT_WRITTEN
    assert three.have("a") == before
    assert three.titles("a") == []


# ---- a disk that goes back ---------------------------------------------------------------------


def test_a_member_restored_from_an_old_backup_begins_a_new_log_and_loses_nothing(
    three: Team,
) -> None:
    fill(three, "b", "old", 5)
    three.until_level()
    snapshot = Path(three.call("b", "Backup")["path"])
    fill(three, "b", "new", 5)
    three.until_level()
    was = three.plane("b").origin
    three.stop("b")
    restore(snapshot, three.dir("b"), three.clocks["b"].now_us())
    three.start("b")
    now = three.plane("b").origin
    assert now != was
    three.until_in_sync("b", 3)
    alike(three)
    assert len(three.titles("b")) == 10
    fill(three, "b", "after", 5, w=3)
    alike(three)
    assert len(three.titles("a")) == 15
    for name in "ac":
        link = three.plane(name).core.links[three.ids["b"]]
        three.until(lambda li=link: li.incarnation == now.incarnation, f"{name} knows the new log")


def test_a_member_restored_from_before_it_joined_joins_again_with_a_new_line(
    tmp_path: Path,
) -> None:
    team = Team(tmp_path, 2, spare=1)
    try:
        team.until_in_sync("a", 2)
        team.start("c")
        team.store("c", "mine")
        snapshot = Path(team.call("c", "Backup")["path"])
        team.join("c", "a", bring=True)
        # The votes that lie beside its key speak of that cluster's epochs from now on.
        for at in range(3):
            team.call_change("a", "b", f"b-{at}")
        team.until_agreed()
        team.store("c", "as a member")
        team.until_level()
        team.stop("c")
        restore(snapshot, team.dir("c"), team.clocks["c"].now_us())
        team.start("c")
        assert team.config("c").everyone == {team.ids["c"]}
        assert team.titles("c") == ["mine"]
        team.join("c", "a", bring=True)
        alike(team)
        assert [team.titles(name) for name in team.names] == [["as a member", "mine"]] * 3
        team.until_in_sync("c", 3)
        assert team.store("c", "on", options={"w": 3})["write"]["outcome"] == "committed"
    finally:
        team.close()


def test_what_a_member_confirmed_before_it_was_restored_counts_for_nothing(
    three: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.store("a", "first")
    three.until_level()
    snapshot = Path(three.call("b", "Backup")["path"])
    three.stop("c")
    three.until(lambda: len(three.plane("a").in_sync) == 2, "c is away")
    write_id = three.store("a", "on a and b")["write"]["write_ids"][0]
    three.stop("b")
    restore(snapshot, three.dir("b"), three.clocks["b"].now_us())
    keep, waiting = Disk.keep, []

    def hold(self: Disk, *told: Any) -> None:
        waiting.append(partial(keep, self, *told))

    monkeypatch.setattr(Disk, "keep", hold)  # nothing new comes to b's disk for now
    three.start("b")
    link = three.plane("a").core.links[three.ids["b"]]
    now = three.plane("b").origin.incarnation
    three.until(lambda: link.incarnation == now and link.heard_us, "a has heard of the new one")
    assert three.plane("a").core.holders(Dot.parse(write_id)) == {three.ids["a"]}
    waited = three.call("a", "WaitDurable", write_id=write_id, w=2, deadline_ms=50)
    assert waited["write"]["outcome"] == "pending"
    monkeypatch.undo()
    for one in waiting:
        three.loop_call(one)
    waited = three.call("a", "WaitDurable", write_id=write_id, w=2, deadline_ms=20_000)
    assert waited["write"]["outcome"] == "committed"


@pytest.mark.parametrize("identity", [False, True], ids=["the store alone", "the whole directory"])
def test_a_disk_that_silently_went_back_is_noticed_and_made_good(
    three: Team, identity: bool
) -> None:
    """With its own note the node sees it at the start; without it the others tell it."""
    fill(three, "b", "old", 5)
    three.until_level()
    was = three.plane("b").origin
    three.stop("b")
    copy = three.copy_disk("b", "image", identity=identity)
    three.start("b")
    three.until_in_sync("b", 3)
    fill(three, "b", "new", 5)
    three.until_level()
    three.stop("b")
    three.put_back("b", copy)
    three.start("b")
    three.until(lambda: three.plane("b").origin != was, "b has begun a new log")
    three.until_in_sync("b", 3)
    alike(three)
    assert len(three.titles("b")) == 10
    assert not three.plane("b").core.fenced
    fill(three, "b", "after", 5, w=3)
    alike(three)
    for name in three.names:
        assert len(three.titles(name)) == 15
        assert not three.plane(name).core.intake.forked
        assert three.call(name, "Verify", deep=True)["ok"]


@pytest.mark.parametrize("written", [1, 10], ids=["less than it lost", "more than it lost"])
def test_a_member_whose_log_has_two_histories_stops_writing_and_says_so(
    three: Team, written: int
) -> None:
    fill(three, "b", "old", 3)
    three.until_level()
    three.stop("b")
    copy = three.copy_disk("b", "image")
    three.start("b")
    three.until_in_sync("b", 3)
    lost = fill(three, "b", "lost", 5)
    three.until_level()
    three.stop("b")
    three.put_back("b", copy)
    three.part("b")
    three.start("b")
    # The first write of a start waits for those who could say that this disk is an old one.
    mine = fill(three, "b", "other", 1, allow_pending=True, deadline_ms=2_500)
    mine += fill(three, "b", "another", written - 1, **PENDING)
    three.heal()
    three.until(lambda: "history" in three.plane("b").core.fenced, "b is fenced for good")
    with pytest.raises(Failure) as refused:
        three.store("b", "too late", options=PENDING)
    assert refused.value.code is Code.UNAVAILABLE
    assert "docs/recovering.md" in refused.value.next
    assert three.status("b")["state"] == "fenced"
    assert not three.status("b")["ready"]
    assert "history" in three.status("b")["reason"]
    assert "history" in three.call("b", "NodeStatus")["reason"]
    # Reading goes on, of what this disk says; and the others go on without it.
    assert set(mine) <= set(three.titles("b"))
    assert three.store("a", "on")["write"]["outcome"] == "committed"
    three.until_level("a", "c")
    assert set(lost) <= set(three.titles("a"))
    assert not set(mine) & set(three.titles("a"))
    assert three.plane("a").core.intake.have().get(three.plane("b").origin) == 3 + len(lost)


# ---- far behind --------------------------------------------------------------------------------


def test_a_member_far_behind_takes_a_snapshot_and_keeps_what_only_it_has(
    three: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "PUSH_OPS_MAX", 10)  # or what it lacks may come before it asks
    three.stop("c")
    three.start("c", snapshot_lag_ops=50)
    three.until_in_sync("c", 3)
    three.part("c")
    mine = fill(three, "c", "mine", 3, **PENDING)
    gone = three.store("a", "gone")["id"]
    theirs = fill(three, "a", "theirs", 100)
    three.call("b", "Delete", id=gone)
    placed = note_installs(three, "c")
    three.heal()
    three.until(lambda: placed, "c has installed a snapshot")
    alike(three)
    for name in three.names:
        assert three.titles(name) == sorted(mine + theirs)
        assert three.call(name, "Verify", deep=True)["ok"]
    three.until_in_sync("c", 3)
    assert three.store("c", "on", options={"w": 3})["write"]["outcome"] == "committed"


def note_installs(team: Team, name: str) -> list[Installed]:
    """What comes of the snapshots that a node fetches from now on, those in place only."""
    core: Any = team.plane(name).core
    take, placed = core._installed, list[Installed]()

    def note(now_us: int, installed: Installed) -> Any:
        if not installed.refused:
            placed.append(installed)
        return take(now_us, installed)

    core._installed = note
    return placed


def test_logs_are_shortened_only_up_to_what_every_member_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "RETAINED_OPS", 2)
    team = Team(tmp_path, 3)
    try:
        for name in team.names:
            team.stop(name)
        for name in team.names:
            team.start(name, retain_days=1)
        for name in team.names:
            team.until_in_sync(name, 3)
        origin = team.plane("a").origin
        ghost = team.store("a", "ghost")["id"]
        fill(team, "a", "first", 10)
        team.until_level()
        snapshot = Path(team.call("c", "Backup")["path"])
        known = team.plane("a").core.own_seq
        of_c = team.plane("b").core.links[team.ids["c"]]
        team.until(lambda: of_c.held.get(origin) == known, "b knows how far c is")
        team.stop("c")
        team.call("a", "Delete", id=ghost)
        fill(team, "a", "second", 20)
        team.until_level("a", "b")
        for clock in team.clocks.values():
            clock.move(seconds=2 * 86_400)
        for name in "ab":
            # c has confirmed the first ten: so far, and not a step further while it is away.
            team.until(partial(_is_short, team, name, origin, known), f"{name} is shorter")
        assert [team.plane(name).core.floor.get(origin) for name in "ab"] == [known] * 2
        team.start("c", retain_days=1)
        team.until_level()
        head = team.plane("a").core.own_seq
        for name in team.names:
            team.until(partial(_is_short, team, name, origin, head - 2), f"{name} is shorter still")
        alike(team)
        # c comes back from a backup: what it lacks of the log nobody has any more.
        team.stop("c")
        restore(snapshot, team.dir("c"), team.clocks["c"].now_us())
        team.part("c")
        team.start("c", retain_days=1)
        placed = note_installs(team, "c")
        team.heal()
        team.until(lambda: placed, "c has installed a snapshot")
        alike(team)
        assert "ghost" not in team.titles("c")
        assert len(team.titles("c")) == 30
        for name in team.names:
            assert team.call(name, "Verify", deep=True)["ok"]
    finally:
        team.close()


def _is_short(team: Team, name: str, origin: Origin, upto: int) -> bool:
    return team.plane(name).core.floor.get(origin) >= upto
