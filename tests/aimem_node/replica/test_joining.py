"""A machine joins with one line, whatever interrupts it, or says exactly why it cannot."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import JoinResponse
from aimem_node.replica import joining as module
from aimem_node.replica.identity import identity_dir
from aimem_node.replica.join_state import FILE_NAME, load_state
from aimem_node.replica.seat import Level
from tests.aimem_node.replica.joining_stage import DAY_US, Pair, bent, play

UNREACHABLE = Failure(Code.UNAVAILABLE, "no majority has answered")


def kept(pair: Pair) -> str:
    return (identity_dir(str(pair.new.data_dir)) / FILE_NAME).read_text()


async def failed(pair: Pair, **asked: Any) -> JoinResponse:
    """The answer of a joining that comes to nothing."""
    await pair.joining.begin(**asked)
    await pair.finish()
    told = pair.joining.progress()
    assert told.step == "failed"
    assert told.failure
    assert told.next
    return told


async def refused(pair: Pair, code: Code, **asked: Any) -> Failure:
    """The failure of a joining that is not even begun."""
    with pytest.raises(Failure) as caught:
        await pair.joining.begin(**asked)
    assert caught.value.code is code
    assert pair.joining.progress().step == "none"
    return caught.value


def test_one_line_makes_a_voter(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        assert pair.joining.progress().step == "none"
        pair.on_pause = pair.promote
        await pair.joining.begin(line=await pair.line(), address="192.0.2.8:7946")
        await pair.finish()
        done = pair.joining.progress()
        assert (done.step, done.said) == ("voter", "a voter")
        assert (done.epoch, done.voters, done.needed) == (3, 2, 2)
        assert done.fingerprint == pair.new.identity.fingerprint
        member = pair.new.config.member(pair.new.identity.node_id)
        assert member is not None
        assert (member.name, member.address) == ("lab-2", "192.0.2.8:7946")
        assert pair.new.listened == ["192.0.2.8:7946"]
        assert pair.new.config.cluster_id == "c-lab-1"

    play(tmp_path, scene)


def test_every_step_is_shown_with_how_far_it_is(tmp_path: Path) -> None:
    levels = [
        Level("snapshot", 10, 100),
        Level("snapshot", 100, 100, 100),
        Level("catch_up", 5, 50, 100),
        Level("level", 50, 50, 100),
    ]
    seen: list[tuple[str, str, int, int]] = []

    async def scene(pair: Pair) -> None:
        def look() -> None:
            told = pair.joining.progress()
            seen.append((told.step, told.said, told.done, told.total))
            if levels:
                pair.new.reached = levels.pop(0)
            else:
                pair.promote()

        pair.on_pause = look
        await pair.joining.begin(line=await pair.line())
        await pair.finish()
        assert pair.joining.progress().snapshot_bytes == 100
        steps = list(dict.fromkeys(step for step, *_ in seen))
        assert steps == ["catch_up", "snapshot"]
        assert ("snapshot", "taking in a snapshot", 100, 100) in seen
        assert seen[-1] == ("catch_up", "holds everything, and waits to be let vote", 50, 50)

    play(tmp_path, scene)


def test_a_name_in_the_line_is_taken_unless_another_is_given(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        pair.on_pause = pair.promote
        await pair.joining.begin(line=await pair.line(name="box"))
        await pair.finish()
        member = pair.new.config.member(pair.new.identity.node_id)
        assert member is not None
        assert member.name == "box"

    play(tmp_path, scene)


def test_the_secret_is_forgotten_once_it_is_a_member(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.new.adopting = Failure(Code.STORAGE, "No space left")
        await failed(pair, line=line)
        assert line in kept(pair)
        pair.new.adopting = None
        pair.on_pause = pair.promote
        await pair.joining.begin(line=line)
        await pair.finish()
        assert pair.joining.progress().step == "voter"
        assert line not in kept(pair)

    play(tmp_path, scene)


def test_the_same_command_again_changes_nothing_when_it_is_done(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.on_pause = pair.promote
        await pair.joining.begin(line=line)
        await pair.finish()
        pair.door.said.clear()
        await pair.joining.begin(line=line.upper())
        await pair.finish()
        assert pair.joining.progress().step == "voter"
        assert pair.door.said == []

    play(tmp_path, scene)


MOMENTS = ["listen", "begin", "begun", "prove", "proved", "adopt", "look"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("how", ["restart", "command"])
def test_killed_at_any_step_it_goes_on(tmp_path: Path, moment: str, how: str) -> None:
    """The node dies at a moment; what a restart, or the same command, makes of it."""

    async def scene(pair: Pair) -> None:
        line = await pair.line()
        died = asyncio.Event()

        async def stuck(*_: Any) -> Any:
            died.set()
            await asyncio.Event().wait()

        home = pair.new.listen, pair.new.adopt, pair._pause
        if moment == "listen":
            pair.new.listen = stuck  # type: ignore[method-assign]
        elif moment == "adopt":
            pair.new.adopt = stuck  # type: ignore[method-assign]
        elif moment == "look":
            pair.joining._pause = stuck
        else:
            inner = type(await pair.door.open([], ""))._say

            async def say(self: Any, what: str, value: Any) -> Any:
                return await (stuck() if what == moment else inner(self, what, value))

            pair.door.open = _opening(pair, say)  # type: ignore[method-assign]
        begun = asyncio.create_task(pair.joining.begin(line=line))
        await died.wait()
        begun.cancel()
        await pair.joining.close()

        pair.new.listen, pair.new.adopt, _ = home  # type: ignore[method-assign]
        pair.door.open = type(pair.door).open.__get__(pair.door)  # type: ignore[method-assign]
        pair.on_pause = pair.promote
        pair.joining = pair.make_joining()
        if how == "restart":
            pair.joining.start()
        else:
            await pair.joining.begin(line=line)
        await pair.finish()
        assert pair.joining.progress().step == "voter"
        assert pair.old.config.epoch == 3

    play(tmp_path, scene)


def _opening(pair: Pair, say: Callable[..., Any]) -> Callable[..., Any]:
    plain = pair.door.open

    async def open_(addresses: Any, fingerprint: str) -> Any:
        sponsor = await plain(addresses, fingerprint)
        sponsor._say = say.__get__(sponsor)  # type: ignore[method-assign]
        return sponsor

    return open_


@pytest.mark.parametrize("where", ["open", "begin", "prove", "proved"])
def test_a_connection_that_breaks_is_made_again(tmp_path: Path, where: str) -> None:
    async def scene(pair: Pair) -> None:
        pair.door.cut = [where]
        pair.on_pause = pair.promote
        await pair.joining.begin(line=await pair.line())
        await pair.finish()
        assert pair.joining.progress().step == "voter"
        assert pair.old.config.epoch == 3

    play(tmp_path, scene)


def test_a_sponsor_that_restarts_while_the_voters_decide_is_asked_again(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        pair.old.refuses = [UNREACHABLE, UNREACHABLE]

        def restart() -> None:
            pair.promote()
            if pair.old.refuses:
                assert pair.joining.progress().said == "no majority has answered"
                pair.door.office = pair.make_office()

        line = await pair.line()
        pair.on_pause = restart
        await pair.joining.begin(line=line)
        await pair.finish()
        assert pair.joining.progress().step == "voter"

    play(tmp_path, scene)


def test_an_unreachable_sponsor_fails_after_some_tries_and_can_be_tried_again(
    tmp_path: Path,
) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.door.cut = ["open"] * module.TRIES_MAX
        told = await failed(pair, line=line)
        assert told.failure == "the sponsor cannot be reached"
        assert "run the same command again" in told.next
        assert pair.pauses == [1.0, 2.0, 4.0]
        pair.on_pause = pair.promote
        pair.joining = pair.make_joining()
        pair.joining.start()
        assert pair.joining.progress().step == "failed"
        await pair.joining.begin(line=line)
        await pair.finish()
        assert pair.joining.progress().step == "voter"

    play(tmp_path, scene)


def test_a_line_that_seems_over_is_said_to_be_the_likely_reason(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.clock.us += DAY_US
        pair.door.cut = ["open"] * module.TRIES_MAX
        assert "the line has expired" in (await failed(pair, line=line)).next

    play(tmp_path, scene)


def test_this_machines_clock_decides_nothing(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.joining._clock = type(pair.clock)()
        pair.joining._clock.us += 3_650 * DAY_US  # type: ignore[attr-defined]
        pair.on_pause = pair.promote
        await pair.joining.begin(line=line)
        await pair.finish()
        assert pair.joining.progress().step == "voter"

    play(tmp_path, scene)


def test_an_expired_line_fails_at_once(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line(ttl_s=10)
        pair.clock.us += 11_000_000
        told = await failed(pair, line=line)
        assert "has expired" in told.failure
        assert "aimem-node invite" in told.next
        assert pair.pauses == []

    play(tmp_path, scene)


def test_a_used_line_fails_at_once(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        other = Pair(tmp_path / "other")
        other.door, other.on_pause = pair.door, lambda: None
        other.joining = other.make_joining()
        await other.joining.begin(line=line)
        assert pair.old.config.epoch == 2
        assert "was used already" in (await failed(pair, line=line)).failure
        await other.joining.close()

    play(tmp_path, scene)


@pytest.mark.parametrize("what", ["signature", "mac"])
def test_a_sponsor_that_proves_nothing_is_not_believed(tmp_path: Path, what: str) -> None:
    async def scene(pair: Pair) -> None:
        pair.door.bent["proved"] = lambda proved: bent(proved, **{what: b"x" * 32})
        told = await failed(pair, line=await pair.line())
        assert "did not prove" in told.failure
        assert len(pair.new.config.members) == 1

    play(tmp_path, scene)


BENT: list[tuple[str, Callable[[Pair, Any], dict[str, Any]], str]] = [
    ("no history", lambda _p, _w: {"history": (), "proofs": ()}, "it is empty"),
    ("a proof is missing", lambda _p, w: {"proofs": w.proofs[:-1]}, "it is empty"),
    ("an empty proof", lambda _p, w: {"proofs": ((), ())}, "epoch 2 has no proof"),
    ("a false signature",
     lambda _p, w: {"proofs": ((), (bent(w.proofs[1][0], sig=b"x"),))}, "epoch 2 has no proof"),
    ("one signer twice", lambda _p, w: {"proofs": ((), w.proofs[1] * 2)}, "epoch 2 has no proof"),
    ("somebody else's list", lambda p, w: {"history": w.history[:1], "proofs": w.proofs[:1]},
     "does not name this node"),
    ("an epoch left out", lambda p, w: {"history": (w.history[0], bent(w.history[1], epoch=3))},
     "epoch 3 does not follow"),
    ("another cluster", lambda p, w: {"history": tuple(bent(c, cluster_id="x") for c in w.history)},
     "epoch 2 has no proof"),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "change", "why"), BENT, ids=[one[0] for one in BENT])
def test_a_list_that_was_not_decided_is_not_adopted(
    tmp_path: Path, _what: str, change: Callable[[Pair, Any], dict[str, Any]], why: str
) -> None:
    async def scene(pair: Pair) -> None:
        pair.door.bent["proved"] = lambda proved: bent(
            proved, word=bent(proved.word, **change(pair, proved.word))
        )
        told = await failed(pair, line=await pair.line())
        assert "not to be believed" in told.failure
        assert why in told.failure
        assert len(pair.new.config.members) == 1

    play(tmp_path, scene)


def test_a_sponsor_of_another_cluster_than_the_lines_is_refused(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.old.history = [bent(pair.old.config, cluster_id="forced")]
        assert "another cluster" in (await failed(pair, line=line)).failure

    play(tmp_path, scene)


def test_memories_that_are_here_come_along_only_if_asked(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        pair.new.memories = True
        line = await pair.line()
        failure = await refused(pair, Code.CONFLICT, line=line)
        assert "there are memories" in failure.message
        assert "--bring" in failure.next
        pair.on_pause = pair.promote
        await pair.joining.begin(line=line, bring=True)
        await pair.finish()
        assert pair.joining.progress().step == "voter"
        pair.joining = pair.make_joining()
        await pair.joining.begin(line=line)
        assert pair.joining.progress().step == "voter"

    play(tmp_path, scene)


def test_a_node_in_a_cluster_of_several_joins_no_other(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.new.decided(pair.new.config.with_learner("f" * 32, "e" * 64), ())
        failure = await refused(pair, Code.CONFLICT, line=line)
        assert "a cluster of 2 already" in failure.message
        assert "leave" in failure.next

    play(tmp_path, scene)


def test_a_member_is_told_that_it_is_one_already(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        pair.on_pause = pair.promote
        await pair.joining.begin(line=await pair.line())
        await pair.finish()
        with pytest.raises(Failure, match="a member of that cluster already"):
            await pair.joining.begin(line=await pair.line())

    play(tmp_path, scene)


def test_a_nodes_own_line_is_refused(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        line = await pair.line()
        pair.new.identity = pair.old.identity
        assert "this very node" in (await refused(pair, Code.INVALID_ARGUMENT, line=line)).message

    play(tmp_path, scene)


def test_what_is_no_line_or_no_name_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        await refused(pair, Code.INVALID_ARGUMENT, line="hello")
        await refused(pair, Code.INVALID_ARGUMENT, line=await pair.line(), name="x" * 65)
        await refused(pair, Code.INVALID_ARGUMENT, knock="lab-1:7947", fingerprint="ab")
        assert FILE_NAME not in os.listdir(identity_dir(str(pair.new.data_dir)))

    play(tmp_path, scene)


def test_another_line_takes_the_place_of_one_that_leads_nowhere(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        proving, inner = asyncio.Event(), pair.office.prove

        async def stuck(_: Any) -> Any:
            proving.set()
            await asyncio.Event().wait()

        pair.office.prove = stuck  # type: ignore[method-assign]
        first = asyncio.create_task(pair.joining.begin(line=await pair.line()))
        await proving.wait()
        pair.office.prove = inner  # type: ignore[method-assign]
        pair.on_pause = pair.promote
        await pair.joining.begin(line=await pair.line())
        await pair.finish()
        await first
        assert pair.joining.progress().step == "voter"

    play(tmp_path, scene)


def test_a_machine_without_a_line_knocks_and_waits_for_yes(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        def nod() -> None:
            pair.promote()
            told = pair.joining.progress()
            if told.said == "waits to be approved on a member" and not pair.beside:
                approve = pair.office.approve(told.fingerprint[:8])
                pair.beside.append(asyncio.create_task(approve))

        pair.on_pause = nod
        asked = {"knock": "lab-1:7947", "fingerprint": pair.old.identity.fingerprint}
        await pair.joining.begin(**asked)
        await pair.finish()
        assert pair.joining.progress().step == "voter"
        assert len(pair.beside) == 1
        await pair.joining.begin(**asked)
        assert pair.joining.progress().step == "voter"

    play(tmp_path, scene)


def test_a_knock_that_nobody_answers_fails_with_what_to_do(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        def later() -> None:
            pair.clock.us += DAY_US // 200

        pair.on_pause = later
        told = await failed(pair, knock="lab-1:7947", fingerprint=pair.old.identity.fingerprint)
        assert "Knock again" in told.next

    play(tmp_path, scene)


def test_a_node_that_is_evicted_while_it_catches_up_says_so(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        def evict() -> None:
            if pair.new.config.member(pair.new.identity.node_id) is not None:
                gone = pair.old.config.without(pair.new.identity.node_id)
                pair.new.decided(gone, ())

        pair.on_pause = evict
        assert "was evicted" in (await failed(pair, line=await pair.line())).failure

    play(tmp_path, scene)


def test_a_mistake_of_ours_is_shown_and_not_lost(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        pair.new.adopting = ZeroDivisionError("oh")  # type: ignore[assignment]
        told = await failed(pair, line=await pair.line())
        assert "joining broke" in told.failure
        assert load_state(identity_dir(str(pair.new.data_dir))).step == "failed"

    play(tmp_path, scene)
