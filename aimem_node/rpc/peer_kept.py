"""Channels to members that are asked again and again, kept open between two questions.

To open one takes a handshake with both keys, more work than most answers. Each call over it is
looked at by the other end all the same, so a channel that is kept opens no door that has closed.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aimem_node.replica.identity import Identity
from aimem_node.rpc.peer_dialer import open_channel
from aimem_sync.members import Member

IDLE_S: Final = 30.0
"""Without a question for this long, and longer than any question takes, a channel is closed."""


@dataclass(slots=True)
class _Kept:
    member: Member
    fingerprint: str
    channel: Any
    timer: asyncio.TimerHandle


class KeptChannels:
    """See the module. Lives on one event loop."""

    def __init__(self, opened: Callable[[str, Identity, Member], Any] = open_channel) -> None:
        self._opened = opened
        self._kept: dict[str, _Kept] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def to(self, member: Member, identity: Identity) -> Any:
        """A channel to this member as it is now. Raises Failure if none may be opened."""
        kept = self._kept.get(member.node_id)
        if kept is not None and (kept.member, kept.fingerprint) != (member, identity.fingerprint):
            self.drop(member.node_id)
            kept = None
        channel = self._opened(member.address, identity, member) if kept is None else kept.channel
        if kept is not None:
            kept.timer.cancel()
        timer = asyncio.get_running_loop().call_later(IDLE_S, self.drop, member.node_id)
        self._kept[member.node_id] = _Kept(member, identity.fingerprint, channel, timer)
        return channel

    def members(self) -> frozenset[str]:
        """Node ids of those to whom one is open."""
        return frozenset(self._kept)

    def drop(self, node_id: str) -> None:
        """Close the channel to a member, if there is one; calls over it fail."""
        kept = self._kept.pop(node_id, None)
        if kept is None:
            return
        kept.timer.cancel()
        task = asyncio.get_running_loop().create_task(kept.channel.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Close all of them."""
        for node_id in list(self._kept):
            self.drop(node_id)
        if self._ending:
            await asyncio.wait(self._ending)
