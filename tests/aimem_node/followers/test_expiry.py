"""The half-hourly tidying, with the waiting taken out."""

import asyncio
from typing import Any

import pytest

from aimem_node.followers import expiry
from tests.harness import Harness


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it rested, each time; it does not really."""
    rested: list[float] = []
    real = asyncio.sleep

    async def rest(seconds: float) -> None:
        rested.append(seconds)
        await real(0)

    monkeypatch.setattr("aimem_node.followers.expiry.asyncio.sleep", rest)
    return rested


def run_until_done(answers: list[Any], seen: list[Any]) -> None:
    """Run with a collection that answers these in turn and then ends the node."""

    async def collect() -> int:
        answer = answers.pop(0)
        seen.append(answer)
        if isinstance(answer, BaseException):
            raise answer
        return int(answer)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(expiry.run(collect))


def test_it_collects_until_nothing_is_left_and_then_rests(rests: list[float]) -> None:
    seen: list[Any] = []
    run_until_done([2_000, 7, 0, asyncio.CancelledError()], seen)
    assert seen[:3] == [2_000, 7, 0]
    assert rests == [expiry.FIRST_AFTER_S, expiry.EVERY_S]


def test_a_round_that_fails_does_not_end_the_rounds(rests: list[float]) -> None:
    seen: list[Any] = []
    run_until_done([OSError("disk"), 3, ValueError("x"), 0, asyncio.CancelledError()], seen)
    assert [str(one) for one in seen[:4]] == ["disk", "3", "x", "0"]
    assert rests.count(expiry.EVERY_S) == 3


def test_the_node_archives_by_itself_under_its_own_name(node: Harness) -> None:
    record_id = node.store("t", ttl_secs=5)
    node.clock.move(seconds=6)
    assert [node.run(node.core._collect()) for _ in range(2)] == [1, 0]
    shown = node.memory(record_id)
    assert (shown["life"], shown["archive_reason"]) == ("archived", "ttl_expired")
    [version, _first] = node.call("History", id=record_id)["versions"]
    assert version["author"] == f"node:{node.core.replica.identity.node_id}"
