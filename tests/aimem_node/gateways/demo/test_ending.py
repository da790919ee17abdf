"""How a demo ends: it tidies up, however often it is told to hurry."""

import asyncio
import os
import signal

import pytest

from aimem_node.gateways.demo import ending


def test_a_signal_ends_the_story_and_a_second_one_does_not_cut_the_tidying_short() -> None:
    tidied: list[str] = []

    async def story() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0)
            tidied.append("done")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ending.interruptible(story(), 30.0))
    assert tidied == ["done"]


def test_what_the_story_gives_is_given_on() -> None:
    async def story() -> str:
        return "the end"

    assert asyncio.run(ending.interruptible(story(), 30.0)) == "the end"


def test_a_story_without_an_end_is_ended() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(ending.interruptible(story(), 0.0))


def test_the_reason_is_the_first_plain_cause_in_a_group() -> None:
    group = ExceptionGroup("many", [ExceptionGroup("inner", [ValueError("this one")])])
    assert ending.reason(group) == "ValueError: this one"


def test_why_a_story_was_not_told_to_its_end_is_said_with_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ending, "deafen", lambda: None)

    async def fails() -> None:
        raise ValueError("broken")

    async def ends() -> None:
        return

    async def never() -> None:
        await asyncio.Event().wait()

    async def is_stopped() -> None:
        raise asyncio.CancelledError

    assert ending.told(ends(), 30.0, str) == ""
    assert ending.told(never(), 0.0, str) == "not done within 0 s"
    assert ending.told(is_stopped(), 30.0, str) == "interrupted"
    failure = ending.told(fails(), 30.0, lambda: "its last words")
    assert failure == "ValueError: broken\nits last words"
    assert [ending.failed("demo", why) for why in (failure, "interrupted")] == [1, 130]
    assert "demo: ValueError: broken\nits last words\nEvery" in capsys.readouterr().err


def test_ctrl_c_before_the_story_begins_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> int:
        raise KeyboardInterrupt

    assert ending.quietly("demo", stopped) == 130
    assert ending.quietly("demo", lambda: 7) == 7
    assert capsys.readouterr().err == "demo: interrupted\n"
