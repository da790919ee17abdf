"""Who belongs: joining, leaving and being sent away, with whole nodes and real connections."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica import cluster as cluster_module
from aimem_node.replica.join_state import Step
from aimem_node.replica.joining import Joining
from chaos.team import Team

PENDING = {"allow_pending": True, "deadline_ms": 50}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Team]:
    """Two voters, and d, which runs alone."""
    team = Team(tmp_path, 2, spare=1)
    try:
        team.until_in_sync("a", 2)
        team.start("c")
        yield team
    finally:
        team.close()


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path, 5)
    try:
        for name in team.names:
            team.until_in_sync(name, 5)
        yield team
    finally:
        team.close()


def alike(team: Team, *names: str) -> None:
    team.until_level(*names)
    assert len({team.digest(name) for name in names or team.nodes}) == 1


# ---- joining -----------------------------------------------------------------------------------


def test_a_machine_that_joins_by_one_line_becomes_a_voter_and_holds_everything(door: Team) -> None:
    for at in range(10):
        door.store("a", f"n{at}")
    door.join("c", "a")
    config = door.until_agreed()
    assert config.voters == set(door.ids.values())
    assert door.status("c")["progress"]["step"] == "voter"
    door.until_level()
    assert len(door.titles("c")) == 10
    door.until_in_sync("c", 3)
    assert door.store("c", "from c", options={"w": 3})["write"]["outcome"] == "committed"
    alike(door)


def test_a_machine_with_memories_of_its_own_joins_only_if_it_is_told_to_bring_them(
    door: Team,
) -> None:
    door.store("a", "theirs")
    door.store("c", "mine")
    alone = door.config("c")
    line = door.call("a", "Invite", name="c")["line"]
    with pytest.raises(Failure) as refused:
        door.call("c", "Join", line=line)
    assert refused.value.code is Code.CONFLICT
    assert refused.value.path == "$.bring"
    assert door.config("c") == alone
    door.call("c", "Join", line=line, bring=True)
    door.until_votes("c")
    alike(door)
    assert [door.titles(name) for name in door.names] == [["mine", "theirs"]] * 3


@pytest.mark.parametrize("step", ["sponsor", "identity", "admitted", "catch_up", "voter"])
def test_a_joining_that_was_interrupted_goes_on_after_a_restart(
    door: Team, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The node dies just when this step is on its disk."""
    door.store("a", "theirs")
    reached = _stop_at(monkeypatch, step)
    door.begin_join("c", "a")
    door.until(lambda: reached, f"{step} is on disk")
    monkeypatch.undo()
    door.crash("c")
    door.store("a", "while it was down")
    door.start("c")
    door.until_votes("c")
    door.until_agreed()
    alike(door)
    assert door.titles("c") == ["theirs", "while it was down"]
    assert door.config("a").voters == door.config("a").everyone == set(door.ids.values())


