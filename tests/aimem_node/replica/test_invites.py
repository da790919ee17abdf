"""An invitation is used once, by one key, and survives a restart as it was."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica import invites as module
from aimem_node.replica.invites import FAILS_MAX, INVITES_MAX, Invites

NOW, LATER = 1_000_000, 901_000_000
KEY, OTHER = "a" * 64, "b" * 64


def play(home: Path, scene: Callable[[Invites], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene(Invites(home, SystemChance()))

    asyncio.run(run())


def refusal(invites: Invites, invite_id: str, key: str = KEY, now_us: int = NOW) -> Failure:
    with pytest.raises(Failure) as caught:
        invites.usable(invite_id, key, now_us)
    assert caught.value.path == "$.line"
    return caught.value


def test_an_unused_one_may_be_used_until_it_expires(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        made = await invites.make("lab-2", LATER, NOW)
        assert invites.usable(made.invite_id, KEY, LATER - 1) == made
        late = refusal(invites, made.invite_id, now_us=LATER)
        assert late.code is Code.PERMISSION_DENIED
        assert "expired" in late.message
        assert invites.open_until_us() == LATER

    play(tmp_path, scene)


def test_an_unknown_one_is_refused(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        assert refusal(invites, "00" * 8).code is Code.NOT_FOUND
        assert invites.open_until_us() == 0

    play(tmp_path, scene)


def test_a_used_one_is_bound_to_the_key_that_used_it_also_after_a_restart(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        made = await invites.make("", LATER, NOW)
        await invites.use(made.invite_id, KEY, NOW)
        await invites.use(made.invite_id, KEY, NOW)
        for each in (invites, Invites(tmp_path, SystemChance())):
            assert each.usable(made.invite_id, KEY, NOW).secret == made.secret
            used = refusal(each, made.invite_id, OTHER)
            assert used.code is Code.CONFLICT
            assert "used already" in used.message

    play(tmp_path, scene)


def test_of_two_machines_that_use_it_at_once_one_gets_it(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        made = await invites.make("", LATER, NOW)
        told = await asyncio.gather(
            invites.use(made.invite_id, KEY, NOW),
            invites.use(made.invite_id, OTHER, NOW),
            return_exceptions=True,
        )
        assert [isinstance(one, Failure) for one in told] == [False, True]

    play(tmp_path, scene)


def test_five_wrong_proofs_end_it_also_over_a_restart(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        made = await invites.make("", LATER, NOW)
        for left in range(FAILS_MAX - 1, -1, -1):
            invites = Invites(tmp_path, SystemChance())
            invites.usable(made.invite_id, KEY, NOW)
            assert await invites.failed(made.invite_id) == left
        ended = refusal(invites, made.invite_id)
        assert ended.code is Code.PERMISSION_DENIED
        assert "5 wrong proofs" in ended.message
        assert invites.open_until_us() == 0
        assert await invites.failed("00" * 8) == 0

    play(tmp_path, scene)


def test_an_approval_cannot_be_used_as_a_line(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        made = await invites.approve(KEY, "lab-2", LATER, NOW)
        assert invites.approval_of(KEY, NOW) == made
        assert invites.approval_of(OTHER, NOW) is None
        assert invites.approval_of(KEY, LATER) is None
        assert refusal(invites, made.invite_id).code is Code.NOT_FOUND
        assert Invites(tmp_path, SystemChance()).approval_of(KEY, NOW) == made

    play(tmp_path, scene)


def test_there_are_never_too_many_and_expired_ones_make_room(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        for _ in range(INVITES_MAX):
            await invites.make("", LATER, NOW)
        with pytest.raises(Failure) as caught:
            await invites.make("", LATER, NOW)
        assert caught.value.code is Code.LIMITED
        await invites.make("", LATER + 5, LATER)

    play(tmp_path, scene)


def test_what_could_not_be_kept_was_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(invites: Invites) -> None:
        made = await invites.make("", LATER, NOW)

        def full(*_: object) -> None:
            raise Failure(Code.STORAGE, "No space left")

        with monkeypatch.context() as patched:
            patched.setattr(module, "keep", full)
            with pytest.raises(Failure):
                await invites.use(made.invite_id, KEY, NOW)
        assert invites.usable(made.invite_id, OTHER, NOW).used_by == ""

    play(tmp_path, scene)


def test_nobody_else_can_read_the_secrets(tmp_path: Path) -> None:
    async def scene(invites: Invites) -> None:
        await invites.make("", LATER, NOW)

    play(tmp_path, scene)
    assert stat.S_IMODE((tmp_path / "invites.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ['{"invites": [{}]}', "{}", '{"invites": 3}', "["])
def test_a_damaged_file_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "invites.json").write_text(content)
    with pytest.raises(Failure) as caught:
        Invites(tmp_path, SystemChance())
    assert caught.value.code is Code.CORRUPT
