"""Channels kept open between questions: one for a member as it is, and none for longer."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from aimem_node.rpc import peer_kept
from aimem_node.rpc.peer_kept import KeptChannels
from tests.aimem_node.rpc.peer_stage import identity_at, member


@dataclass
class Channel:
    address: str
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def close(self) -> None:
        self.closed.set()


def opened(address: str, _identity: Any, _member: Any) -> Channel:
    return Channel(address)


def test_the_next_question_takes_the_same_channel_until_something_changes(tmp_path: Path) -> None:
    me, other = identity_at(tmp_path / "me"), identity_at(tmp_path / "other")
    bob = member(other, "host:1", "bob")

    async def scene() -> None:
        kept = KeptChannels(opened)
        first = kept.to(bob, me)
        assert kept.to(bob, me) is first
        moved = kept.to(replace(bob, address="host:2"), me)
        assert moved.address == "host:2"
        rotated = kept.to(replace(bob, address="host:2"), other)
        assert rotated is not moved
        assert kept.members() == {bob.node_id}
        await kept.close()
        assert all(one.closed.is_set() for one in (first, moved, rotated))
        assert kept.members() == frozenset()
        kept.drop(bob.node_id)

    asyncio.run(scene())


def test_a_channel_that_nobody_uses_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_kept, "IDLE_S", 0.0)
    me = identity_at(tmp_path / "me")

    async def scene() -> None:
        kept = KeptChannels(opened)
        channel = kept.to(member(me, "host:1"), me)
        await channel.closed.wait()
        assert kept.members() == frozenset()

    asyncio.run(asyncio.wait_for(scene(), 20))