def test_a_joining_that_died_between_the_list_of_members_and_its_note_of_it_goes_on(
    door: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt = cluster_module.Cluster.adopt
    reached: list[str] = []

    async def then_hang(self: Any, *told: Any) -> None:
        await adopt(self, *told)
        reached.append("adopted")
        await asyncio.Event().wait()

    monkeypatch.setattr(cluster_module.Cluster, "adopt", then_hang)
    door.begin_join("c", "a")
    door.until(lambda: reached, "the list is on disk")
    monkeypatch.undo()
    door.crash("c")
    door.start("c")
    door.until_votes("c")
    alike(door)


def _stop_at(monkeypatch: pytest.MonkeyPatch, step: str) -> list[str]:
    """Let a joining hang for ever as soon as it has this step on disk; the list fills then."""
    save: Any = Joining._save
    reached: list[str] = []

    async def then_hang(self: Any, state: Any) -> None:
        await save(self, state)
        if state.step == step and self._task is asyncio.current_task():
            reached.append(step)
            await asyncio.Event().wait()

    monkeypatch.setattr(Joining, "_save", then_hang)
    assert step in set(Step)
    return reached


def test_a_machine_that_knocks_joins_once_it_is_approved(door: Team) -> None:
    # The way in is open only while an invitation is good, whoever it is for.
    address = door.call("a", "Invite", name="another")["address"]
    fingerprint = door.identities["a"].fingerprint
    door.call("c", "Join", knock=address, fingerprint=fingerprint, name="c")
    door.until(lambda: door.core("a").cluster.invites.knocks(), "it has knocked")
    assert door.ids["c"] not in door.config("a").everyone
    mine = door.identities["c"].fingerprint
    assert [one["fingerprint"] for one in door.status("a")["knocks"]] == [mine]
    door.call("a", "Approve", fingerprint=mine)
    door.until_votes("c")
    assert door.config("a").member(door.ids["c"]).name == "c"  # type: ignore[union-attr]
    alike(door)


def test_a_line_is_good_for_one_machine_only(tmp_path: Path) -> None:
    team = Team(tmp_path, 1, spare=2)
    try:
        for name in "bc":
            team.start(name)
        line = team.call("a", "Invite", name="b")["line"]
        team.call("b", "Join", line=line)
        team.until_votes("b")
        said = team.call("c", "Join", line=line)
        team.until(
            lambda: team.core("c").cluster.joining.progress().step == Step.FAILED, "it is refused"
        )
        assert said["step"] != "voter"
        assert team.ids["c"] not in team.config("a").everyone
    finally:
        team.close()


def test_a_learner_is_promoted_only_once_it_lacks_nothing(
    door: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "PROMOTE_EVERY_S", 3_600.0)
    for name in "ab":  # again, so that neither lets it vote by itself
        door.stop(name)
        door.start(name)
    door.until_in_sync("a", 2)
    door.store("a", "theirs")
    reached = _stop_at(monkeypatch, "admitted")
    door.begin_join("c", "a")
    door.until(lambda: reached, "it is a learner")
    door.part("c")
    door.until(lambda: door.status_state("a", "c") == "unreachable", "it is out of reach")
    with pytest.raises(Failure) as refused:
        door.call("a", "PromoteMember", node="c")
    assert refused.value.code is Code.CONFLICT
    door.heal()
    door.until(lambda: door.status_state("a", "c") == "in sync", "it has caught up")
    assert door.call("a", "PromoteMember", node="c")["voters"] == 3
    assert door.call("a", "PromoteMember", node="c")["voters"] == 3
    assert len(door.until_agreed().voters) == 3


# ---- being sent away, and leaving --------------------------------------------------------------


def test_an_evicted_member_is_cut_off_within_a_second_and_reads_nothing_more(three: Team) -> None:
    three.store("a", "before")
    three.until_level()
    gone = three.ids["c"]
    epoch = three.call("a", "Evict", node="c")["epoch"]
    three.until(lambda: three.config("b").epoch == epoch, "b has heard of it")
    for name in "ab":
        three.until(partial(_is_cut, three, name, gone), f"{name} has cut it off", 1)
    three.store("a", "after")
    assert len(three.titles("c")) == 1
    # Nor does any other way in let it read: each call is looked at again.
    for name in "ab":
        assert three.refusal_of("c", name) != ""
    assert three.titles("c") == ["before"]


def test_what_an_evicted_member_writes_is_taken_by_nobody_and_what_it_wrote_stays(
    three: Team,
) -> None:
    three.store("c", "while it belonged")
    three.until_level()
    three.part("c")
    three.call("a", "Evict", node="c")
    three.call("c", "Store", title="too late", content="x", options=PENDING)
    three.heal()
    # It still believes that it belongs, and calls. Each of them turns it away, and not just once:
    # the first attempt may have begun while the network was still down.
    refused = three.plane("c").tallies.refused
    three.until(lambda: refused["key_refused"] >= 4, "it was turned away again and again")
    for name in "ab":
        assert three.refusal_of("c", name) != ""
    three.store("b", "after")
    three.until_level("a", "b")
    assert [three.titles(name) for name in "ab"] == [["after", "while it belonged"]] * 2
    three.until(lambda: _knows_it_is_refused(three, "c"), "it knows of it")


def _is_cut(team: Team, name: str, gone: str) -> bool:
    return not team.net(name).is_linked(gone)


def _knows_it_is_refused(team: Team, name: str) -> bool:
    status = team.core(name).cluster.status(0)
    return status.state == "degraded" and "refuses this node's key" in status.reason


def test_an_evicted_member_never_counts_toward_w(three: Team) -> None:
    three.call("a", "Evict", node="c")
    three.until_agreed("a", "b")
    assert three.store("a", "both")["write"]["needed"] == 2
    three.stop("b")
    three.until(lambda: len(three.plane("a").in_sync) == 1, "b is away")
    before = three.have("a")
    with pytest.raises(Failure) as refused:
        three.store("a", "c runs, and would take it")
    assert refused.value.code is Code.NOT_WRITTEN
    assert three.have("a") == before
    written = three.store("a", "pending", options=PENDING)["write"]
    assert (written["outcome"], written["acks"], written["needed"]) == ("pending", 1, 2)


def test_an_evicted_machine_cannot_join_again_under_its_old_key(three: Team) -> None:
    three.call("a", "Evict", node="c")
    three.until_agreed("a", "b")
    line = three.call("a", "Invite", name="c")["line"]
    with pytest.raises(Failure) as refused:
        three.call("c", "Join", line=line, bring=True)  # it still believes that it is a member
    assert refused.value.code is Code.CONFLICT
    three.stop("c")
    for kept in three.dir("c").glob("aimem.db*"):
        kept.unlink()
    three.start("c")  # with its key, and knowing nothing of any cluster
    three.call("c", "Join", line=line)
    joining = three.core("c").cluster.joining
    three.until(lambda: joining.progress().step == Step.FAILED, "it is refused")
    assert "evicted" in joining.progress().failure
    assert three.ids["c"] not in three.until_agreed("a", "b").everyone


def test_a_node_that_leaves_goes_on_alone_with_all_memories(three: Team) -> None:
    three.store("a", "shared")
    three.until_level()
    before = three.config("a").cluster_id
    changed = three.call("c", "Leave")
    assert changed["voters"] == 1
    assert three.config("c").cluster_id != before
    assert three.config("c").everyone == {three.ids["c"]}
    assert three.store("c", "mine alone")["write"]["outcome"] == "committed"
    assert three.titles("c") == ["mine alone", "shared"]
    config = three.until_agreed("a", "b")
    assert three.ids["c"] not in config.everyone
    three.store("a", "theirs alone")
    three.until_level("a", "b")
    assert three.titles("b") == ["shared", "theirs alone"]
    three.stop("c")
    three.start("c")
    assert three.config("c").everyone == {three.ids["c"]}
    assert three.titles("c") == ["mine alone", "shared"]


# ---- keys --------------------------------------------------------------------------------------


def test_a_key_is_replaced_under_running_writes_and_nothing_is_lost(three: Team) -> None:
    old = three.identities["b"]
    seen: set[int] = set()
    follow = three.net("a").follow
    three.net("a").follow = lambda config, past: (  # type: ignore[method-assign]
        seen.add(len(config.member(old.node_id).fingerprints)) or follow(config, past)  # type: ignore[func-returns-value,union-attr]
    )

    async def write_and_rotate() -> tuple[list[str], dict[str, Any]]:
        done = asyncio.Event()
        told: list[str] = []

        async def write(name: str) -> None:
            at = 0
            while not done.is_set() or at < 5:
                title, at = f"{name}{at}", at + 1
                options = {"allow_pending": True}
                await three.acall(name, "Store", title=title, content="x", options=options)
                told.append(title)

        writing = [asyncio.ensure_future(write(name)) for name in three.names]
        try:
            changed = await three.acall("b", "RotateKey")
        finally:
            done.set()
            await asyncio.gather(*writing)
        return told, changed

    told, changed = three.run(write_and_rotate(), 90)
    config = three.until_agreed()
    (new,) = config.member(old.node_id).fingerprints  # type: ignore[union-attr]
    assert new != old.fingerprint
    assert new in changed["said"]
    assert config.revoked == {old.fingerprint}
    assert seen == {1, 2}
    for name in three.names:
        three.until_in_sync(name, 3)
    alike(three)
    assert three.titles("a") == sorted(told)
    assert three.store("a", "all three", options={"w": 3})["write"]["outcome"] == "committed"
    for name in "ac":
        assert three.refusal_of("b", name, identity=old) != ""


def test_the_old_key_is_kept_until_every_member_knows_the_new_one(
    three: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a member that was away would find nobody at b whom it knows."""
    monkeypatch.setattr("aimem_node.replica.rotating.SPREAD_LOOKS_MAX", 20)
    old = three.identities["b"].fingerprint
    three.stop("c")
    three.until(lambda: three.status_state("b", "c") == "unreachable", "c is away")
    with pytest.raises(Failure) as refused:
        three.call("b", "RotateKey")
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.message.endswith(": c")
    config = three.until_agreed("a", "b")
    assert old in config.member(three.ids["b"]).fingerprints  # type: ignore[union-attr]
    # a is gone: c has only b to learn the new key from, and must still know b's old one.
    three.stop("a")
    three.start("c")
    three.until_agreed("b", "c")
    three.start("a")
    monkeypatch.undo()
    for name in three.names:
        three.until_in_sync(name, 3)
    three.call("b", "RotateKey")
    config = three.until_agreed()
    assert config.revoked == {old}
    alike(three)


# ---- without a majority ------------------------------------------------------------------------


def test_the_last_survivor_of_three_goes_on_by_force(three: Team) -> None:
    three.store("a", "kept")
    three.until_level()
    three.stop("b")
    three.stop("c")
    three.until(lambda: len(three.plane("a").in_sync) == 1, "a is alone")
    with pytest.raises(Failure) as refused:
        three.call("a", "Evict", node="b")
    assert refused.value.code is Code.UNAVAILABLE
    before = three.config("a").cluster_id
    forced = three.call("a", "ForceEpoch", keep=["a"])
    assert forced["voters"] == 1
    assert forced["cluster_id"] != before
    assert three.store("a", "alone")["write"]["outcome"] == "committed"
    # The lost ones come back: they are of another cluster now, and must not be believed.
    for name in "bc":
        three.start(name)
    three.until_in_sync("b", 2)
    three.store("b", "the others, on their own")
    three.until_level("b", "c")
    assert three.titles("a") == ["alone", "kept"]
    assert three.titles("c") == ["kept", "the others, on their own"]
    for name in "bc":
        assert three.refusal_of(name, "a") != ""


def test_a_second_survivor_of_five_adopts_what_the_first_one_forced(five: Team) -> None:
    five.store("a", "kept")
    five.until_level()
    for name in "cde":
        five.stop(name)
    five.until(lambda: len(five.plane("a").in_sync) == 2, "two are left")
    with pytest.raises(Failure) as refused:
        five.store("a", "no majority")
    assert refused.value.code is Code.NOT_WRITTEN
    forced = five.call("a", "ForceEpoch", keep=["a", "b"])
    assert five.config("b").cluster_id != forced["cluster_id"]
    adopted = five.call("b", "ForceEpoch", adopt=forced["line"])
    assert adopted["cluster_id"] == forced["cluster_id"]
    five.until_in_sync("a", 2)
    written = five.store("a", "two of two")["write"]
    assert (written["outcome"], written["needed"]) == ("committed", 2)
    alike(five, "a", "b")
    five.start("c")
    five.until(
        lambda: (
            five.plane("a").tallies.refused or "refuses" in five.net("c").why_not(five.ids["a"])
        ),
        "c is turned away",
    )
    assert five.titles("c") == ["kept"]
    assert five.config("a").everyone == {five.ids["a"], five.ids["b"]}
    for name in "ab":
        five.stop(name)
        five.start(name)
    five.until_in_sync("b", 2)
    assert five.store("b", "after a restart")["write"]["outcome"] == "committed"


def test_a_minority_cannot_change_who_belongs(three: Team) -> None:
    three.part("a")
    three.until(lambda: len(three.plane("a").in_sync) == 1, "a is alone")
    three.until(lambda: len(three.plane("b").in_sync) == 2, "b and c have noticed")
    before = three.config("a")
    with pytest.raises(Failure) as refused:
        three.call("a", "Evict", node="b")
    assert refused.value.code is Code.UNAVAILABLE
    # Nor if nobody looks first who is in reach.
    gone = three.ids["b"]
    with pytest.raises(Failure) as undecided:
        three.run(three.core("a").cluster.change(lambda config: config.without(gone)))
    assert undecided.value.code is Code.UNAVAILABLE
    assert three.config("a") == before
    with pytest.raises(Failure):
        three.call("a", "ForceEpoch", keep=["b", "c"])  # a is not among those who go on
    # The others can, and the one that was cut off follows: it is sent away.
    three.call("b", "Evict", node="a")
    three.until_agreed("b", "c")
    three.heal()
    three.until(lambda: _knows_it_is_refused(three, "a"), "a is turned away")
    assert three.config("b").everyone == {three.ids["b"], three.ids["c"]}
    assert three.ids["b"] in three.config("a").everyone


def test_changes_that_are_asked_for_at_once_are_all_decided(five: Team) -> None:
    async def both() -> None:
        await asyncio.gather(five.acall("a", "Evict", node="e"), five.acall("b", "Evict", node="d"))

    five.run(both())
    config = five.until_agreed("a", "b", "c")
    assert config.everyone == {five.ids[name] for name in "abc"}
    assert config.epoch == 3
    assert [c.epoch for c in five.plane("c").history] == [1, 2, 3]
    assert five.store("c", "two of three")["write"]["needed"] == 2


def test_a_member_that_moved_is_found_at_its_new_address(three: Team) -> None:
    three.detour = lambda _one, _other: None  # the list of members alone says where
    for name in three.names:
        three.stop(name)
    for name in three.names:
        three.start(name)
    for name in three.names:
        three.until_in_sync(name, 3)
    three.stop("b")
    there = three.move("b")
    three.start("b")
    for name in "ac":
        three.until(partial(_is_at, three, name, "b", there), f"{name} knows where b is")
        dialer = three.net(name)._dialers[three.ids["b"]]
        three.until(partial(_is_dialed, dialer), f"{name} has dialed it there")
    three.until_in_sync("a", 3)
    assert three.store("a", "all", options={"w": 3})["write"]["outcome"] == "committed"
    alike(three)


def _is_at(team: Team, name: str, of: str, there: str) -> bool:
    member = team.config(name).member(team.ids[of])
    return member is not None and member.address == there


def _is_dialed(dialer: Any) -> bool:
    return not dialer.why
