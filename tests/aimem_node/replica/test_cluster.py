"""The list of members as something that can be changed: by decision, and in three other ways."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica import cluster as cluster_module
from aimem_node.replica.identity import Identity
from aimem_node.replica.votes import VoteFile
from aimem_sync.catchup import Asked
from aimem_sync.effects import Vote
from aimem_sync.hearing import OLD_IMAGE
from aimem_sync.log import Head
from aimem_sync.members import Config, Role, endorsed_bytes
from aimem_sync.messages import NO_BALLOT, Accept, Accepted, Append, Learn, Prepare, Promise
from tests.aimem_node.replica.members_stage import Room, play

HERE = {"needed": 1, "allow_pending": True}


def agreeing(room: Room, *names: str) -> None:
    """These members say yes to whatever node a proposes."""
    send = room.net.send

    def answer(node_id: str, message: object) -> None:
        send(node_id, message)  # type: ignore[arg-type]
        name = next((n for n in names if room.id(n) == node_id), "")
        loop = asyncio.get_running_loop()
        if name and isinstance(message, Prepare):
            said = Promise(message.epoch, message.ballot, NO_BALLOT, None)
            loop.call_soon(room.say, name, said)
        elif name and isinstance(message, Accept):
            sig = room.others[name].sign(endorsed_bytes(message.config))
            loop.call_soon(room.say, name, Accepted(message.epoch, message.ballot, sig))

    room.net.send = answer  # type: ignore[method-assign]


# ---- names ---------------------------------------------------------------------------------------


def test_a_member_is_found_by_name_by_id_and_by_the_beginning_of_one(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        find = room.core.cluster.find
        assert find("b").node_id == room.id("b")
        assert find(room.id("c")).name == "c"
        prefix = next(
            room.id("b")[:n]
            for n in range(1, 33)
            if sum(m.node_id.startswith(room.id("b")[:n]) for m in room.plane.config.members) == 1
        )
        assert find(prefix.upper()).name == "b"
        for unknown in ("nobody", ""):
            with pytest.raises(Failure) as refused:
                find(unknown)
            assert refused.value.code is Code.NOT_FOUND
            assert "Members:" in refused.value.next

    play(tmp_path, scene)


def test_a_name_of_two_is_ambiguous_and_both_are_told(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        config = await room.gather()
        same = tuple(replace(m, name="lab") for m in config.members)
        await room.core.cluster.force(replace(config, epoch=3, members=same))
        with pytest.raises(Failure) as refused:
            room.core.cluster.find("lab")
        assert refused.value.code is Code.AMBIGUOUS
        assert sorted(refused.value.details["ids"]) == sorted(config.everyone)

    play(tmp_path, scene)


def test_an_evicted_node_is_told_that_it_is_no_member(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        config = await room.gather()
        assert room.core.cluster.me.name == "a"
        assert room.core.cluster.votes_here
        await room.core.cluster.force(config.without(room.me))
        assert not room.core.cluster.votes_here
        with pytest.raises(Failure, match="evicted") as refused:
            _ = room.core.cluster.me
        assert refused.value.code is Code.UNAVAILABLE

    play(tmp_path, scene)


# ---- by decision ---------------------------------------------------------------------------------


def test_a_change_that_a_majority_accepts_is_the_next_epoch_with_its_proof(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        agreeing(room, "b")
        changed = await room.core.cluster.change(lambda config: config.without(room.id("c")))
        assert room.plane.config == changed
        assert changed.epoch == 3
        cluster = room.core.cluster
        proof = cluster.proofs[-1]
        assert {one.node_id for one in proof} >= {room.me, room.id("b")}
        assert cluster.proves(cluster.history[-2], cluster.history[-1], proof)
        assert room.net.followed[-1] == 3
        await room.until(lambda: any(isinstance(m, Learn) for _, m in room.net.sent))

    play(tmp_path, scene)


def test_without_a_majority_nothing_is_decided_and_it_may_still_come(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        changing = asyncio.ensure_future(
            room.core.cluster.change(lambda config: config.without(room.id("c")))
        )
        while not changing.done():
            room.clock.move(seconds=1)
            await asyncio.sleep(0.01)
        with pytest.raises(Failure) as refused:
            await changing
        assert refused.value.code is Code.UNAVAILABLE
        assert refused.value.definite is False
        assert room.plane.config.epoch == 2

    play(tmp_path, scene)


def test_what_changes_nothing_asks_nobody_and_what_may_not_be_is_refused_at_once(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        config = await room.gather()
        cluster = room.core.cluster
        assert await cluster.change(lambda present: present) == config
        for wrong in (
            lambda c: c.without(room.id("b")).without(room.id("c")),
            lambda c: replace(c, epoch=c.epoch + 1, members=()),
        ):
            with pytest.raises(Failure) as refused:
                await cluster.change(wrong)
            assert refused.value.code is Code.CONFLICT
        assert not any(isinstance(m, Prepare | Accept) for _, m in room.net.sent)

    play(tmp_path, scene)


def test_a_lone_node_decides_by_itself_and_a_restart_finds_it(tmp_path: Path) -> None:
    stranger = Identity.load_or_create(str(tmp_path / "s"), SystemChance())
    found: list[Config] = []

    async def first(room: Room) -> None:
        cluster = room.core.cluster
        cluster.address = "lab:7740"
        await cluster.keep_address()
        await cluster.change(lambda c: c.with_learner(stranger.node_id, stranger.fingerprint))
        found.append(room.plane.config)
        assert found[0].epoch == 3
        assert found[0].member(room.me).address == "lab:7740"  # type: ignore[union-attr]

    async def second(room: Room) -> None:
        assert room.plane.config == found[0]
        assert [c.epoch for c in room.core.cluster.history] == [1, 2, 3]

    play(tmp_path, first, names="")
    play(tmp_path, second, names="")


def test_a_learner_that_holds_everything_is_let_vote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "PROMOTE_EVERY_S", 0.01)

    async def scene(room: Room) -> None:
        await room.core.cluster.change(
            lambda c: c.with_learner(room.id("b"), room.others["b"].fingerprint, "b")
        )
        room.plane.start(room.net)
        await room.write(**HERE)
        await asyncio.sleep(0.05)
        assert room.plane.config.member(room.id("b")).role is Role.LEARNER, "it was never heard"
        room.beat("b")
        await room.until(lambda: room.plane.config.member(room.id("b")).role is Role.VOTER)

    play(tmp_path, scene, names="b")


# ---- in the place of the present list ------------------------------------------------------------


def test_adopting_another_clusters_list_brings_the_own_log_along(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.write("mine")
        theirs = room.config(epoch=7)
        origin = room.own
        await room.core.cluster.adopt([theirs], [()])
        assert room.plane.config == theirs
        assert room.plane.cluster_id == theirs.cluster_id
        assert room.own == origin
        assert room.plane.core.own_seq == 1
        kept = await room.read(lambda view: [epoch for epoch, _, _ in view.configs()])
        assert kept == [7]

    play(tmp_path, scene)


def test_a_list_that_does_not_name_this_node_and_its_key_is_not_adopted(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        before = room.plane.config
        theirs = room.config(epoch=7)
        other = room.others["b"].fingerprint
        members = tuple(
            replace(m, fingerprints=("0" * 64,), certificates=()) if m.node_id == room.me else m
            for m in theirs.members
        )
        for bad in (theirs.without(room.me), replace(theirs, members=members)):
            with pytest.raises(Failure) as refused:
                await room.core.cluster.adopt([bad], [()])
            assert refused.value.code is Code.CONFLICT
        assert room.plane.config == before
        assert other != "0" * 64

    play(tmp_path, scene)


def test_who_founds_a_cluster_of_one_retires_all_others_and_keeps_what_it_has(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        config = await room.gather()
        room.beat()
        room.say("b", Append(2, tuple(room.write_ops("b", 2)), 0))
        await room.until(lambda: room.plane.core.intake.have().get(room.log_of("b")) == 2)
        await room.core.cluster.found()
        alone = room.plane.config
        assert alone.voters == {room.me}
        assert alone.epoch == config.epoch + 1
        assert alone.cluster_id not in ("", config.cluster_id)
        assert alone.retired == {room.id("b"), room.id("c")}
        assert len(await room.ops(room.log_of("b"))) == 2
        await room.write("goes on")
        assert len(await room.ops()) == 1

    play(tmp_path, scene)


def test_a_vote_in_hand_does_not_come_along_into_another_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        votes = room.core.cluster._votes
        keep, may_go_on = votes.keep, threading.Event()

        def late(vote: Vote) -> None:
            may_go_on.wait(20)
            keep(vote)

        monkeypatch.setattr(votes, "keep", late)
        room.say("b", Prepare(3, (1, room.id("b"))))
        founding = asyncio.ensure_future(room.core.cluster.found())
        await room.until(lambda: room.plane.is_alone)
        room.say("b", Prepare(3, (2, room.id("b"))))  # it is nobody's member any more
        may_go_on.set()
        await founding
        await asyncio.to_thread(room.plane._disk.close)
        assert votes.load() == VoteFile(votes._path.parent).load() == {}

    play(tmp_path, scene)


def test_votes_that_cannot_be_forgotten_do_not_stop_a_node_from_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(room: Room) -> None:
        def refuse() -> None:
            raise Failure(Code.STORAGE, "cannot remove votes.json")

        monkeypatch.setattr(room.core.cluster._votes, "clear", refuse)
        await room.gather()
        assert room.plane.config.voters == {room.me, room.id("b"), room.id("c")}

    play(tmp_path, scene)


# ---- how far this node is ------------------------------------------------------------------------


def test_a_joining_node_is_level_once_it_holds_what_those_in_reach_hold(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        level = room.core.cluster.level
        assert level().step == "catch_up", "nobody was heard yet, so nobody knows"
        ops = room.write_ops("b", 4)
        room.beat("b", heads={room.log_of("b"): Head(4, ops[-1].chain)})
        assert (level().step, level().done, level().total) == ("catch_up", 0, 4)
        room.say("b", Append(2, tuple(ops), 0))
        await room.until(lambda: level().step == "level")
        assert level().done == level().total == 4
        room.plane.core.catchup.asked[room.id("b")] = Asked(3, frozenset(), 0, 1 << 60)
        room.plane.downloading(room.id("b"), 3, 10, 90)
        assert (level().step, level().done, level().total) == ("snapshot", 10, 90)
        del room.plane.core.catchup.asked[room.id("b")]
        assert level().step == "level", "the download came to nothing"
        room.plane.core.catchup.installing = True
        assert level().step == "snapshot"
        room.plane.download.installed = True
        assert level().step == "level"

    play(tmp_path, scene)


def test_who_has_not_said_that_it_applied_an_epoch_is_named_also_if_it_is_away(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat("b", epoch=1)
        assert room.core.cluster.behind(2) == {room.id("b"), room.id("c")}
        room.beat("b", epoch=2)
        assert room.core.cluster.behind(2) == {room.id("c")}
        room.clock.move(seconds=60)
        assert room.core.cluster.behind(2) == {room.id("c")}, "what was applied stays applied"

    play(tmp_path, scene)


def test_only_a_written_node_has_memories(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        assert not await room.core.cluster.has_memories()
        await room.write()
        assert await room.core.cluster.has_memories()

    play(tmp_path, scene, names="")


def test_a_node_without_a_way_to_others_says_that_it_cannot_listen(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        with pytest.raises(Failure) as refused:
            await room.core.cluster.listen("")
        assert refused.value.code is Code.UNIMPLEMENTED

    play(tmp_path, scene, names="")


# ---- leaving -------------------------------------------------------------------------------------


def test_who_leaves_waits_for_another_disk_and_goes_on_alone(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        await room.write(**HERE)
        agreeing(room, "b", "c")
        leaving = asyncio.ensure_future(room.core.cluster.leave(force=False))
        await asyncio.sleep(0)
        assert room.plane.config.epoch == 2
        room.ack("b")
        alone = await leaving
        assert alone.voters == {room.me}
        decided = [m for _, m in room.net.sent if isinstance(m, Accept)]
        assert {m.config.everyone for m in decided} == {frozenset({room.id("b"), room.id("c")})}

    play(tmp_path, scene)


def test_who_alone_holds_something_may_not_leave_unless_forced(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        await room.write(**HERE)
        agreeing(room, "b", "c")
        leaving = asyncio.ensure_future(room.core.cluster.leave(force=False))
        await asyncio.sleep(0)
        room.clock.move(seconds=31)
        room.beat("b", "c", heads={})
        with pytest.raises(Failure) as refused:
            await leaving
        assert refused.value.code is Code.CONFLICT
        assert refused.value.details == {"lag_ops": 1}
        assert room.plane.config.epoch == 2
        assert (await room.core.cluster.leave(force=True)).voters == {room.me}
        assert len(await room.ops()) == 1

    play(tmp_path, scene)


# ---- an old disk image ---------------------------------------------------------------------------


def chains(room: Room, answer: bytes) -> None:
    room.net.answers["chain_at"] = lambda _node, _origin, seqs: (answer,) * len(seqs)


def test_a_disk_that_only_went_back_in_time_goes_on_under_a_new_log(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        await room.write(**HERE)
        old, (op,) = room.own, await room.ops()
        chains(room, op.chain)
        room.ack("b", upto=9)
        await room.until(lambda: room.own != old)
        assert not room.plane.core.fenced
        assert room.own.node_id == old.node_id
        await room.write("after", **HERE)
        assert [one.seq for one in await room.ops()] == [1]
        assert [one.seq for one in await room.ops(old)] == [1], "what it had stays"

    play(tmp_path, scene)


def test_a_disk_that_wrote_another_history_stays_fenced(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        await room.write(**HERE)
        chains(room, b"another history".ljust(32))
        room.ack("b", upto=9)
        await room.until(lambda: "another history" in room.plane.core.fenced)
        with pytest.raises(Failure):
            await room.write("r2", **HERE)

    play(tmp_path, scene)


def test_while_nobody_answers_an_old_image_stays_fenced_and_is_asked_about_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "UNFENCE_EVERY_S", 0.01)

    async def scene(room: Room) -> None:
        await room.gather()
        room.beat()
        await room.write(**HERE)
        asked: list[str] = []

        def silent(node_id: str, *_: object) -> tuple[bytes, ...]:
            asked.append(node_id)
            raise Failure(Code.UNAVAILABLE, "nobody is there")

        room.net.answers["chain_at"] = silent
        room.ack("b", upto=9)
        await room.until(lambda: len(asked) >= 4)
        assert room.plane.core.fenced == OLD_IMAGE
        chains(room, (await room.ops())[0].chain)
        await room.until(lambda: not room.plane.core.fenced)

    play(tmp_path, scene)


def test_another_key_is_used_for_signing_from_then_on(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        reopened: list[str] = []

        async def reopen() -> None:
            reopened.append(room.core.cluster.identity.fingerprint)

        room.core.cluster.reopen_peer = reopen
        other = Identity.load_or_create(str(tmp_path / "other"), SystemChance())
        mine = replace(other, node_id=room.me)
        await room.core.cluster.switch(mine)
        assert reopened == [other.fingerprint]
        await room.write()
        (op,) = await room.ops()
        assert other.certificate.verifies(op.sig, op.chain)

    play(tmp_path, scene, names="")
