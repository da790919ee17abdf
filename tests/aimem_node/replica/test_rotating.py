"""A key is replaced without a moment in which the node has none that the others accept."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica import rotating as module
from aimem_node.replica.identity import Certificate, Identity, identity_dir
from aimem_node.replica.rotating import FILE_NAME, Rotation
from aimem_sync.members import Config
from tests.aimem_node.replica.joining_stage import HANG_S, FakeSeat


class Stage:
    """A voter that is going to replace its key."""

    def __init__(self, tmp: Path) -> None:
        self.seat = FakeSeat(tmp, "lab-1")
        self.old = self.seat.identity.fingerprint
        self.pauses: list[float] = []
        self.rotation = self.make_rotation()

    def make_rotation(self) -> Rotation:
        """As after a start of the node."""
        home = str(self.seat.data_dir)
        self.seat.identity = Identity.load_or_create(home, SystemChance())
        return Rotation(home, self.seat, SystemChance(), self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def must_be_done(self) -> None:
        (me,) = self.seat.config.members
        assert me.fingerprints == (self.seat.identity.fingerprint,)
        assert me.fingerprints != (self.old,)
        assert self.seat.config.revoked == {self.old}
        assert not (identity_dir(str(self.seat.data_dir)) / FILE_NAME).exists()
        home = str(self.seat.data_dir)
        assert Identity.load_or_create(home, SystemChance()) == self.seat.identity


def play(tmp: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(HANG_S):
            await scene(Stage(tmp))

    asyncio.run(run())


async def refused(run: Awaitable[Any], code: Code) -> Failure:
    with pytest.raises(Failure) as caught:
        await run
    assert caught.value.code is code
    return caught.value


def test_the_new_key_is_added_used_and_only_then_the_old_one_dropped(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        config = await stage.rotation.run()
        assert config.epoch == 3
        assert not stage.rotation.is_under_way
        (both,) = stage.seat.history[1].members
        assert sorted(both.fingerprints) == sorted([stage.old, stage.seat.identity.fingerprint])
        assert stage.seat.switched == [stage.seat.identity.fingerprint]
        stage.must_be_done()

    play(tmp_path, scene)


def test_each_key_was_shown_by_who_has_it(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        old = stage.seat.identity
        await stage.rotation.run()
        (endorsed,) = stage.seat.proofs[1]
        assert endorsed.fingerprint == old.fingerprint
        seat = stage.seat
        assert seat.proves(seat.history[0], seat.history[1], seat.proofs[1])
        assert seat.proves(seat.history[1], seat.history[2], seat.proofs[2])
        # parse refuses a certificate that its own key did not sign
        assert Certificate.parse(seat.identity.cert_pem).common_name == old.node_id

    play(tmp_path, scene)


def test_it_can_be_done_again_and_again(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.rotation.run()
        first = stage.seat.identity.fingerprint
        await stage.rotation.run()
        assert stage.seat.config.revoked == {stage.old, first}
        assert stage.seat.config.epoch == 5

    play(tmp_path, scene)


def test_the_switch_waits_until_everybody_in_reach_has_heard(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.seat.late = [frozenset({"f" * 32})] * 3
        await stage.rotation.run()
        assert stage.pauses == [module.SPREAD_LOOK_S] * 3
        stage.must_be_done()

    play(tmp_path, scene)


def test_a_member_that_does_not_follow_stops_it_with_both_keys_good(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.seat.late = [frozenset({"f" * 32})] * module.SPREAD_LOOKS_MAX
        failure = await refused(stage.rotation.run(), Code.UNAVAILABLE)
        assert "ffffffff" in failure.message
        assert stage.seat.identity.fingerprint == stage.old
        assert len(stage.seat.config.members[0].fingerprints) == 2
        assert stage.rotation.is_under_way
        await stage.rotation.run()
        assert stage.seat.config.epoch == 3
        stage.must_be_done()

    play(tmp_path, scene)


def test_no_majority_at_either_decree_only_delays_it(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.seat.refuses = [Failure(Code.UNAVAILABLE, "no majority")]
        await refused(stage.rotation.run(), Code.UNAVAILABLE)
        assert stage.seat.config.epoch == 1
        change, calls = stage.seat.change, 0

        async def second_fails(make: Callable[[Config], Config]) -> Config:
            nonlocal calls
            calls += 1
            if calls in (2, 3):
                raise Failure(Code.UNAVAILABLE, "no majority")
            return await change(make)

        stage.seat.change = second_fails  # type: ignore[method-assign]
        await stage.rotation.run()
        assert stage.pauses == [module.DROP_PAUSE_S] * 2
        stage.must_be_done()

    play(tmp_path, scene)


MOMENTS = ["make_next", "keep", "add", "added", "switch", "switched", "drop", "dropped"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_step_a_restart_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    def die(*_: Any) -> Any:
        raise Killed

    async def scene(stage: Stage) -> None:
        with monkeypatch.context() as patched:
            change, changes = stage.seat.change, 0

            async def dying(make: Callable[[Config], Config]) -> Config:
                nonlocal changes
                changes += 1
                if (moment, changes) in (("add", 1), ("drop", 2)):
                    raise Killed
                config = await change(make)
                if (moment, changes) == ("added", 1):
                    raise Killed
                return config

            patched.setattr(stage.seat, "change", dying)
            if moment == "make_next":
                patched.setattr(Identity, "make_next", die)
            if moment == "keep":
                patched.setattr(module, "keep", die)
            if moment == "switch":
                patched.setattr(Identity, "switch", die)
            if moment == "switched":
                patched.setattr(stage.seat, "switch", die)
            if moment == "dropped":
                patched.setattr(module, "forget", die)
            with pytest.raises(Killed):
                await stage.rotation.run()
        stage.rotation = stage.make_rotation()
        assert stage.rotation.is_under_way is (moment not in ("make_next", "keep"))
        await stage.rotation.resume()
        if not stage.rotation.is_under_way and stage.seat.config.epoch == 1:
            await stage.rotation.run()  # nothing had begun: the operator asks again
        assert stage.seat.config.epoch == 3
        stage.must_be_done()

    play(tmp_path, scene)


def test_what_fails_after_a_restart_is_left_for_the_operator(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.seat.refuses = [Failure(Code.UNAVAILABLE, "no majority")] * 2
        await refused(stage.rotation.run(), Code.UNAVAILABLE)
        await stage.rotation.resume()
        assert stage.rotation.is_under_way

    play(tmp_path, scene)


def test_only_a_voter_replaces_its_key_and_only_once_at_a_time(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.seat.hold = asyncio.Event()
        first = asyncio.create_task(stage.rotation.run())
        await asyncio.sleep(0)
        await refused(stage.rotation.run(), Code.CONFLICT)
        stage.seat.hold.set()
        await first
        stage.seat.history = [stage.seat.config.with_learner("f" * 32, "e" * 64).without(
            stage.seat.identity.node_id
        )]  # fmt: skip
        await refused(stage.rotation.run(), Code.CONFLICT)

    play(tmp_path, scene)


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        (identity_dir(str(tmp_path)) / FILE_NAME).write_text('{"old": 1}')
        with pytest.raises(Failure) as caught:
            stage.make_rotation()
        assert caught.value.code is Code.CORRUPT

    play(tmp_path, scene)
